"""Schedules of the calendar: a pattern of wall times laid over a zone's stretches of time.

What daylight saving means for a pattern is told in `zones`: each stretch says from which wall time on a schedule reads
there. A firing of a stretch is the instant of a wall time, or the stretch's beginning, where the wall time fell into
the gap before it; several such are one firing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aurora_scheduler.instants import FIRST, LAST
from aurora_scheduler.schedules.base import Oddity, Schedule
from aurora_scheduler.schedules.describing import in_words
from aurora_scheduler.schedules.oddities import oddity_of_firing, oddity_of_turn
from aurora_scheduler.schedules.pattern import Pattern
from aurora_scheduler.schedules.zones import DAY, Stretch, stretch_at, turns

__all__ = ["Calendar"]

#: A search ends here. The rarest dates, a 29th of February on a given weekday, are at most 40 years apart; the rest is
#: for those that fall into a gap. What has not fired by then never will.
_FAR = 100 * 366 * DAY
#: No turn moves a clock by as much: a wall time so far ahead is not reached sooner, one so far behind not again.
_ANY_TURN = 2 * DAY


@dataclass(frozen=True, slots=True)
class Calendar(Schedule):
    """Wall times in a time zone.

    Attributes:
        pattern: the wall times.
        wild: whether it follows real time through turns of the clock; otherwise each wall time counts once.
    """

    pattern: Pattern
    wild: bool

    def next_instant(self, after: int) -> int | None:
        """The first firing strictly after `after`, or None if there is none up to the year 9999."""
        instant = max(after + 1, FIRST)
        limit = min(LAST, instant + _FAR)
        while instant <= limit:
            stretch = stretch_at(self.zone, instant)
            reads_from = self._reads_from(stretch)
            if instant > stretch.begin:
                reads_from = max(reads_from, instant + stretch.offset)
            wall = self.pattern.at_or_after(reads_from)
            if wall is None:
                return None
            if wall < stretch.end + stretch.offset:
                found = max(stretch.begin, wall - stretch.offset)
                return found if found <= LAST else None
            far = wall - stretch.offset - _ANY_TURN
            # A turn back that is near could show wall times again that were left behind; a later one cannot.
            instant = far if stretch.end - instant >= _ANY_TURN and far > stretch.end else stretch.end
        return None

    def previous_instant(self, before: int) -> int | None:
        """The last firing strictly before `before`, or None if there is none since the year 1."""
        instant = min(before - 1, LAST)
        limit = max(FIRST, instant - _FAR)
        while instant >= limit:
            stretch = stretch_at(self.zone, instant)
            wall = self.pattern.before(instant + stretch.offset + 1)
            if wall is None:
                return None
            if wall >= self._reads_from(stretch):
                found = max(stretch.begin, wall - stretch.offset)
                return found if found >= FIRST else None
            far = wall - stretch.offset + _ANY_TURN
            # The mirror image: before a turn back that is near the clock had shown later times than now.
            near = instant - stretch.begin < _ANY_TURN
            instant = stretch.begin - 1 if near or far >= stretch.begin else far
        return None

    def count(self, after: int, until: int) -> int:
        """How many firings there are strictly after `after` and not later than `until`."""
        total, instant = 0, max(after + 1, FIRST)
        end = min(until, LAST) + 1
        while instant < end:
            stretch = stretch_at(self.zone, instant)
            reads_from, now = self._reads_from(stretch), instant + stretch.offset
            if instant == stretch.begin and reads_from <= now:
                # What was missed in a gap, and what is due at its end, are one firing together.
                total += min(self.pattern.count(reads_from, now + 1), 1)
                now += 1
            total += self.pattern.count(max(reads_from, now), min(stretch.end, end) + stretch.offset)
            instant = stretch.end
        return total

    def in_words(self) -> str:
        """Its times and days, as in "at 09:00 every Monday"."""
        return in_words(self.pattern)

    def oddities(self, first: int, last: int) -> Iterator[Oddity]:
        """What daylight saving makes of the wall times named between two instants: the next gap, the next overlap."""
        marks: set[str] = set()
        for turn in turns(self.zone, first, last):
            odd = oddity_of_turn(self.pattern, self.zone, turn, wild=self.wild)
            if odd is not None and odd.mark not in marks:
                marks.add(odd.mark)
                yield odd

    def oddity(self, instant: int) -> Oddity | None:
        """What daylight saving makes of a firing."""
        return oddity_of_firing(self.pattern, self.zone, instant, wild=self.wild)

    def _reads_from(self, stretch: Stretch) -> int:
        """The wall time from which the schedule reads in a stretch."""
        return stretch.wild_from if self.wild else stretch.fixed_from
