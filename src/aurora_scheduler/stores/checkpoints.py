"""Moving the write-ahead log into the database: the owner does it, under the write lock, and nobody else.

What was moved is written over from the log's beginning, and its file stays as long as it is: to make a commit durable
costs less than half where the file need not grow for it. So the log is known to be full when its file has grown.
"""

from __future__ import annotations

import sqlite3

from aurora_scheduler.logs import logger

__all__ = ["Checkpoints"]

_log = logger("store")

_LONG = 8 * 1024 * 1024
_LONGEST = 32 * 1024 * 1024


class Checkpoints:
    """When the log of one database is moved into it."""

    def __init__(self, path: str) -> None:
        self._path = path
        #: How long, in bytes, the log's file may become before the log is moved.
        self.at = _LONG

    def look(self, sql: sqlite3.Connection, size: int) -> None:
        """Move the log, whose file has so many bytes, when it is full; where a reader is in the way, later."""
        if size <= self.at:
            return
        shortens = size > _LONGEST
        if not self.move(sql, shortens=shortens):
            self.at = size + _LONG
        else:
            self.at = _LONG if shortens else max(size, _LONG)

    def move(self, sql: sqlite3.Connection, *, shortens: bool, patience: float = 0.0) -> bool:
        """Move the log into the database, and leave none behind or begin it anew; False where that cannot be just now.

        A reader that keeps it from being moved is waited for so many seconds.
        """
        (before,) = sql.execute("PRAGMA busy_timeout").fetchone()
        sql.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
        try:
            busy, _, _ = sql.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if shortens else 'RESTART'})").fetchone()
        except sqlite3.Error as error:  # what was committed stands, in the log
            _log.warning("the write-ahead log could not be moved into %s: %s", self._path, error)
            return False
        finally:
            sql.execute(f"PRAGMA busy_timeout = {before}")
        return not busy
