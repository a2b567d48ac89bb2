"""Limits on any schedule: days on which it does not fire, and a part of the day in which alone it does.

A schedule of the calendar is limited by the wall times it names, an interval by what the clock shows when it fires.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from aurora_scheduler.instants import FIRST, LAST
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Oddity, Schedule
from aurora_scheduler.schedules.calendar import Calendar
from aurora_scheduler.schedules.describing import listed
from aurora_scheduler.schedules.names import clock_text
from aurora_scheduler.schedules.pattern import is_between
from aurora_scheduler.schedules.zones import DAY, instant_of_wall, stretch_at

__all__ = ["Limited", "excluded_fires", "limited"]

_EPOCH = date(1970, 1, 1)
#: Each look skips a day at least. What has not fired after so many is taken never to.
_MOST_LOOKS = 4_000


@dataclass(frozen=True, slots=True)
class Limited(Schedule):
    """A schedule within limits.

    Attributes:
        inner: the schedule without them.
        excluded: the days on which it does not fire, ascending, in days since 1970-01-01.
        between: the first and the last time of the day at which it fires, in microseconds; after midnight, where the
            first is later than the last. None: the whole day.
    """

    inner: Schedule
    excluded: tuple[int, ...] = ()
    between: tuple[int, int] | None = None

    @property
    def kind(self) -> ScheduleType:
        """As without limits."""
        return self.inner.kind

    def next_instant(self, after: int) -> int | None:
        """The first firing strictly after `after`; None also where there is none within some years."""
        for _ in range(_MOST_LOOKS):
            instant = self.inner.next_instant(after)
            if instant is None:
                return None
            opens = self._opens(instant)
            if opens == instant:
                return instant
            after = opens - 1
        return None

    def previous_instant(self, before: int) -> int | None:
        """The last firing strictly before `before`; None also where there is none within some years."""
        for _ in range(_MOST_LOOKS):
            instant = self.inner.previous_instant(before)
            if instant is None:
                return None
            closes = self._closes(instant)
            if closes == instant:
                return instant
            before = closes + 1
        return None

    def count(self, after: int, until: int) -> int:
        """How many firings there are strictly after `after` and not later than `until`: one look an open stretch."""
        total, until = 0, min(until, LAST)
        opens = self._opens(max(after + 1, FIRST))
        while opens <= until:
            closed = min(self._closed_from(opens), until + 1)
            total += self.inner.count(opens - 1, closed - 1)
            opens = self._opens(closed)
        return total

    def in_words(self) -> str:
        """The schedule's words, and its limits."""
        within = "" if self.between is None else f", only between {' and '.join(map(clock_text, self.between))}"
        days = [str(_EPOCH + timedelta(days=day)) for day in self.excluded]
        return f"{self.inner.in_words()}{within}{f', not on {listed(days)}' if days else ''}"

    def oddities(self, first: int, last: int) -> Iterator[Oddity]:
        """As without limits."""
        return self.inner.oddities(first, last)

    def oddity(self, instant: int) -> Oddity | None:
        """What is odd about a firing, or about an instant that would be one on another day."""
        day = self.day_of(instant)
        if self._is_excluded(day):
            return Oddity("excluded", f"{_EPOCH + timedelta(days=day)} is excluded: no firing")
        return self.inner.oddity(instant)

    def day_of(self, instant: int) -> int:
        """The day, since 1970-01-01, that the calendar on the wall shows at an instant."""
        return (instant + stretch_at(self.zone, instant).offset) // DAY

    def _is_excluded(self, day: int) -> bool:
        index = bisect_left(self.excluded, day)
        return index < len(self.excluded) and self.excluded[index] == day

    def _opens(self, instant: int) -> int:
        """The first instant from this one on at which the schedule may fire."""
        while instant <= LAST:
            stretch = stretch_at(self.zone, instant)
            day, time = divmod(instant + stretch.offset, DAY)
            first, last = self.between or (0, DAY - 1)
            if self._is_excluded(day):
                wall = (day + 1) * DAY
            elif is_between(time, first, last):
                return instant
            else:
                wall = (day if time < first else day + 1) * DAY + first
            # Where the clock is turned first, look again from the turn on.
            instant = min(wall - stretch.offset, stretch.end)
        return instant

    def _closes(self, instant: int) -> int:
        """The last instant up to this one at which the schedule may fire."""
        while instant >= FIRST:
            stretch = stretch_at(self.zone, instant)
            day, time = divmod(instant + stretch.offset, DAY)
            first, last = self.between or (0, DAY - 1)
            if self._is_excluded(day):
                wall = day * DAY - 1
            elif is_between(time, first, last):
                return instant
            else:
                wall = (day if time > last else day - 1) * DAY + last
            instant = max(wall - stretch.offset, stretch.begin - 1)
        return instant

    def _closed_from(self, opens: int) -> int:
        """The first instant after `opens`, when the schedule may fire, at which it may not, or may be asked anew."""
        stretch = stretch_at(self.zone, opens)
        day, time = divmod(opens + stretch.offset, DAY)
        if self.between is None:
            index = bisect_left(self.excluded, day)
            wall = self.excluded[index] * DAY if index < len(self.excluded) else stretch.end + stretch.offset
        else:
            last = self.between[1]
            wall = day * DAY + (last + 1 if time <= last else DAY)
        return min(wall - stretch.offset, stretch.end)


def excluded_fires(schedule: Schedule, after: int, until: int | None) -> list[int]:
    """The first firing of each excluded day that would come strictly after `after`, none later than `until`."""
    if not isinstance(schedule, Limited):
        return []
    found: list[int] = []
    for day in schedule.excluded:
        midnight = datetime.combine(_EPOCH + timedelta(days=day), time())
        instant = schedule.inner.next_instant(max(after, instant_of_wall(midnight, schedule.zone) - 1))
        if instant is None or (until is not None and instant > until):
            break
        if schedule.day_of(instant) == day:
            found.append(instant)
    return found


def limited(schedule: Schedule, excluded: tuple[str, ...], between: tuple[int, int] | None) -> Schedule:
    """The schedule within its limits: excluded days as ISO dates, and the first and last time of the day.

    >>> from aurora_scheduler.schedules import parse_schedule
    >>> limited(parse_schedule("0 9 * * *"), ("1970-01-01",), None).next_instant(0) // 3_600_000_000
    33
    """
    if between is not None and isinstance(schedule, Calendar):
        times = tuple(time for time in schedule.pattern.times if is_between(time, *between))
        schedule, between = replace(schedule, pattern=replace(schedule.pattern, times=times)), None
    if not excluded and between is None:
        return schedule
    days = tuple(sorted((date.fromisoformat(day) - _EPOCH).days for day in excluded))
    return Limited(schedule.text, schedule.zone, schedule, days, between, since=schedule.since)
