"""Which of the tasks that can go on in one instant goes first: drawn from a seed, so that it is the same each time.

Trio draws it by chance, from one source for all threads; its Hypothesis plugin has a switch for drawing it in a
reproducible way. A simulation's thread gets a source of its own, so that an application's loop, which may be a Trio one
in another thread, does not draw from it. And it draws for each task by itself: when exactly a call from another thread
arrives must not change the order of the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import trio
from trio._core import _run  # pyright: ignore[reportPrivateUsage]  # the switch has no public name

from aurora_scheduler.clock import seeded

__all__ = ["ordered_by"]

_MASK = (1 << 64) - 1


class _Draw:
    """The source of chance of one run: each task is drawn a place for each of its steps, from the seed alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed * 0x9E3779B97F4A7C15
        self._other = seeded(seed)
        #: Of each task: the how-many-eth of the run it is, and how often it was drawn for.
        self._known: WeakKeyDictionary[trio.lowlevel.Task, list[int]] = WeakKeyDictionary()
        self._tasks = 0

    def shuffle(self, batch: list[trio.lowlevel.Task]) -> None:
        """Put the tasks, which come in the order in which they were spawned, in the order in which they go on."""
        places = list(map(self._place, batch))  # also of one alone: each of its steps counts
        if len(batch) > 1:
            ordered = sorted(zip(places, batch, strict=True), key=lambda pair: pair[0])
            batch[:] = [task for _, task in ordered]

    def _place(self, task: trio.lowlevel.Task) -> int:
        known = self._known.get(task)
        if known is None:
            self._tasks += 1
            known = self._known[task] = [self._tasks, 0]
        known[1] += 1
        place = (self._seed + known[0] * 0xBF58476D1CE4E5B9 + known[1] * 0x94D049BB133111EB) & _MASK
        place = ((place ^ (place >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        place = ((place ^ (place >> 27)) * 0x94D049BB133111EB) & _MASK
        return place ^ (place >> 31)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


class _ByThread:
    """Stands in for Trio's source of chance, and passes everything on to it but in threads that have their own."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared
        self.own = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self.own, "draw", self._shared), name)


_installing = threading.Lock()


@contextmanager
def ordered_by(seed: int) -> Generator[None]:
    """Within, Trio runs of this thread draw the order of tasks from `seed`."""
    chance: Any
    with _installing:
        chance = _run._r  # pyright: ignore[reportPrivateUsage]
        if not isinstance(chance, _ByThread):
            chance = _run._r = _ByThread(chance)  # type: ignore[assignment]
        _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    chance.own.draw = _Draw(seed)
    try:
        yield
    finally:
        del chance.own.draw
