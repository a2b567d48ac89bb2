"""Cron expressions: from text to a pattern of wall times.

The fields are checked by `cronfields` and expanded by croniter, the search is ours: croniter never sees a time. Where
day of month and day of week are both restricted, either matches; where one of them begins with `*`, both must.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Reading
from aurora_scheduler.schedules.calendar import Calendar
from aurora_scheduler.schedules.cronfields import EXPRESSIONS, Field, fields
from aurora_scheduler.schedules.pattern import Days, Pattern

__all__ = ["Cron", "read_cron"]

_MINUTE = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Cron(Calendar):
    """A cron expression in a time zone."""

    @property
    def kind(self) -> ScheduleType:
        """Cron."""
        return ScheduleType.CRON


def read_cron(text: str, reading: Reading) -> Cron:
    """The schedule of a cron expression. Raises `ScheduleError`, with the part at fault and a hint.

    >>> from zoneinfo import ZoneInfo
    >>> monday = read_cron("0 9 * * mon", Reading(ZoneInfo("UTC")))
    >>> monday.next_instant(0) == (4 * 24 + 9) * 60 * _MINUTE  # 1970-01-05 09:00
    True
    """
    pattern, wild = _expression(text)
    return Cron(text, reading.zone, pattern, wild, since=reading.present)


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
    from croniter import croniter  # not before somebody says a cron expression: it takes longer than all of ours

    expanded = cast("list[list[Any]]", croniter.expand(" ".join(alone))[0])[index]
    return tuple(_ALL[index]) if "*" in expanded else tuple(sorted(int(value) for value in expanded))
