"""The schema, as a list of steps that is only ever added to.

Our tables are called `aurora_…` and may live in an application's own database beside its tables. A database that has a
table of ours without our record of having made it, or a record of a step that this release does not know, is refused
before anything is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from aurora_scheduler.errors import ForeignTablesError, NewerSchemaError, StoreCorruptError
from aurora_scheduler.stores.faults import name_of
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, EXECUTION_COLUMNS, JOB_COLUMNS

__all__ = ["KNOWN", "TABLES", "has_begun", "inspect", "migrate", "steps_of"]

TABLES = ("aurora_jobs", "aurora_executions", "aurora_job_changes")

if TYPE_CHECKING:  # read where a database is made or changed: it takes longer than all of ours
    from sqlite_utils import Database

#: What our steps are called in the record, which others may have steps in, too.
_SET = "aurora_scheduler"
#: Where sqlite-utils keeps the record of the steps.
_LEDGER = "_sqlite_migrations"

#: The steps that this release knows, in order.
KNOWN = ("1_jobs_executions_changes", "2_zone_data", "3_jitter", "4_by_scheduled")


def _first(db: Database) -> None:
    """Jobs, their executions, and what else happened to them.

    `aurora_executions` is unique in job, generation, instant and attempt: that is what makes the record exactly-once.
    Ids begin with the instant they were made at, so the primary key is the order of time.
    """
    db.execute(
        """
        CREATE TABLE aurora_jobs (
            id TEXT PRIMARY KEY, generation INTEGER NOT NULL, version INTEGER NOT NULL,
            name TEXT NOT NULL, schedule_type TEXT NOT NULL, schedule_value TEXT NOT NULL, timezone TEXT NOT NULL,
            callback_module TEXT NOT NULL, callback_function TEXT NOT NULL, callback_file TEXT,
            callback_args TEXT NOT NULL, policies TEXT NOT NULL, tags TEXT NOT NULL,
            anchor INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
            status TEXT NOT NULL, status_reason TEXT, next_fire INTEGER, runs INTEGER NOT NULL,
            retry_count INTEGER NOT NULL, last_run INTEGER, last_run_result TEXT
        ) STRICT
        """
    )
    db.execute("CREATE INDEX aurora_jobs_by_status ON aurora_jobs (status, next_fire)")
    db.execute(
        """
        CREATE TABLE aurora_executions (
            id TEXT PRIMARY KEY, job_id TEXT NOT NULL, generation INTEGER NOT NULL, job_name TEXT NOT NULL,
            timezone TEXT NOT NULL, scheduled INTEGER NOT NULL, last_scheduled INTEGER NOT NULL, count INTEGER NOT NULL,
            attempt INTEGER NOT NULL, "trigger" TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, due INTEGER NOT NULL,
            started INTEGER, finished INTEGER, result TEXT, error TEXT, traceback TEXT, owner TEXT,
            UNIQUE (job_id, generation, scheduled, attempt)
        ) STRICT
        """
    )
    db.execute("CREATE INDEX aurora_executions_by_job ON aurora_executions (job_id, id)")
    db.execute("CREATE INDEX aurora_executions_by_status ON aurora_executions (status, id)")
    db.execute(
        """
        CREATE TABLE aurora_job_changes (
            number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, generation INTEGER NOT NULL,
            at INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT
        ) STRICT
        """
    )
    db.execute("CREATE INDEX aurora_job_changes_by_job ON aurora_job_changes (job_id, generation)")


def _second(db: Database) -> None:
    """What a job's next firing was computed with. Of the firings that are there nobody knows it."""
    db.execute("ALTER TABLE aurora_jobs ADD COLUMN zone_data TEXT")
    db.execute("ALTER TABLE aurora_jobs ADD COLUMN next_wall INTEGER")


def _third(db: Database) -> None:
    """How long after its instant a job's next firing is due."""
    db.execute("ALTER TABLE aurora_jobs ADD COLUMN next_delay INTEGER NOT NULL DEFAULT 0")


def _fourth(db: Database) -> None:
    """Of a long history, what was scheduled before some instant."""
    db.execute("CREATE INDEX aurora_executions_by_scheduled ON aurora_executions (scheduled, id)")


