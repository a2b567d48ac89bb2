"""No fork while a thread of ours holds what a child needs: a lock inside SQLite, or Python's lock on an import.

A forked child inherits such locks as they are at that moment, and the threads that hold them are not there to give
them back: the child would hang at its first query, or import, though it were a scheduler of its own that
asks. So our threads do that work under a lock, and a fork waits until none of them holds one.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

__all__ = ["NoFork"]

_paused: list[Any] = []


class NoFork:
    """A context in which no other thread forks; for one thread at a time."""

    def __init__(self) -> None:
        # Re-entrant: what is done under it may itself fork, in this thread, and is then the child's to go on with.
        self.lock = threading.RLock()
        _contexts.add(self)

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()


_contexts: weakref.WeakSet[NoFork] = weakref.WeakSet()


def _pause() -> None:
    for context in list(_contexts):
        context.lock.acquire()
        _paused.append(context.lock)


def _go_on() -> None:
    while _paused:
        _paused.pop().release()


os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_go_on)
