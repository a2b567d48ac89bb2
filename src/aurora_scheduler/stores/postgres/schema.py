"""The schema, as a list of steps that is only ever added to; and the locks that belong to it.

A newer release's steps may be there already: one that this release can work with says so itself.

Our tables are called `aurora_…`, are where the connection's search path puts them, and may live beside an application's
own. Steps are made under an advisory lock, so that of several processes that start at once one makes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from aurora_scheduler.errors import ForeignTablesError, NewerSchemaError, StoreError
from aurora_scheduler.stores.migrations import TABLES
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.faults import translated
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, EXECUTION_COLUMNS, JOB_COLUMNS

__all__ = ["KNOWN", "TYPES", "migrate", "steps_of"]

#: Columns that hold numbers; all others hold texts.
_NUMBERS = {
    *("generation", "version", "anchor", "created", "updated", "next_fire", "runs", "retry_count", "last_run"),
    *("next_wall", "next_delay", "scheduled", "last_scheduled", "count", "attempt", "due", "started", "finished", "at"),
}
_ALL = f"{JOB_COLUMNS}, {EXECUTION_COLUMNS}, {CHANGE_COLUMNS}"
#: What each column of ours holds, by its name.
TYPES = {name: "bigint" if name in _NUMBERS else "text" for name in (each.strip('" ') for each in _ALL.split(","))}

_LEDGER = "aurora_migrations"
#: Whoever looks whether the schema is there, or makes it, holds this lock.
_LOCK = 0x6175726F7261

#: By step the last one that a release must know to work with what it makes; without one it is itself. While its release
#: comes to one process after the other, those of the release before go on: it adds what they need not know.
_NEEDS: dict[str, str] = {}
#: What each firing changes of a job is in no index, so that the row can be written anew beside itself.
_STEPS = {
    "1_jobs_executions_changes": """
        CREATE TABLE aurora_jobs (
            number bigint GENERATED ALWAYS AS IDENTITY, id text COLLATE "C" PRIMARY KEY, generation bigint NOT NULL,
            version bigint NOT NULL, name text NOT NULL, schedule_type text NOT NULL, schedule_value text NOT NULL,
            timezone text NOT NULL, callback_module text NOT NULL, callback_function text NOT NULL, callback_file text,
            callback_args text NOT NULL, policies text NOT NULL, tags text NOT NULL, anchor bigint NOT NULL,
            created bigint NOT NULL, updated bigint NOT NULL, status text NOT NULL, status_reason text,
            next_fire bigint, runs bigint NOT NULL, retry_count bigint NOT NULL, last_run bigint, last_run_result text,
            zone_data text, next_wall bigint, next_delay bigint NOT NULL, holder text COLLATE "C",
            node_tag text COLLATE "C" GENERATED ALWAYS AS (substring(policies FROM '"node_tag": "([^"]+)"')) STORED
        ) WITH (fillfactor = 70);
        CREATE UNIQUE INDEX aurora_jobs_by_number ON aurora_jobs (number);
        CREATE INDEX aurora_jobs_by_status ON aurora_jobs (status);
        CREATE INDEX aurora_jobs_free ON aurora_jobs (node_tag)
            WHERE holder IS NULL AND status IN ('active', 'unresolved');
        CREATE INDEX aurora_jobs_by_holder ON aurora_jobs (holder);
        CREATE TABLE aurora_nodes (
            id text COLLATE "C" PRIMARY KEY, joined timestamptz NOT NULL, since timestamptz NOT NULL,
            seen timestamptz NOT NULL, takes boolean NOT NULL, tags text[] NOT NULL
        );
        CREATE TABLE aurora_refusals (
            node text COLLATE "C" REFERENCES aurora_nodes ON DELETE CASCADE, module text COLLATE "C",
            function text COLLATE "C", file text COLLATE "C", PRIMARY KEY (node, module, function, file)
        );
        CREATE UNLOGGED TABLE aurora_life (
            only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one), id uuid NOT NULL
        );
        CREATE TABLE aurora_executions (
            id text COLLATE "C" PRIMARY KEY, job_id text COLLATE "C" NOT NULL, generation bigint NOT NULL,
            job_name text NOT NULL, timezone text NOT NULL, scheduled bigint NOT NULL, last_scheduled bigint NOT NULL,
            count bigint NOT NULL, attempt bigint NOT NULL, "trigger" text NOT NULL, status text NOT NULL, reason text,
            due bigint NOT NULL, started bigint, finished bigint, result text, error text, traceback text, owner text,
            UNIQUE (job_id, generation, scheduled, attempt)
        );
        CREATE INDEX aurora_executions_by_job ON aurora_executions (job_id, id);
        CREATE INDEX aurora_executions_by_status ON aurora_executions (status, id);
        CREATE INDEX aurora_executions_by_scheduled ON aurora_executions (scheduled, id);
        CREATE TABLE aurora_job_changes (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id text COLLATE "C" NOT NULL,
            generation bigint NOT NULL, at bigint NOT NULL, kind text NOT NULL, detail text
        );
        CREATE INDEX aurora_job_changes_by_job ON aurora_job_changes (job_id, generation);
    """,
}

#: The second is of bytes that nobody looks into: what is written comes back.
_ENCODINGS = ("UTF8", "SQL_ASCII")

#: The steps that this release knows, in order.
KNOWN = tuple(_STEPS)


def migrate(connection: Connection, place: str) -> None:
    """Bring the schema up to date, in a transaction of its own.

    Raises `ForeignTablesError` where a table of our names is not ours, `NewerSchemaError` where a newer release made
    it, `StoreError` where there is no room for tables and texts; then nothing is changed.
    """
    with translated(place), connection.sql.transaction():
        connection.find("SELECT pg_advisory_xact_lock(%s)", _LOCK)
        applied = steps_of(connection, place)
        missing = [name for name in KNOWN if name not in applied]
        if missing and not applied:
            columns = "name text PRIMARY KEY, applied timestamptz NOT NULL, needs text NOT NULL"
            connection.do(f"CREATE TABLE IF NOT EXISTS {_LEDGER} ({columns})")
        for name in missing:
            connection.do(_STEPS[name])
            connection.do(f"INSERT INTO {_LEDGER} VALUES (%s, now(), %s)", name, _NEEDS.get(name, name))


def steps_of(connection: Connection, place: str) -> Sequence[str]:
    """The steps of our schema that there are in the database. Reads only. Raises as `migrate`."""
    _see_that_there_is_room(connection, place)
    rows = connection.find(f"SELECT name, needs FROM {_LEDGER}") if _is_there(connection, _LEDGER) else ()
    applied = [name for name, _ in rows]
    unknown = [name for name, needs in rows if name not in KNOWN and needs not in KNOWN]
    if unknown:
        raise NewerSchemaError(
            place,
            f"its schema has steps that this release does not know ({', '.join(sorted(unknown))}): "
            "use the release of aurora-scheduler that made it, or a newer one",
        )
    foreign = [name for name in TABLES if not applied and _is_there(connection, name)]
    if foreign:
        raise ForeignTablesError(
            place,
            f"it has a table or view {foreign[0]!r} that Aurora Scheduler did not make; nothing was changed: "
            "give a schema of your own in the search path, or rename it",
        )
    return applied


def _see_that_there_is_room(connection: Connection, place: str) -> None:
    """Raise `StoreError` where no schema is there for our tables, or not every text can be kept."""
    query = "SELECT current_schema(), current_setting('search_path'), current_setting('server_encoding')"
    ((schema, search_path, encoding),) = connection.find(query)
    if schema is None:
        raise StoreError(
            place,
            f"its search_path is {search_path}, and there is no such schema, or the role may not use it: "
            "create it first (CREATE SCHEMA …), or name one that is there",
        )
    if encoding not in _ENCODINGS:
        raise StoreError(
            place,
            f"its encoding is {encoding}, which cannot keep every text; it must be UTF8: "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )


def _is_there(connection: Connection, table: str) -> bool:
    ((found,),) = connection.find("SELECT to_regclass(%s)", table)
    return found is not None
