"""Moving the write-ahead log into the database: the owner does it, under the write lock, and nobody else."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.logs import logger

__all__ = ["Checkpoints"]

_log = logger("store")

_LONG = 8 * 1024 * 1024


class Checkpoints:
    """When the log of one database is moved into it."""

    def __init__(self, path: str) -> None:
        self._path = path
        #: How long, in bytes, the log may become before it is moved.
        self.at = _LONG

    def look(self, sql: sqlite3.Connection, size: int) -> None:
        """Move the log, of so many bytes, into the database when it is long; where a reader is in the way, later."""
        if size < self.at:
            return
        self.at = _LONG if self.move(sql) else size + _LONG

    def move(self, sql: sqlite3.Connection) -> bool:
        """Move the log into the database; False where it cannot be done just now."""
        (patience,) = sql.execute("PRAGMA busy_timeout").fetchone()
        sql.execute("PRAGMA busy_timeout = 0")
        try:
            busy, _, _ = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:  # what was committed stands, in the log
            _log.warning("the write-ahead log could not be moved into %s: %s", self._path, error)
            return False
        finally:
            sql.execute(f"PRAGMA busy_timeout = {patience}")
        return not busy
