"""A connection: statements said and rows read in our own words, its errors and texts translated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from aurora_scheduler.stores.blocks import Block
from aurora_scheduler.stores.postgres.faults import translated
from aurora_scheduler.stores.postgres.texts import held, said
from aurora_scheduler.stores.rows import Row

__all__ = ["Connection"]

#: So many rows of very many are read at a time.
_PART = 2000


class Connection:
    """A connection of psycopg's, which belongs to one thread. `place` is what the database is called in errors."""

    def __init__(self, url: str, place: str) -> None:
        self._place = place
        with translated(place):
            #: psycopg's own.
            self.sql: psycopg.Connection[Any] = psycopg.connect(
                url, autocommit=True, application_name="aurora_scheduler"
            )
        self._is_steady = False

    @property
    def is_lost(self) -> bool:
        """Whether it is closed, by whomever."""
        return self.sql.closed

    def close(self) -> None:
        """End it."""
        with translated(self._place):
            self.sql.close()

    def do(self, statement: str, *values: object) -> int:
        """Say a statement; how many rows it wrote."""
        with translated(self._place):
            return self.sql.execute(statement.encode(), [_held(value) for value in values] or None).rowcount

    def do_quietly(self, statement: str) -> None:
        """The same, where it does not matter whether it can be said."""
        with suppress(psycopg.Error):
            self.sql.execute(statement.encode())

    def find(self, query: str, *values: object) -> list[Row]:
        """The rows that answer a query."""
        with translated(self._place):
            return said(self.sql.execute(query.encode(), [_held(value) for value in values] or None))

    def find_in_parts(self, query: str) -> Iterator[list[Row]]:
        """The same, for very many, a part at a time; in a transaction."""
        with translated(self._place), self.sql.cursor(name="parts") as parts:
            parts.execute(query.encode())
            while rows := said(parts.fetchmany(_PART)):
                yield rows

    def steady(self) -> AbstractContextManager[None]:
        """Within it several reads see the same state."""
        return Block(self._begin_reading, self._end_reading)

    def _begin_reading(self) -> None:
        self._is_steady = self.sql.info.transaction_status is TransactionStatus.IDLE
        if self._is_steady:
            self.do("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _end_reading(self, error: BaseException | None) -> None:
        if self._is_steady:
            self.do_quietly("ROLLBACK")
        if error is not None:
            raise error

    def write(self, statement: str, rows: Sequence[Row]) -> int:
        """Say a statement that is made for any number of rows; how many it wrote."""
        return self.do(statement, *_columns(rows)) if rows else 0

    def write_and_find(self, statement: str, rows: Sequence[Row]) -> list[Row]:
        """The same; what it returns."""
        return self.find(statement, *_columns(rows)) if rows else []


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _held(value: object) -> object:
    return [held(each) for each in value] if isinstance(value, list) else held(value)
