"""The file of a database, before SQLite is let near it: what is there, and may it be written.

The file itself is never opened here. Closing any descriptor of it would drop the locks that this process's connections
have on it: the next process to close would believe itself to be the last, and remove the write-ahead log under them.
SQLite keeps count of its own descriptors; so it is SQLite that looks whether it is a database.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from aurora_scheduler.errors import NotADatabaseError, StoreError, StoreReadOnlyError
from aurora_scheduler.stores.faults import name_of, translated

__all__ = ["Place", "copy_to", "look_at", "looked_at", "make_new"]

#: The smallest page, and so the smallest database.
_SMALLEST = 512


def look_at(name: str) -> None:
    """Make the file if it is not there; refuse, untouched, what is not ours to write. Raises `StoreError`."""
    path = Path(name)
    try:
        if not path.parent.is_dir():
            raise StoreError(name, "its directory does not exist; create it first")
        if path.is_dir():
            raise NotADatabaseError(name, "it is a directory; give the path of a file in it")
        if not path.exists():
            with suppress(FileExistsError):
                os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            return
        if not path.is_file():
            raise NotADatabaseError(name, "it is not a regular file; give another path")
        if path.stat().st_nlink > 1:
            # SQLite names the log after the file: under two names there would be two logs, and a damaged database.
            raise StoreError(name, "the file has several names (hard links); keep one of them, or use a symbolic link")
        writable = path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if not writable or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            # The administrator could write it all the same; who took the permission away did not want that.
            raise StoreReadOnlyError(name, "it, or its directory, is read-only; allow writing, or give another path")
        _see_that_it_is_a_database(path)
    except OSError as error:
        why = error.strerror or type(error).__name__  # without the path, which is told already
        raise StoreError(name, f"it cannot be opened ({why}); check the path and its permissions") from error


def _see_that_it_is_a_database(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        return
    with translated(str(path)):
        look = _immutable(path)
    try:
        look.execute("PRAGMA schema_version").fetchone()
        is_one = size >= _SMALLEST
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # Anything else may be another process's checkpoint, seen half-way; opening it in earnest will tell.
        is_one = name_of(error) != "SQLITE_NOTADB"
    finally:
        look.close()
    if not is_one:
        raise NotADatabaseError(str(path), "it is not an SQLite database, and was left untouched; give another path")


@contextmanager
def looked_at(name: str, see: Callable[[sqlite3.Connection], object]) -> Generator[None]:
    """Have `see` look at a database by a connection that cannot write, before, inside, there is one that can.

    Where there is a log, the database is read with it, and errors of SQLite's are raised; and this connection is the
    last to be closed, so that a database which is refused inside is not changed by closing it either. Where there is
    none, errors may come of another program that writes just now, and are for who opens it in earnest to tell.
    """
    path = Path(name)
    has_log = _size(Path(f"{path.resolve()}-wal")) > 0
    look = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) if has_log else _immutable(path)
    try:
        try:
            see(look)
        except (sqlite3.Error, UnicodeDecodeError):
            if has_log:
                raise
        yield
    finally:
        look.close()


def _immutable(path: Path) -> sqlite3.Connection:
    # SQLite looks at the file alone, takes no lock, and makes no file beside it.
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Place:
    """Which file a database's name meant when it was opened, and which its log, so that another one is noticed."""

    def __init__(self, name: str, file: str) -> None:
        # A link may come to lead elsewhere; the log lies beside the file itself.
        self._names = (name, f"{file}-wal")
        self._files = self._found()
        #: How long the log was when it was looked at last, in bytes.
        self.log_size = 0

    def remember(self) -> None:
        """What is there now is what it is to be."""
        self._files = self._found()

    def is_kept(self) -> bool:
        """Whether both are where they were."""
        file, log = self._files
        return self._find(0) == file and self._find(1) == log

    def loss(self) -> str:
        """What is not, and what to do."""
        file, _ = self._found()
        if file == self._files[0]:
            return (
                f"its log, {self._names[1]}, was deleted or replaced while it was open; leave it there, and start anew"
            )
        what = "it was moved or deleted" if file is None else "another file was put in its place"
        return f"{what} while it was open; put it back under its name, and start anew"

    def write_through(self) -> None:
        """Have the system write what it holds of the log to the disk.

        Closing a descriptor drops the locks that this process has on a file, and SQLite has none on its log.
        """
        descriptor = os.open(self._names[1], os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _found(self) -> tuple[tuple[int, int] | None, ...]:
        return self._find(0), self._find(1)

    def _find(self, place: int) -> tuple[int, int] | None:
        try:
            found = os.stat(self._names[place])
        except OSError:
            return None
        if place == 1:
            self.log_size = found.st_size
        return found.st_dev, found.st_ino


def make_new(path: str) -> None:
    """Make an empty file that only its owner can read, for a backup. Raises `StoreError` where there is one."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(path, f"the backup cannot be made there ({error}); name a new file") from error


def copy_to(path: str, source: sqlite3.Connection) -> None:
    """Copy a whole database, as it is now, to a new file."""
    make_new(path)
    with translated(path):
        copy = sqlite3.connect(path)
        try:
            source.backup(copy)
        finally:
            copy.close()
