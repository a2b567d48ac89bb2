"""A database in memory that outlives its connection: what a crash leaves is there for the next start."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.stores import SqliteStore

__all__ = ["Memory"]


class Memory:
    """Keeps the content of a database in memory from one connection to the next."""

    def __init__(self) -> None:
        self.content: bytes | None = None

    def store(self) -> SqliteStore:
        """A store, not yet open, with what the last one left."""
        return _KeptStore(self)


class _KeptStore(SqliteStore):
    def __init__(self, memory: Memory) -> None:
        super().__init__(":memory:")
        self._memory = memory

    def _connect(self) -> sqlite3.Connection:
        sql = super()._connect()
        if self._memory.content is not None:
            sql.deserialize(self._memory.content)
        return sql

    def close(self) -> None:
        """Keep what is there, and let go of it."""
        if self._sql is not None:
            self._memory.content = self._sql.serialize()
        super().close()
