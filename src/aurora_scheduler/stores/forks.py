"""No fork while a thread of ours is inside SQLite.

A forked child inherits SQLite's own locks as they are at that moment, and the threads that hold them are not there to
give them back: the child would hang at its first query, on a database of its own, too. So our threads do their work
under a lock, and a fork waits until none of them holds one.
"""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["held_off"]

_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_paused: list[threading.Lock] = []


def held_off() -> threading.Lock:
    """A lock for one thread: while it holds it, no fork happens."""
    lock = threading.Lock()
    _locks.add(lock)
    return lock


def _pause() -> None:
    for lock in list(_locks):
        lock.acquire()
        _paused.append(lock)


def _go_on() -> None:
    while _paused:
        _paused.pop().release()


os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_go_on)
