"""Locks on files beside the database: one for writing, one for being the owner.

They are `flock`s, which die with their process however it dies. They lie in files of their own, because closing any
descriptor of the database would drop SQLite's own locks on it. A child made by `fork` would keep its parent's locks
alive: it closes its copies at once.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from contextlib import suppress
from types import TracebackType

from aurora_scheduler.errors import StoreError, StoreUnavailableError

__all__ = ["PATIENCE", "FileLock", "NoLock"]

#: How many seconds somebody waits for a lock that others hold.
PATIENCE = 5.0

_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


class FileLock:
    """An exclusive lock on a file, held by this object."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        _held.add(self)

    def try_lock(self) -> bool:
        """Take the lock if it is free."""
        while True:
            try:
                fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self.is_in_place():
                    return False
            if self.is_in_place():
                return True
            self.close()  # the file was deleted under us: a lock on it is a lock that nobody else sees

    def is_in_place(self) -> bool:
        """Whether the file that this lock is on is still the one that others find."""
        try:
            found = os.stat(self.path)
        except OSError:  # it is gone, or its directory is
            return False
        self._open()
        return (found.st_dev, found.st_ino) == self._identity

    def lock(self, patience: float) -> None:
        """Take the lock, waiting at most about `patience` seconds. Raises `StoreUnavailableError`."""
        pause = 0.002
        for _ in range(max(1, round(patience / pause))):
            if self.try_lock():
                return
            threading.Event().wait(pause)
        raise StoreUnavailableError(self.path, "another process holds the write lock; trying again may help")

    def __enter__(self) -> None:
        """Take the lock, with patience."""
        self.lock(PATIENCE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.unlock()

    def unlock(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def write(self, text: str) -> None:
        """Leave a note in the file, for people who wonder who holds it; on a full disk there is none."""
        descriptor = self._open()
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)

    def close(self) -> None:
        """Give the lock back, and let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise StoreError(self.path, f"this lock file cannot be made ({error})") from error
            mine = os.fstat(self._descriptor)
            self._identity = (mine.st_dev, mine.st_ino)
        return self._descriptor


class NoLock(FileLock):
    """The lock of a database that only this connection can see."""

    def __init__(self) -> None:
        super().__init__("")

    def try_lock(self) -> bool:
        """There is nobody else."""
        return True

    def lock(self, patience: float) -> None:
        """There is nobody to wait for."""

    def is_in_place(self) -> bool:
        """There is no file."""
        return True

    def unlock(self) -> None:
        """Nothing to give back."""

    def write(self, text: str) -> None:
        """Nowhere to write it."""


def _let_go() -> None:
    for lock in list(_held):
        lock.close()


os.register_at_fork(after_in_child=_let_go)
