"""Cron expressions: from text to a pattern, and the pattern laid over a zone's stretches of time.

The fields are checked by `cronfields` and expanded by croniter, the search is ours: croniter never sees a time. Where
day of month and day of week are both restricted, either matches; where one of them begins with `*`, both must. What
daylight saving means for a pattern is told in `zones`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from croniter import croniter

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import FIRST, LAST, SECOND
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Reading, Schedule
from aurora_scheduler.schedules.cronfields import EXPRESSIONS, Field, fields
from aurora_scheduler.schedules.pattern import Days, Pattern
from aurora_scheduler.schedules.zones import DAY, Stretch, stretch_at

__all__ = ["Cron", "read_cron"]

_MINUTE = 60 * SECOND
#: The search ends here. The rarest dates, a 29th of February on a given weekday, are at most 40 years apart; the rest
#: is for those that fall into a gap. What has not fired by then never will.
_FAR = 100 * 366 * DAY
#: No turn moves a clock by as much: a wall time so far ahead is not reached sooner, one so far behind not again.
_ANY_TURN = 2 * DAY


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """A cron expression in a time zone.

    Attributes:
        pattern: the wall times it names.
        wild: whether it follows real time through turns of the clock; otherwise each wall time counts once.
    """

    pattern: Pattern
    wild: bool

    @property
    def kind(self) -> ScheduleType:
        """Cron."""
        return ScheduleType.CRON

    def next_instant(self, after: int) -> int | None:
        """The first firing strictly after `after`, or None if there is none up to the year 9999."""
        instant = max(after + 1, FIRST)
        limit = min(LAST, instant + _FAR)
        while instant <= limit:
            stretch = stretch_at(self.zone, instant)
            wall = self.pattern.at_or_after(self._reads_from(stretch, instant))
            if wall is None:
                return None
            if wall < stretch.end + stretch.offset:
                found = max(stretch.begin, wall - stretch.offset)
                return found if found <= LAST else None
            far = wall - stretch.offset - _ANY_TURN
            # A turn back that is near could show wall times again that were left behind; a later one cannot.
            instant = far if stretch.end - instant >= _ANY_TURN and far > stretch.end else stretch.end
        return None

    def span(self, first: int, until: int) -> tuple[int, int]:
        """The last firing that is not later than `until`, and how many there are from `first` to that one."""
        last, total, instant = first, 0, first
        end = min(until, LAST) + 1
        while instant < end:
            stretch = stretch_at(self.zone, instant)
            reads_from = self._reads_from(stretch, instant)
            reads_to = min(stretch.end, end) + stretch.offset
            count = self._count(reads_from, instant + stretch.offset, reads_to)
            if count:
                total += count
                last = max(stretch.begin, self.pattern.before(reads_to) - stretch.offset)
            instant = stretch.end
        return last, total

    def _reads_from(self, stretch: Stretch, instant: int) -> int:
        """The wall time from which the schedule reads on, at an instant of the stretch."""
        start = stretch.wild_from if self.wild else stretch.fixed_from
        return start if instant == stretch.begin else max(start, instant + stretch.offset)

    def _count(self, reads_from: int, wall: int, reads_to: int) -> int:
        """How many firings: wall times up to and including `wall`, the present one, are one firing together."""
        if reads_from >= wall:
            return self.pattern.count(reads_from, reads_to)
        now = min(self.pattern.count(reads_from, wall + 1), 1)
        return now + self.pattern.count(wall + 1, reads_to)


def read_cron(text: str, reading: Reading) -> Cron:
    """The schedule of a cron expression. Raises `ScheduleError`, with the part at fault and a hint.

    >>> from zoneinfo import ZoneInfo
    >>> monday = read_cron("0 9 * * mon", Reading(ZoneInfo("UTC")))
    >>> monday.next_instant(0) == (4 * 24 + 9) * 60 * _MINUTE  # 1970-01-05 09:00
    True
    """
    pattern, wild = _expression(text)
    return Cron(text, reading.zone, pattern, wild)


@lru_cache(maxsize=4096)
def _expression(text: str) -> tuple[Pattern, bool]:
    """The pattern of an expression, and whether it is wild."""
    checked = fields(text)
    minute, hour, day, _, weekday = checked
    minutes, hours, days, months, weekdays = _expanded(text, checked)
    pattern = Pattern(
        times=tuple((hour * 60 + minute) * _MINUTE for hour in hours for minute in minutes),
        months=frozenset(months),
        days=Days(
            numbers=frozenset(days),
            last=day.last,
            weekdays=frozenset(weekdays),
            nth=weekday.nth,
            both=day.starred or weekday.starred,
        ),
    )
    if pattern.at_or_after(0) is None:
        raise ScheduleError(
            text,
            "there is no such day in these months, so it would never fire",
            part=" ".join(text.split()[2:]),
            accepted="days of the month that occur, like 28 in February, or L for the last",
        )
    return pattern, minute.starred or hour.starred


#: For each field all its values: what croniter's "*" stands for.
_ALL = (range(60), range(24), range(1, 32), range(1, 13), range(7))


def _expanded(text: str, checked: tuple[Field, ...]) -> list[tuple[int, ...]]:
    """The values of each field's ordinary items, ascending."""
    words = [field.plain or "*" for field in checked]
    try:
        # Each field by itself: expanded together, the two day fields change each other's meaning.
        found = [_values(index, word) for index, word in enumerate(words)]
    except ValueError as error:  # croniter's errors are ValueErrors; the fields were checked, so none should come
        raise ScheduleError(text, str(error), accepted=EXPRESSIONS) from error
    return [values if field.plain else () for values, field in zip(found, checked, strict=True)]


@lru_cache(maxsize=4096)
def _values(index: int, word: str) -> tuple[int, ...]:
    """The values of a word as the field of this index."""
    alone = ["*"] * len(_ALL)
    alone[index] = word
    expanded = cast("list[list[Any]]", croniter.expand(" ".join(alone))[0])[index]
    return tuple(_ALL[index]) if "*" in expanded else tuple(sorted(int(value) for value in expanded))
