"""The file of a database, before SQLite is let near it: what is there, and may it be written."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from aurora_scheduler.errors import NotADatabaseError, StoreError, StoreReadOnlyError

__all__ = ["identity_of", "look_at"]

_MAGIC = b"SQLite format 3\0"


def look_at(name: str) -> None:
    """Make the file if it is not there; refuse, untouched, what is not ours to write. Raises `StoreError`."""
    path = Path(name)
    try:
        if not path.parent.is_dir():
            raise StoreError(name, f"the directory {str(path.parent)!r} does not exist; create it first")
        if path.is_dir():
            raise NotADatabaseError(name, "it is a directory; give the path of a file in it")
        if not path.exists():
            with suppress(FileExistsError):
                os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            return
        if not path.is_file():
            raise NotADatabaseError(name, "it is not a regular file; give another path")
        writable = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if not writable or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            # The administrator could write it all the same; who took the permission away did not want that.
            raise StoreReadOnlyError(name, "it, or its directory, is read-only; allow writing, or give another path")
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreError(name, f"it cannot be opened ({error}); check the path and its permissions") from error
    if head and head != _MAGIC:
        raise NotADatabaseError(name, "it is not an SQLite database, and was left untouched; give another path")


def identity_of(path: str) -> tuple[int, int] | None:
    """Which file it is: another one under its name has another identity, and one that is gone has none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
