"""Python's garbage collector, held a moment while thousands of tasks are made, or come due; or kept from what is old.

Each full collection looks at all objects there are, and many objects that come into being are what sets it off: with
ten thousand tasks that is a sixth of the time, with thirty thousand a quarter. What is made then dies without it.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["CollectorHold", "SeldomCollected", "collector_held"]


#: So many objects may be garbage without harm: some tens of megabytes.
_MUCH = 200_000
#: What is new is looked at when there is so much more than there was, rather than two thousand objects.
_MANY_NEW = 100_000
#: After so many collections of what is new, what has outlived one is looked at, rather than after ten.
_SELDOM = 200


class CollectorHold:
    """While it is held nothing is collected, in the whole process: so not for long. Where it was off, it stays off."""

    def __init__(self) -> None:
        self._is_held = False

    def begin(self) -> None:
        """Hold it, unless it is held, or off."""
        if gc.isenabled():
            gc.disable()
            self._is_held = True

    def collect_young(self) -> None:
        """Where much has come into being and not gone since the last time, collect of that, for a longer hold."""
        if self._is_held and gc.get_count()[0] > _MUCH:
            gc.collect(1)

    def end(self) -> None:
        """Let go of it."""
        if self._is_held:
            self._is_held = False
            gc.enable()


class SeldomCollected:
    """While it is begun, what is new is looked at when there is much of it, and what has outlived that very seldom.

    Each look takes as long as there are objects that have come into being since the last one, and have not gone. Where
    the program has said otherwise, or says so meanwhile, that stands.
    """

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None
        self._said = (0, 0, 0)

    def begin(self) -> None:
        """From now on."""
        before = young, middle, old = gc.get_threshold()
        if young > 0 and 0 < middle < _SELDOM:
            self._before, self._said = before, (max(young, _MANY_NEW), _SELDOM, old)
            gc.set_threshold(*self._said)

    def end(self) -> None:
        """As it was before."""
        before, self._before = self._before, None
        if before is not None and gc.get_threshold() == self._said:
            gc.set_threshold(*before)


@contextmanager
def collector_held() -> Generator[None]:
    """Within it nothing is collected."""
    hold = CollectorHold()
    hold.begin()
    try:
        yield
    finally:
        hold.end()
