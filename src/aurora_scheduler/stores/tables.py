"""The rows of all our tables, as they stand: read from one store and written to another, and compared.

Every store has the same columns of the same values, whatever else there is. So a whole database is moved, and nobody
has to understand what is in it; what is damaged in one is as damaged in the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Protocol

from aurora_scheduler.errors import StoreError, shown
from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.migrations import TABLES
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, EXECUTION_COLUMNS, JOB_COLUMNS, Row

__all__ = ["COLUMNS", "SqliteTables", "Tables", "copy_rows"]

#: By table: what is copied of it.
COLUMNS: dict[str, str] = dict(zip(TABLES, (JOB_COLUMNS, EXECUTION_COLUMNS, CHANGE_COLUMNS), strict=True))
_ORDER: dict[str, str] = dict(zip(TABLES, ("rowid", "id", "number"), strict=True))


class Tables(Protocol):
    """The tables of one store, within a transaction."""

    def rows(self, table: str) -> Iterator[Row]:
        """All rows, in the order in which they are to be written elsewhere."""
        ...

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows, in this order."""
        ...


class SqliteTables:
    """Those of an SQLite database."""

    def __init__(self, sql: sqlite3.Connection, path: str) -> None:
        self._sql = sql
        self._path = path

    def rows(self, table: str) -> Iterator[Row]:
        """All rows, in order."""
        with translated(self._path):
            yield from self._sql.execute(f"SELECT {COLUMNS[table]} FROM {table} ORDER BY {_ORDER[table]}")

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows, in this order."""
        columns = COLUMNS[table]
        marks = ", ".join("?" * len(columns.split(",")))
        with translated(self._path):
            self._sql.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def copy_rows(source: Tables, target: Tables, place: str) -> dict[str, int]:
    """Copy all rows into the empty tables of `target`, which is called `place`, and compare them: how many there are.

    Raises `StoreError` where there are some already, or where one is not as it was.
    """
    for table in TABLES:
        if next(target.rows(table), None) is not None:
            raise StoreError(place, "it has jobs or a history already; give a new one")
    for table in TABLES:
        target.add(table, source.rows(table))
    return {table: _compared(table, source.rows(table), target.rows(table), place) for table in TABLES}


def _compared(table: str, ones: Iterator[Row], others: Iterator[Row], place: str) -> int:
    count = 0
    for one, other in zip_longest(ones, others):
        if one is None or other is None or tuple(one) != tuple(other):
            raise StoreError(place, f"row {shown(one or other)} of {table} is not as it was; nothing was written")
        count += 1
    return count
