"""A copy of the whole database, as an SQLite file: it can be looked at, and scheduled from, without a server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.files import make_new
from aurora_scheduler.stores.migrations import TABLES
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, EXECUTION_COLUMNS, JOB_COLUMNS, Row
from aurora_scheduler.stores.sqlite import SqliteStore

__all__ = ["copy_to"]

#: What is copied of each table, and in which order.
_PARTS = ((JOB_COLUMNS, "number"), (EXECUTION_COLUMNS, "id"), (f"number, {CHANGE_COLUMNS}", "number"))


def copy_to(path: str, source: Connection) -> None:
    """Copy a whole database, as it is now, to a new file."""
    make_new(path)
    made = SqliteStore(path)
    made.open()  # which makes the schema
    made.close()
    with translated(path), source.steady():
        copy = sqlite3.connect(path, isolation_level=None)
        try:
            copy.execute("BEGIN")
            for table, (columns, order) in zip(TABLES, _PARTS, strict=True):
                marks = ", ".join("?" * len(columns.split(",")))
                rows = _rows(source, f"SELECT {columns} FROM {table} ORDER BY {order}")
                copy.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
            copy.execute("COMMIT")
        finally:
            copy.close()


def _rows(source: Connection, query: str) -> Iterator[Row]:
    for some in source.find_in_parts(query):
        yield from some
