"""How many executions may run at once, over all jobs; who is due first gets a slot first.

Who asks a moment before it is due gets one at once while more than half of them are free, else when it is due: so there
is a slot for whoever is due before, and for whoever wants one now.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from aurora_scheduler.engine.alarms import Alarms
from aurora_scheduler.engine.mailbox import Mailbox
from aurora_scheduler.instants import SECOND
from aurora_scheduler.ports import Clock
from aurora_scheduler.rules import is_near

__all__ = ["Place", "Slots"]

#: So many who ask are very many.
_RUSH = 500
#: So many places that were left stay in the queue; with more than that it may be made anew.
_LEFT = 100


class Place:
    """A place in the queue for a slot."""

    __slots__ = ("_grant", "_note_left", "round")

    def __init__(self, grant: Callable[[bool], object], round_: int, note_left: Callable[[], object]) -> None:
        self._grant: Callable[[bool], object] | None = grant
        self._note_left = note_left
        self.round = round_
        """In which round of handing out it was taken."""

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits here, and got no slot yet."""
        return self._grant is not None

    def leave(self) -> None:
        """Nobody waits here any more."""
        if self._grant is not None:
            self._grant = None
            self._note_left()

    def grant(self, waited: bool) -> None:
        """Here is a slot."""
        grant, self._grant = self._grant, None
        assert grant is not None
        grant(waited)


class Slots:
    """A number of slots. A catch-up of thousands of jobs takes them in the order in which they were due.

    They are handed out in rounds: those that ask in the same instant do so in any order, and all of them are in the
    queue before one is served.
    """

    def __init__(self, total: int, mailbox: Mailbox, clock: Clock, alarms: Alarms) -> None:
        self._free = total
        #: So many are not given to anybody ahead of time.
        self._kept = (total + 1) // 2
        self._mailbox = mailbox
        self._clock = clock
        self._alarms = alarms
        #: When the first is due who asked ahead of time and has to wait for that; None: nobody has.
        self._due: int | None = None
        self._queue: list[tuple[int, int, Place]] = []
        self._order = count()
        self._round = 0
        #: How many places in the queue were left.
        self._left = 0
        self._is_called = False
        #: Called when very many ask at the same time, and when one of very many who wait gets a slot.
        self.on_rush: Callable[[], object] | None = None

    def ask(self, due: int, grant: Callable[[bool], object]) -> Place:
        """Have `grant` called with a slot, after those that were due earlier; it hears whether it had to wait."""
        place = Place(grant, self._round, self._note_left)
        heapq.heappush(self._queue, (due, next(self._order), place))
        self._call()
        if len(self._queue) == _RUSH and self.on_rush is not None:
            self.on_rush()
        return place

    def take_anyway(self) -> None:
        """Take a slot for what has begun already, even where none is free: then one more has to be given back."""
        self._free -= 1

    def give_back(self) -> None:
        """The slot is for whoever is due first."""
        self._free += 1
        if self._queue:
            self._call()

    def _call(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._mailbox.put_last(self._hand_out)

    def _hand_out(self) -> None:
        self._is_called = False
        self._round += 1
        now = self._clock.now()
        while self._free > 0 and self._queue:
            due, _, place = self._queue[0]
            if is_near(due, now) and self._free <= self._kept and place.is_wanted:
                self._call_when(due, now)
                break
            heapq.heappop(self._queue)
            if not place.is_wanted:
                self._left -= 1
                continue
            self._free -= 1
            place.grant(place.round < self._round - 1)
            if self.on_rush is not None and len(self._queue) >= _RUSH:
                self.on_rush()

    def _call_when(self, due: int, now: int) -> None:
        if self._due is None or due < self._due:
            self._due = due
            self._alarms.call(self._come_due, (due - now) / SECOND)

    def _come_due(self) -> None:
        self._due = None
        self._call()

    def _note_left(self) -> None:
        """Who waits long is woken, and asks anew, again and again: the places that he has left do not pile up."""
        self._left += 1
        if self._left > _LEFT and 2 * self._left > len(self._queue):
            self._queue = [each for each in self._queue if each[2].is_wanted]
            heapq.heapify(self._queue)
            self._left = 0
