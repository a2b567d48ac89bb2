"""Our tables on a server, for whoever copies them: from another store, or into an SQLite file that needs no server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aurora_scheduler.stores.files import make_new
from aurora_scheduler.stores.migrations import TABLES
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.rows import Row
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.stores.tables import COLUMNS, copy_rows

__all__ = ["PostgresTables", "copy_to"]


_ORDER: dict[str, str] = dict(zip(TABLES, ("number", "id", "number"), strict=True))


class PostgresTables:
    """Those of a PostgreSQL database."""

    def __init__(self, sql: Connection) -> None:
        self._sql = sql

    def rows(self, table: str) -> Iterator[Row]:
        """All rows, in order."""
        for some in self._sql.find_in_parts(f"SELECT {COLUMNS[table]} FROM {table} ORDER BY {_ORDER[table]}"):
            yield from some

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows, in this order."""
        self._sql.copy_in(f"COPY {table} ({COLUMNS[table]}) FROM STDIN", rows)


def copy_to(path: str, source: Connection) -> None:
    """Copy a whole database, as it is now, to a new file."""
    make_new(path)
    made = SqliteStore(path)
    made.open()
    try:
        with source.steady(), made.transaction():
            copy_rows(PostgresTables(source), made.tables, path)
    finally:
        made.close()
