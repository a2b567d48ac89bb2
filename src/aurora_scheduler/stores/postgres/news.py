"""What a process tells the others of what it writes, while somebody listens: the keys of rows, in notifications.

Who listens has a lock that goes with his connection; who writes looks for it every second, and when somebody begins,
and tells nobody where there is none. One that has missed something, as its connection was lost, does not hear of it
later.
"""

from __future__ import annotations

from collections.abc import Iterator

from aurora_scheduler.model import Change, Execution
from aurora_scheduler.ports import Notes
from aurora_scheduler.stores.damaged import RowReader
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.listening import NOTIFY
from aurora_scheduler.stores.postgres.statements import SELECT_EXECUTION
from aurora_scheduler.stores.rows import CHANGE_COLUMNS

__all__ = ["IS_HEARD", "begin_to_hear", "read_news", "tell_news"]

_LOCK = 0x61756E
#: Of this database there may be several, in schemas of their own.
_KEY = "'aurora_jobs'::regclass::oid"
_CHANNEL = f"'aurora_news_' || {_KEY}"
IS_HEARD = (
    "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND classid = {_LOCK} AND objid = {_KEY})"
)
#: A notification holds less than 8,000 bytes.
_TOGETHER = 200
_ROWS, _CHANGES = "rows", "changes"


def begin_to_hear(sql: Connection) -> None:
    """Listen, and have that known."""
    ((channel, _),) = sql.find(f"SELECT {_CHANNEL}, pg_advisory_lock_shared({_LOCK}, {_KEY}::int)::text")
    sql.do(f"LISTEN {channel}")
    sql.do(NOTIFY)


def tell_news(sql: Connection, notes: Notes) -> None:
    """Tell of what a transaction has written, when it is committed."""
    texts = list(_texts(notes))
    if texts:
        sql.find(f"SELECT pg_notify({_CHANNEL}, news) FROM unnest(%s::text[]) AS told (news)", texts)


def _texts(notes: Notes) -> Iterator[str]:
    if notes.numbers:  # all between are this transaction's
        yield f"{_CHANGES} {notes.numbers[0]} {notes.numbers[-1]}"
    ids = list(dict.fromkeys(row.id for row in notes.rows))
    for start in range(0, len(ids), _TOGETHER):
        yield " ".join([_ROWS, *ids[start : start + _TOGETHER]])


def read_news(sql: Connection, reader: RowReader, text: str) -> tuple[list[Execution], list[Change]]:
    """The rows that it tells of, as they are now, or the changes."""
    what, *keys = text.split(" ")
    if what == _CHANGES:
        query = f"SELECT {CHANGE_COLUMNS} FROM aurora_job_changes WHERE number BETWEEN %s AND %s ORDER BY number"
        return [], reader.changes(sql.find(query, *map(int, keys)))
    rows = reader.executions(sql.find(f"{SELECT_EXECUTION} WHERE id = ANY(%s::text[])", keys))
    return sorted(rows, key=lambda row: keys.index(row.id)), []
