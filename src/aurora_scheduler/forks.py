"""No fork while a thread of ours holds what a child needs: a lock inside SQLite, or Python's lock on an import.

A forked child inherits such locks as they are at that moment, and the threads that hold them are not there to give
them back: the child would hang at its first query, or import, though it were a scheduler of its own that
asks. So our threads do that work under a lock, and a fork waits until none of them holds one.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakValueDictionary

__all__ = ["NoFork"]


class NoFork:
    """A context in which no other thread forks; for one thread at a time."""

    def __init__(self) -> None:
        # Re-entrant: what is done under it may itself fork, in this thread, and is then the child's to go on with.
        self.lock = threading.RLock()
        _contexts[id(self)] = self

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()


class _Fork(threading.local):
    """One for each thread: several may be about to fork."""

    def __init__(self) -> None:
        self.paused: list[NoFork] = []


_contexts: WeakValueDictionary[int, NoFork] = WeakValueDictionary()
_fork = _Fork()


def _pause() -> None:
    # Each waits while it holds nothing, and then takes all or none: two that fork at once never wait for each other.
    wanted = [context for each in _contexts.valuerefs() if (context := each()) is not None]
    while wanted:
        wanted[0].lock.acquire()
        taken = 1
        while taken < len(wanted) and wanted[taken].lock.acquire(blocking=False):
            taken += 1
        if taken == len(wanted):
            break
        for context in wanted[:taken]:
            context.lock.release()
        wanted = wanted[taken:] + wanted[:taken]
    _fork.paused = wanted


def _go_on() -> None:
    paused, _fork.paused = _fork.paused, []
    for context in paused:
        context.lock.release()


os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_go_on)