_STEPS: dict[str, Callable[[Database], None]] = dict(zip(KNOWN, (_first, _second, _third, _fourth), strict=True))


def inspect(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the database needs our schema or a part of it. Reads only.

    Raises `ForeignTablesError` where a table of our names is not ours, `NewerSchemaError` where a newer release
    made it.
    """
    kinds = _kinds(connection)
    applied = _applied(connection, path, kinds[_LEDGER]) if _LEDGER in kinds else []
    if set(applied) < set(KNOWN) and set(applied) != set(KNOWN[: len(set(applied))]):
        raise StoreCorruptError(path, f"its table {_LEDGER!r} lacks steps that others came after; restore a backup")
    unknown = [name for name in applied if name not in KNOWN]
    if unknown:
        raise NewerSchemaError(
            path,
            f"its schema is of version {_version(unknown)}, and this release knows versions up to {_version(KNOWN)}: "
            "use the release of aurora-scheduler that wrote it, or a newer one",
        )
    foreign = [name for name in TABLES if not applied and name in kinds]
    if foreign:
        raise ForeignTablesError(
            path,
            f"it has a table or view {foreign[0]!r} that Aurora Scheduler did not make; nothing was changed: "
            "give a path of your own, or rename it",
        )
    if len(set(applied)) < len(KNOWN):
        return True
    see_that_all_is_there(connection, path)
    return False


def steps_of(connection: sqlite3.Connection, path: str) -> list[str]:
    """The steps of our schema that there are in the database. Reads only. Raises as `inspect`."""
    inspect(connection, path)
    kinds = _kinds(connection)
    return _applied(connection, path, kinds[_LEDGER]) if _LEDGER in kinds else []


def see_that_all_is_there(connection: sqlite3.Connection, path: str) -> None:
    """Raise `StoreCorruptError` where a table or a column of ours is missing though the schema is complete."""
    for table, columns in zip(TABLES, (JOB_COLUMNS, EXECUTION_COLUMNS, CHANGE_COLUMNS), strict=True):
        try:
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")
        except sqlite3.OperationalError as error:
            if name_of(error) != "SQLITE_ERROR":
                raise
            raise StoreCorruptError(path, f"{table} is not as it was made ({error}); restore a backup") from error


def has_begun(connection: sqlite3.Connection, path: str) -> bool:
    """Whether there is any step of our schema in the database. Reads only."""
    kinds = _kinds(connection)
    return _LEDGER in kinds and bool(_applied(connection, path, kinds[_LEDGER]))


def _kinds(connection: sqlite3.Connection) -> dict[str, str]:
    return {name.lower(): kind for name, kind in connection.execute("SELECT name, type FROM sqlite_master")}


def _applied(connection: sqlite3.Connection, path: str, kind: str) -> list[str]:
    """The steps that were taken in this database, by the ledger that all who use sqlite-utils for this share."""
    try:
        if kind != "table":
            raise sqlite3.OperationalError(f"it is a {kind}")
        rows = connection.execute(f"SELECT name, applied_at FROM {_LEDGER} WHERE migration_set = ?", (_SET,)).fetchall()
    except sqlite3.OperationalError as error:
        if name_of(error) not in ("SQLITE_ERROR", ""):
            raise
        raise ForeignTablesError(
            path,
            f"its table {_LEDGER!r} is not the one in which schemas are recorded ({error}); nothing was changed: "
            "give a path of your own, or rename it",
        ) from error
    if not all(isinstance(name, str) for name, _ in rows):
        raise StoreCorruptError(path, f"its table {_LEDGER!r} names steps that are no names; restore a backup")
    return [name for name, _ in rows]


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is missing. Must be called inside a `BEGIN IMMEDIATE`, so that one of several starters does it."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations(_SET)
    for name in KNOWN:
        migrations(name=name)(_STEPS[name])
    migrations.apply(Database(connection, execute_plugins=False, recursive_triggers=False))
    see_that_all_is_there(connection, path)


def _version(names: tuple[str, ...] | list[str]) -> str:
    return max((name.partition("_")[0] for name in names), key=lambda version: (len(version), version))
