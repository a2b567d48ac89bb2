"""SQLite's errors in our words. They are told apart by `sqlite_errorname`; their classes do not say enough."""

from __future__ import annotations

import sqlite3
from types import TracebackType

from aurora_scheduler.errors import (
    NotADatabaseError,
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["is_taken", "name_of", "translated"]


def name_of(error: BaseException) -> str:
    """SQLite's name for it; "" where Python's own module says so, like a text that is not UTF-8."""
    return getattr(error, "sqlite_errorname", "") or ""


class translated:  # noqa: N801  # a word of the `with` statement; a class, since it is entered for each statement
    """Within it, `StoreError` of the kind that fits is raised for what SQLite raises."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say it in our words."""
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise _translation(self._path, error) from error


def is_taken(error: sqlite3.IntegrityError) -> bool:
    """Whether it says that a row of this key is there already, and not that a value does not fit its column."""
    return name_of(error) in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def _translation(path: str, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
    name = name_of(error)
    if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):
        # Of a text in the database, or, from a damaged schema, in SQLite's own message.
        return StoreCorruptError(path, "it is damaged (a text in it is not UTF-8); restore a backup")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreUnavailableError(path, f"another program holds it locked ({error}); trying again may help")
    if name.startswith("SQLITE_FULL"):
        return StoreUnavailableError(path, f"there is no room left to write ({error}); free some disk space")
    if name.startswith("SQLITE_IOERR"):
        return StoreUnavailableError(path, f"the disk does not read or write it ({name}); look at the disk")
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
    if isinstance(error, sqlite3.IntegrityError):
        return StoreCorruptError(path, f"it is damaged (a row is not as it was written: {error}); restore a backup")
    return StoreError(path, f"SQLite reports {name or type(error).__name__}: {error}; restore a backup, or start anew")
