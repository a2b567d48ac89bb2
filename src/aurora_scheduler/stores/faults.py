"""SQLite's errors in our words. They are told apart by `sqlite_errorname`; their classes do not say enough."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from aurora_scheduler.errors import (
    NotADatabaseError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["translated"]


@contextmanager
def translated(path: str) -> Generator[None]:
    """Raise `StoreError`, of the kind that fits, for what SQLite raises inside."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(path, error) from error


def _translation(path: str, error: sqlite3.Error) -> StoreError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreUnavailableError(path, f"another program holds it locked ({error}); trying again may help")
    if name.startswith("SQLITE_FULL"):
        return StoreUnavailableError(path, f"there is no room left to write ({error}); free some disk space")
    if name.startswith("SQLITE_IOERR"):
        return StoreUnavailableError(path, f"the disk does not take the write ({name})")
    if name.startswith("SQLITE_READONLY_DBMOVED"):
        return StoreError(path, "the file was moved or replaced while it was open; put it back, or start anew")
    if name.startswith("SQLITE_READONLY"):
        return StoreReadOnlyError(path, f"it cannot be written ({error}); check the permissions of file and directory")
    if name.startswith("SQLITE_NOTADB"):
        return NotADatabaseError(path, "it is not an SQLite database, and was left untouched; give another path")
    if name.startswith("SQLITE_CORRUPT"):
        return StoreCorruptError(path, f"it is damaged ({error}); restore a backup")
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreError(path, f"it cannot be opened ({error}); check the path and its permissions")
    return StoreError(path, f"SQLite reports {name or type(error).__name__}: {error}")
