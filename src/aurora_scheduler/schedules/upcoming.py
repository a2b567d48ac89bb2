"""Single times that are seen from now: `tomorrow at noon`, `next monday at 10am`, `on december 25 at 9am`, `at 18:00`.

Each becomes a date and a time, in words that mean the same on another day. `on friday` is the nearest Friday whose
time is still to come, and may be today; `next friday` is the nearest after today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import MAXYEAR, date, datetime, time, timedelta

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import aware
from aurora_scheduler.schedules.base import Reading
from aurora_scheduler.schedules.daytimes import begins_time, read_time_of_day
from aurora_scheduler.schedules.names import MONTHS
from aurora_scheduler.schedules.once import Once, once_at
from aurora_scheduler.schedules.phrase import read_date, read_weekdays
from aurora_scheduler.schedules.words import Words

__all__ = ["FIRST_WORDS", "read_upcoming"]

#: The words that such a time begins with.
FIRST_WORDS = ("today", "tomorrow", "next", "this", "on", "at")


def read_upcoming(words: Words, reading: Reading) -> Once:
    """The single time that is said. Raises `Misspoken`, and `ScheduleError` for a time that is past.

    >>> from zoneinfo import ZoneInfo
    >>> read_upcoming(Words("tomorrow at 3pm"), Reading(ZoneInfo("UTC"))).text
    '1970-01-02 15:00:00'
    """
    today = aware(reading.present, reading.zone).date()
    of_day = None
    if words.accept("at"):
        of_day = read_time_of_day(words)
        if words.peek() == "and":
            words.fail('several times a day go with "every"')
    days = _days(words, today) if of_day is None or words.peek() else _from(today)
    if of_day is None:
        if not words.accept("at") and not begins_time(words):
            words.fail("a time of the day is missing", "at 09:00")
        of_day = read_time_of_day(words)
    words.expect_end()
    return _first_to_come(words.text, days, of_day, reading)


def _first_to_come(text: str, days: Iterator[date], of_day: int, reading: Reading) -> Once:
    """The first of the days on which that time is still to come; if there is none, the last, which is past."""
    candidate = None
    for day in days:
        wall = datetime.combine(day, time()) + timedelta(microseconds=of_day)
        candidate = once_at(wall, reading)
        if candidate.instant > reading.present:
            break
    if candidate is None:
        raise ScheduleError(text, "there is no such day any more up to the year 9999", accepted="an earlier day")
    reading.refuse_unreachable(text, candidate.instant)
    return candidate


def _days(words: Words, today: date) -> Iterator[date]:
    """The days that are meant, the nearest first."""
    word = words.peek()
    if word in ("today", "tomorrow"):
        return iter([_later(today, 0 if words.take() == "today" else 1)])
    if word in MONTHS or word.isdigit():
        return _dates(words, today)
    if word in ("on", "next", "this"):
        words.take()
        if word == "on" and (words.peek() in ("the", *MONTHS) or words.peek().isdigit()):
            return _dates(words, today)
        begin = words.place
        weekdays = read_weekdays(words)
        if len(weekdays) > 1:
            words.fail_back(begin, 'several days go with "every"')
        return _on_weekday(next(iter(weekdays)), _later(today, 1 if word == "next" else 0))
    return words.fail("a day is expected here, like tomorrow or on friday", "tomorrow", "on friday")


def _dates(words: Words, today: date) -> Iterator[date]:
    """`december 25`, `25 december 2030`: of the year that is said, or of every year from now on."""
    begin = words.place
    month, day = read_date(words)
    words.accept(",")
    if words.peek().isdigit() and len(words.peek()) == 4:
        year = int(words.take())
        if not _exists(year, month, day):
            words.fail_back(begin, "there is no such day in that year")
        return iter([date(year, month, day)])
    years = range(today.year, min(today.year + 10, MAXYEAR + 1))
    return (date(year, month, day) for year in years if _exists(year, month, day))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _from(day: date) -> Iterator[date]:
    return (_later(day, days) for days in range(2))


def _on_weekday(weekday: int, first: date) -> Iterator[date]:
    ahead = (weekday - first.isoweekday()) % 7
    return (_later(first, ahead + days) for days in (0, 7))


def _later(day: date, days: int) -> date:
    return day + timedelta(days=days) if day < date.max - timedelta(days=days) else date.max
