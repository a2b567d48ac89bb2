"""Which wall times a cron expression names: times of the day, on some days of some months.

A calendar without zones: every day has 24 hours here. Wall times are microseconds since 1970-01-01 00:00 on the wall.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Set
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

from aurora_scheduler.schedules.names import LAST_OF_MONTH
from aurora_scheduler.schedules.zones import DAY

__all__ = ["Days", "Pattern", "is_between"]

#: After so many years every date falls on the same weekday again, leap days and all.
_CALENDAR_REPEATS = 400
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Days:
    """Which days of a month match.

    Attributes:
        numbers: days of the month, 1 to 31.
        last: whether the month's last day matches as well.
        weekdays: days of the week, Sunday = 0.
        nth: pairs of a weekday and its number within the month, 1 to 5 or `LAST_OF_MONTH`.
        both: whether day of month and day of week must match, or either.
    """

    numbers: Set[int]
    last: bool
    weekdays: Set[int]
    nth: Set[tuple[int, int]]
    both: bool

    def matches(self, day: int, weekday: int, length: int) -> bool:
        """Whether the day matches that is a `weekday`, in a month of `length` days."""
        by_number = day in self.numbers or (self.last and day == length)
        by_weekday = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth
            or (day + 7 > length and (weekday, LAST_OF_MONTH) in self.nth)
        )
        return (by_number and by_weekday) if self.both else (by_number or by_weekday)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Wall times: each of `times` (microseconds into the day, ascending) on each of `days` in each of `months`."""

    times: tuple[int, ...]
    months: Set[int]
    days: Days

    def at_or_after(self, wall: int) -> int | None:
        """The first wall time of the pattern that is not earlier than `wall`; None: no more up to the year 9999."""
        if not self.times:
            return None
        day, time = divmod(wall, DAY)
        index = bisect_left(self.times, time)
        found = self._day_from(day if index < len(self.times) else day + 1)
        if found is None:
            return None
        return found * DAY + self.times[index if found == day else 0]

    def before(self, wall: int) -> int | None:
        """The last wall time of the pattern that is earlier than `wall`; None: there is none since the year 1."""
        if not self.times:
            return None
        day, time = divmod(wall, DAY)
        index = bisect_left(self.times, time)
        found = self._day_until(day if index else day - 1)
        if found is None:
            return None
        return found * DAY + self.times[index - 1 if found == day else -1]

    def count(self, start: int, end: int) -> int:
        """How many wall times of the pattern lie from `start` to before `end`."""
        if end <= start:
            return 0
        (first, early), (last, late) = divmod(start, DAY), divmod(end, DAY)
        total = 0
        day = self._day_from(first)
        while day is not None and day <= last:
            total += bisect_left(self.times, late) if day == last else len(self.times)
            total -= bisect_left(self.times, early) if day == first else 0
            day = self._day_from(day + 1)
        return total

    def _day_from(self, day: int) -> int | None:
        """The first matching day that is not before `day`, in days since 1970-01-01."""
        start = _date(day)
        if start is None:
            return None
        year, month, number = start.year, start.month, start.day
        while year <= min(start.year + _CALENDAR_REPEATS, MAXYEAR):
            if month in self.months:
                matching = self._matching(year, month)
                index = bisect_left(matching, number)
                if index < len(matching):
                    return _day(year, month, matching[index])
            year, month, number = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
        return None

    def _day_until(self, day: int) -> int | None:
        """The last matching day that is not after `day`, in days since 1970-01-01."""
        start = _date(day)
        if start is None:
            return None
        year, month, number = start.year, start.month, start.day
        while year >= max(start.year - _CALENDAR_REPEATS, MINYEAR):
            if month in self.months:
                matching = self._matching(year, month)
                index = bisect_right(matching, number)
                if index:
                    return _day(year, month, matching[index - 1])
            year, month, number = (year, month - 1, 31) if month > 1 else (year - 1, 12, 31)
        return None

    def _matching(self, year: int, month: int) -> tuple[int, ...]:
        return _matching(self.days, date(year, month, 1).isoweekday() % 7, _length(year, month))


def _date(day: int) -> date | None:
    ordinal = day + _EPOCH
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None


def _day(year: int, month: int, number: int) -> int:
    return date(year, month, number).toordinal() - _EPOCH


def is_between(time: int, first: int, last: int) -> bool:
    """Whether a time of the day lies from `first` to `last`, over midnight where `first` is later.

    >>> is_between(2, 1, 3), is_between(2, 3, 1), is_between(0, 3, 1)
    (True, False, True)
    """
    return first <= time <= last if first <= last else time >= first or time <= last


@lru_cache(maxsize=8192)
def _matching(days: Days, first_weekday: int, length: int) -> tuple[int, ...]:
    """The matching days of a month that begins on `first_weekday`."""
    return tuple(day for day in range(1, length + 1) if days.matches(day, (first_weekday + day - 1) % 7, length))


def _length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
