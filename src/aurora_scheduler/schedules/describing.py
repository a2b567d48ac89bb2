"""A pattern of wall times in plain English: `at 09:00 every Monday`, `every 15 minutes from 09:00 to 17:00`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from aurora_scheduler.instants import SECOND
from aurora_scheduler.schedules.names import (
    LAST_OF_MONTH,
    MONTH_NAMES,
    ORDINALS,
    WEEKDAY_NAMES,
    clock_text,
    joined,
    ordinal,
)
from aurora_scheduler.schedules.pattern import Days, Pattern
from aurora_scheduler.schedules.zones import DAY

__all__ = ["in_words", "listed", "period_in_words"]

_MINUTE, _HOUR = 60 * SECOND, 3_600 * SECOND
#: Lists that are longer are cut short.
_MOST_LISTED = 6
_NTHS = {number: word for word, number in ORDINALS.items()}


def in_words(pattern: Pattern) -> str:
    """The times and the days of a pattern.

    >>> days = Days(frozenset({1}), True, frozenset({1}), frozenset(), both=False)
    >>> in_words(Pattern((9 * _HOUR,), frozenset({1, 7}), days))
    'at 09:00 on the 1st and the last day of January and July, and every Monday in January and July'
    """
    if not pattern.times:
        return "never"
    times, days = _times(pattern.times), _days(pattern.days, pattern.months)
    return times if days == "every day" and times.startswith("every") and " from " not in times else f"{times} {days}"


def listed(words: Sequence[str]) -> str:
    """The words as a list, or the first of them and how many more there are.

    >>> listed("abc"), listed("abcdefgh")
    ('a, b and c', 'a, b, c and 5 more')
    """
    return joined(words if len(words) <= _MOST_LISTED else [*words[:3], f"{len(words) - 3} more"])


def period_in_words(period: int) -> str:
    """A period, as it is said after "every".

    >>> period_in_words(_HOUR), period_in_words(90 * _MINUTE)
    ('hour', '90 minutes')
    """
    for name, length in (("hour", _HOUR), ("minute", _MINUTE), ("second", SECOND)):
        if period % length == 0:
            number = period // length
            return name if number == 1 else f"{number} {name}s"
    raise AssertionError(f"{period} is no whole number of seconds")


def _times(times: Sequence[int]) -> str:
    steps = {later - earlier for earlier, later in pairwise(times)}
    past_every_hour = steps == {_HOUR} and len(times) == 24 and times[0] % _MINUTE == 0 < times[0]
    if len(times) > 2 and len(steps) == 1 and not past_every_hour:
        step = steps.pop()
        round_the_clock = times[0] == 0 and times[-1] + step == DAY
        ends = "" if round_the_clock else f" from {clock_text(times[0])} to {clock_text(times[-1])}"
        return f"every {period_in_words(step)}{ends}"
    return f"at {_minutes_of_hours(times) or listed([clock_text(time) for time in times])}"


def _minutes_of_hours(times: Sequence[int]) -> str:
    """`:00 and :25 past every hour`; "" where the times are few, or are not the same minutes of each of their hours."""
    hours = sorted({time // _HOUR for time in times})
    minutes = sorted({time % _HOUR for time in times})
    if len(times) <= _MOST_LISTED or len(hours) * len(minutes) != len(times) or any(time % _MINUTE for time in times):
        return ""
    past = listed([f":{minute // _MINUTE:02}" for minute in minutes])
    if len(hours) == 24:
        return f"{past} past every hour"
    if len(hours) > 2 and hours[-1] - hours[0] == len(hours) - 1:
        return f"{past} past every hour from {hours[0]:02} to {hours[-1]:02}"
    return f"{past} past the hours {listed([f'{hour:02}' for hour in hours])}"


def _days(days: Days, months: Iterable[int]) -> str:
    by_number, by_weekday = _by_number(days), _by_weekday(days)
    every_month = len(set(months)) == 12
    of = "the month" if every_month else _months(months)
    in_months = "" if every_month else f" in {of}"
    every_number, every_weekday = len(days.numbers) == 31, len(days.weekdays) == 7
    if days.both:
        if every_number and every_weekday:
            return f"every day{in_months}"
        if every_number or every_weekday:
            return f"on {by_number} of {of}" if every_weekday else f"{by_weekday}{in_months}"
        return f"on {by_number} of {of} where that is {_one_of(days)}"
    if every_number or every_weekday:
        return f"every day{in_months}"
    said = [f"on {by_number} of {of}"] if by_number else []
    return ", and ".join([*said, f"{by_weekday}{in_months}"] if by_weekday else said)


def _months(months: Iterable[int]) -> str:
    runs = [[MONTH_NAMES[month - 1] for month in run] for run in _runs(months)]
    return joined(low if low == high else f"{low} to {high}" for low, high in runs)


def _by_number(days: Days) -> str:
    """`the 1st and the last day`; "" where there are none."""
    numbers = sorted(days.numbers)
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    if len(numbers) > _MOST_LISTED and len(steps) == 1 and steps != {1}:
        step = ordinal(steps.pop())
        said = [f"every {step} day from the {ordinal(numbers[0])} to the {ordinal(numbers[-1])}"]
    else:
        runs = [(ordinal(low), ordinal(high)) for low, high in _runs(numbers)]
        said = [f"the {low}" if low == high else f"the {low} to {high}" for low, high in runs]
    return joined([*said, *(["the last day"] if days.last else [])]) if said or days.last else ""


def _by_weekday(days: Days) -> str:
    """`every Monday and Friday`, `on weekdays`, `on the last Friday of the month`; "" where there are none."""
    said = []
    if days.weekdays:
        kinds = {frozenset(range(1, 6)): "on weekdays", frozenset({0, 6}): "on weekends"}
        said.append(kinds.get(frozenset(days.weekdays), f"every {joined(_weekdays(days))}"))
    if days.nth:
        said.append(f"on the {_nths(days)} of the month")
    return ", and ".join(said)


def _one_of(days: Days) -> str:
    """`a Monday, a Friday or the last Sunday`."""
    names = [f"a {name}" for name in _weekdays(days)] + ([f"the {_nths(days)}"] if days.nth else [])
    return joined(names).replace(" and ", " or ")


def _weekdays(days: Days) -> list[str]:
    return [WEEKDAY_NAMES[day] for day in sorted(days.weekdays, key=lambda day: day or 7)]


def _nths(days: Days) -> str:
    in_order = sorted(days.nth, key=lambda pair: (pair[1] if pair[1] != LAST_OF_MONTH else 9, pair[0] or 7))
    return joined(f"{_NTHS[number]} {WEEKDAY_NAMES[weekday]}" for weekday, number in in_order)


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers as runs, each with its first and its last; runs of two are two of one."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return [part for low, high in found for part in ([(low, high)] if high - low != 1 else [(low, low), (high, high)])]
