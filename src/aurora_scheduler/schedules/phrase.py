"""Phrases that recur: `every monday and thursday at 8:30`, `every 15 minutes between 09:00 and 17:00 on weekdays`.

A closed grammar: what it does not have is refused. Of a phrase is kept its canonical text, which says the same and is
read the same again. Phrases that name times of the day (`every day at 9am`) mean each wall time once, like a fixed
cron expression; those that count within the day (`every 15 minutes ... on weekdays`, `every hour at :15`) follow real
time, like a wild one.

    phrase   = "every" days "at" times | "every" amount within | "every hour at" minutes within
    days     = "day" | "weekday" | "weekend" | weekdays | "week on" weekdays | nths weekday "of the month"
             | "month on" monthdays | ["year on"] month day
    weekdays = weekday ["to" weekday], as a list
    within   = ["between" time "and" time] ["on" weekdays | "on weekdays" | "on weekends"]

Besides there are a few more ways of saying the same, all of which lead to one canonical text: `on mondays at 9am`, `at
9am every monday`, `the first monday of every month at 9am`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.amounts import UNITS, begins_amount, read_amount
from aurora_scheduler.schedules.base import Reading
from aurora_scheduler.schedules.calendar import Calendar
from aurora_scheduler.schedules.daytimes import begins_time, read_time_of_day, read_times
from aurora_scheduler.schedules.names import (
    LAST_OF_MONTH,
    MONTH_NAMES,
    MONTHS,
    ORDINAL_ENDINGS,
    ORDINALS,
    WEEKDAY_NAMES,
    WEEKDAYS,
    clock_text,
    joined,
    ordinal,
)
from aurora_scheduler.schedules.pattern import Days, Pattern, is_between
from aurora_scheduler.schedules.words import Words
from aurora_scheduler.schedules.zones import DAY

__all__ = ["Phrase", "read_date", "read_phrase", "read_weekdays"]

_MINUTE, _HOUR = 60 * SECOND, 3_600 * SECOND
_ALL_WEEKDAYS, _WEEKDAY, _WEEKEND = frozenset(range(7)), frozenset(range(1, 6)), frozenset({0, 6})
_ALL_MONTHS = frozenset(range(1, 13))
#: Longest month, leap years counted.
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NTHS = {number: word for word, number in ORDINALS.items()}
_WHOLE_DAY = (0, DAY - SECOND)
_SINGLE = ("1 hour", "1 minute", "1 second")
_DAY_WORDS = ("day", "weekday", "weekend", "monday", "month", "year", "hour")


@dataclass(frozen=True, slots=True)
class Phrase(Calendar):
    """A phrase in a time zone."""

    @property
    def kind(self) -> ScheduleType:
        """Phrase."""
        return ScheduleType.PHRASE


@dataclass(frozen=True, slots=True)
class _Said:
    """A part of a phrase: which days, and the canonical words for them."""

    text: str
    days: Days
    months: frozenset[int] = _ALL_MONTHS


def _days(numbers: Iterable[int] = (), weekdays: Iterable[int] = (), nth: Iterable[tuple[int, int]] = ()) -> Days:
    """Days by number (`LAST_OF_MONTH` is one), by weekday, by weekday and its number in the month."""
    given = set(numbers)
    last = LAST_OF_MONTH in given
    return Days(frozenset(given - {LAST_OF_MONTH}), last, frozenset(weekdays), frozenset(nth), both=False)


def read_phrase(words: Words, reading: Reading, times: tuple[int, ...] = ()) -> Phrase:
    """The schedule of a phrase, after the word "every"; `times` are those that were said before it. Raises `Misspoken`.

    >>> from zoneinfo import ZoneInfo
    >>> read_phrase(Words("mon, thu at 8:30"), Reading(ZoneInfo("UTC"))).text
    'every monday and thursday at 08:30'
    """
    if not times and _counts_within_the_day(words):
        text, found, said = _within_the_day(words)
        wild = True
    else:
        said = _read_days(words)
        found, wild = times or _at_times(words), False
        text = f"every {said.text} at {joined(map(clock_text, found))}"
        words.expect_end()
    return Phrase(text, reading.zone, Pattern(found, said.months, said.days), wild, since=reading.present)


# Days. --------------------------------------------------------------------------------------------------------------


def _read_days(words: Words) -> _Said:
    word = words.peek()
    readers: tuple[tuple[bool, Callable[[Words], _Said]], ...] = (
        (_names_weekday(word), _by_weekday),
        (word in ("day", "weekday", "weekdays", "weekend", "weekends"), _by_kind_of_day),
        (word in MONTHS or _names_date(words), _by_date),
        (word in ORDINALS or words.peek(1) in ORDINAL_ENDINGS, _by_place_in_month),
        (word == "week", _by_day_of_week),
        (word == "month", _by_day_of_month),
        (word == "year", _by_day_of_year),
    )
    read = next((read for mine, read in readers if mine), None)
    if read is not None:
        return read(words)
    if not word:
        words.fail("what comes again is missing, like a day or an amount of time", "5 minutes")
    if word == "other":
        words.fail('every other one is counted, as in "every 2 days"', "2")
    return words.fail(f"{word!r} is not a day, a weekday or a unit of time", *_DAY_WORDS)


def _by_kind_of_day(words: Words) -> _Said:
    return _weekdays_said(
        {"day": _ALL_WEEKDAYS, "weekday": _WEEKDAY, "weekend": _WEEKEND}[words.take().removesuffix("s")]
    )


def _by_weekday(words: Words) -> _Said:
    return _weekdays_said(read_weekdays(words))


def _by_day_of_week(words: Words) -> _Said:
    """`week on monday and thursday`."""
    words.take()
    if not words.accept("on"):
        words.fail('which day of the week is missing: "on monday"', "on monday")
    return _by_weekday(words)


def read_weekdays(words: Words) -> frozenset[int]:
    """The days of the week that come next: one or several, or from one to another. Raises `Misspoken`.

    >>> sorted(read_weekdays(Words("friday to sunday and tue")))
    [0, 2, 5, 6]
    """
    found: set[int] = set()
    goes_on = True
    while goes_on:
        first = last = _weekday(words)
        if words.accept("to", "through", "-"):
            last = _weekday(words)
        found.update((first + number) % 7 for number in range((last - first) % 7 + 1))
        goes_on = _list_goes_on(words)
    return frozenset(found)


def _weekday(words: Words) -> int:
    word = words.peek()
    if not _names_weekday(word):
        words.fail(f"{word!r} is not a day of the week" if word else "a day of the week is missing", "monday", "friday")
    words.take()
    return WEEKDAYS[word if word in WEEKDAYS else word.removesuffix("s")]


def _names_weekday(word: str) -> bool:
    return word in WEEKDAYS or word.removesuffix("s") in WEEKDAYS


def _weekdays_said(weekdays: frozenset[int]) -> _Said:
    kinds = {_ALL_WEEKDAYS: "day", _WEEKDAY: "weekday", _WEEKEND: "weekend"}
    text = kinds.get(weekdays) or joined(WEEKDAY_NAMES[day].lower() for day in _from_monday(weekdays))
    return _Said(text, _days(weekdays=weekdays))


def _from_monday(weekdays: Iterable[int]) -> list[int]:
    return sorted(weekdays, key=lambda day: day or 7)


def _by_place_in_month(words: Words) -> _Said:
    """`first and third monday of the month`, `last day of the month`, `1st of the month`."""
    said = _by_places(words)
    if not words.accept("of"):
        words.fail('"of the month" is expected here', "of the month")
    words.accept("the", "every", "each")
    if not words.accept("month"):
        words.fail('"of the month" is expected here', "month")
    return said


def _by_day_of_month(words: Words) -> _Said:
    """`month on the 1st, 15th and last day`, `month on the first monday`."""
    words.take()
    if not words.accept("on"):
        words.fail('which day of the month is missing: "on the 1st", "on the last day"', "on the 1st")
    return _by_places(words)


def _by_places(words: Words) -> _Said:
    """Places in a month, and what is counted: days, or one day of the week."""
    begin, places = words.place, {_place(words)}
    while _list_goes_on(words):
        places.add(_place(words))
    if not _names_weekday(words.peek()):
        days = [ordinal(number) for number in sorted(places - {LAST_OF_MONTH})]
        last = ["last day"] if LAST_OF_MONTH in places else []
        return _Said(f"month on the {joined(days + last)}", _days(numbers=places))
    weekday = _weekday(words)
    name = WEEKDAY_NAMES[weekday]
    if max(places) > 5:
        words.fail_back(begin, f"no month has a {ordinal(max(places))} {name}")
    in_order = sorted(places, key=lambda place: place if place > 0 else 9)
    text = f"{joined(_NTHS[place] for place in in_order)} {name.lower()} of the month"
    return _Said(text, _days(nth=((weekday, place) for place in places)))


def _place(words: Words) -> int:
    """`first`, `2nd`, `the last day`, `day 15`."""
    words.accept("the")
    if words.peek() in ORDINALS:
        place = ORDINALS[words.take()]
        words.accept("day")
        return place
    words.accept("day")
    return _month_day(words)


def _month_day(words: Words, longest: int = 31, month: str = "a month") -> int:
    """`1st`, `15`."""
    if not words.peek().isdigit():
        words.fail("a day of the month is expected here, like the 1st or the last day", "1st")
    begin = words.place
    digits = words.take()
    words.accept(*ORDINAL_ENDINGS)
    if len(digits) > 2 or not 1 <= int(digits) <= longest:
        words.fail_back(begin, f"the days of {month} are 1 to {longest}", ordinal(longest))
    return int(digits)


def _by_day_of_year(words: Words) -> _Said:
    """`year on december 25`."""
    words.take()
    if not words.accept("on"):
        words.fail('which day of the year is missing: "on december 25"', "on december 25")
    return _by_date(words)


def _by_date(words: Words) -> _Said:
    """`december 25`, `25th of december`."""
    month, day = read_date(words)
    text = f"year on {MONTH_NAMES[month - 1].lower()} {day}"
    return _Said(text, _days(numbers=[day]), frozenset({month}))


def _names_date(words: Words) -> bool:
    """Whether a number and a month come next."""
    ahead = 1 + (words.peek(1) in ORDINAL_ENDINGS)
    return words.peek().isdigit() and words.peek(ahead + (words.peek(ahead) == "of")) in MONTHS


def read_date(words: Words) -> tuple[int, int]:
    """The month and the day that come next: `december 25th`, `25 december`, `the 25th of december`."""
    words.accept("the")
    if words.peek().isdigit():
        place = words.place
        _month_day(words)
        words.accept("of")
        month = _month(words)
        after = words.place
        words.go_to(place)
        day = _month_day(words, _LENGTHS[month - 1], MONTH_NAMES[month - 1])
        words.go_to(after)
        return month, day
    month = _month(words)
    words.accept("the")
    return month, _month_day(words, _LENGTHS[month - 1], MONTH_NAMES[month - 1])


def _month(words: Words) -> int:
    word = words.peek()
    if word not in MONTHS:
        words.fail(f"{word!r} is not a month" if word else "a month is missing", "january", "december")
    return MONTHS[words.take()]


def _list_goes_on(words: Words) -> bool:
    """Whether another item follows; takes the comma or "and" before it."""
    if words.peek() == "," and words.peek(1) == "at":
        return False
    goes_on = bool(words.accept(","))
    return bool(words.accept("and")) or goes_on


def _at_times(words: Words) -> tuple[int, ...]:
    words.accept(",")
    if not words.accept("at") and not begins_time(words):
        words.fail("a time of the day is missing" if not words.peek() else '"at" and a time are expected', "at 09:00")
    return read_times(words)


# Within the day. ----------------------------------------------------------------------------------------------------


def _counts_within_the_day(words: Words) -> bool:
    if words.peek(1) in ORDINAL_ENDINGS or _names_date(words):
        return False
    if words.peek() == "second" and (words.peek(1) in ("day", "and", ",") or _names_weekday(words.peek(1))):
        return False
    return begins_amount(words) or UNITS.get(words.peek()) in ("hour", "minute", "second")


def _within_the_day(words: Words) -> tuple[str, tuple[int, ...], _Said]:
    """`15 minutes between 09:00 and 17:00 on weekdays`, `hour at :15 on weekends`: text, times, days."""
    begin = words.place
    if words.peek() in ("hour", "minute", "second"):
        amount = f"1 {words.peek()}"
        period = read_amount(Words(f"1 {words.take()}"))[1]
    else:
        amount, period = read_amount(words)
    if period >= DAY:
        words.fail_back(begin, "amounts of a day and more have no times of the day; those go with days by name", "day")
    minutes: tuple[int, ...] = ()
    if period == _HOUR and words.peek() == "on" and words.peek(1) == "the" and words.peek(2) == "hour":
        minutes = (0,)
        words.go_to(words.place + 3)
    elif words.peek() == "at":
        if period != _HOUR:
            words.fail_back(begin, "minutes past the hour go with every hour", "hour")
        words.take()
        minutes = _minutes_past(words)
    (first, last), said = _within(words)
    words.expect_end()
    if minutes:
        hourly = [hour * _HOUR + minute for hour in range(24) for minute in minutes]
        times = [time for time in hourly if is_between(time, first, last)]
        text = f"hour at {joined(f':{minute // _MINUTE:02}' for minute in minutes)}"
    else:
        end = last if first <= last else last + DAY
        times = sorted(time % DAY for time in range(first, end + 1, period))
        text = amount.removeprefix("1 ") if amount in _SINGLE else amount
    if not times:
        words.fail_back(begin, "no such time is between these two")
    if (first, last) != _WHOLE_DAY:
        text += f" between {clock_text(first)} and {clock_text(last)}"
    if said.days.weekdays != _ALL_WEEKDAYS:
        if first > last:
            words.fail_back(begin, "between two times with midnight between them goes without days")
        text += f" on {said.text}{'s' if said.text in ('weekday', 'weekend') else ''}"
    return f"every {text}", tuple(times), said


def _within(words: Words) -> tuple[tuple[int, int], _Said]:
    """`between 9am and 5pm on weekdays`, either part or none, in either order."""
    window, weekdays = _WHOLE_DAY, _ALL_WEEKDAYS
    for _ in range(2):
        if words.peek() in ("between", "from") and window == _WHOLE_DAY:
            window = _between(words)
        elif words.peek() == "on" and weekdays == _ALL_WEEKDAYS:
            words.take()
            weekdays = _on_weekdays(words)
    return window, _weekdays_said(weekdays)


def _minutes_past(words: Words) -> tuple[int, ...]:
    """`:15 and :45`: microseconds past the hour."""
    found = [_minute_past(words)]
    while words.peek(1) == ":" or words.peek() in (",", "and"):
        words.accept(",")
        words.accept("and")
        found.append(_minute_past(words))
    return tuple(sorted(set(found)))


def _minute_past(words: Words) -> int:
    begin = words.place
    if not words.accept(":"):
        words.fail("minutes past the hour are said like :15", ":15")
    digits = words.take() if words.peek().isdigit() else ""
    if len(digits) != 2 or int(digits) > 59:
        words.fail_back(begin, "minutes past the hour are :00 to :59", ":15")
    return int(digits) * _MINUTE


def _between(words: Words) -> tuple[int, int]:
    """The first and the last time of a window, both in it."""
    until = "and" if words.take() == "between" else "to"
    begin = words.place
    first = read_time_of_day(words)
    if not words.accept(until):
        words.fail(f'"{until}" and a time of the day are expected here', f"{until} 17:00")
    last = read_time_of_day(words)
    if first == last:
        words.fail_back(begin, "a window needs two different times")
    return first, last


def _on_weekdays(words: Words) -> frozenset[int]:
    if words.peek() in ("weekday", "weekdays", "weekend", "weekends"):
        return {"weekday": _WEEKDAY, "weekend": _WEEKEND}[words.take().removesuffix("s")]
    return read_weekdays(words)
