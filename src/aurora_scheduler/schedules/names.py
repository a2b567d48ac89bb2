"""The words for days, months and numbers: what people say, and how we say it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from aurora_scheduler.instants import SECOND

__all__ = [
    "LAST_OF_MONTH",
    "MONTHS",
    "MONTH_NAMES",
    "NUMBERS",
    "ORDINALS",
    "ORDINAL_ENDINGS",
    "WEEKDAYS",
    "WEEKDAY_NAMES",
    "clock_text",
    "joined",
    "moment_text",
    "ordinal",
]

#: As the n of the n-th weekday of a month: the last one.
LAST_OF_MONTH = -1

MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
#: Sunday first: its number is 0.
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def _by_name(names: Sequence[str], first: int, more: Iterable[tuple[str, int]] = ()) -> dict[str, int]:
    whole = {name.lower(): number for number, name in enumerate(names, start=first)}
    return {**whole, **{name[:3]: number for name, number in whole.items()}, **dict(more)}


#: What people call the months, and their numbers.
MONTHS = _by_name(MONTH_NAMES, 1, [("sept", 9)])
#: What people call the days of the week, and their numbers.
WEEKDAYS = _by_name(WEEKDAY_NAMES, 0, [("tues", 2), ("wednes", 3), ("thur", 4), ("thurs", 4)])
#: What follows a number in a row.
ORDINAL_ENDINGS = ("st", "nd", "rd", "th")
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": LAST_OF_MONTH}
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8} | {
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30,
}  # fmt: skip


def joined(words: Iterable[str]) -> str:
    """The words as a list in a sentence.

    >>> joined(["monday"]), joined(["monday", "tuesday", "friday"])
    ('monday', 'monday, tuesday and friday')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def ordinal(number: int) -> str:
    """The number in a row.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = "th" if number // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def clock_text(time: int) -> str:
    """A time of the day, in microseconds, as a clock shows it.

    >>> clock_text(9 * 3600 * SECOND), clock_text(61 * SECOND), clock_text(1)
    ('09:00', '00:01:01', '00:00:00.000001')
    """
    seconds, fraction = divmod(time, SECOND)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    if second or fraction:
        text += f":{second:02}"
    return f"{text}.{fraction:06}" if fraction else text


def moment_text(moment: datetime) -> str:
    """A date and time in words, so that nobody takes the day for the month.

    >>> moment_text(datetime(2030, 5, 6, 9))
    'Monday 6 May 2030 at 09:00'
    """
    weekday, month = WEEKDAY_NAMES[moment.isoweekday() % 7], MONTH_NAMES[moment.month - 1]
    time = (moment.hour * 3600 + moment.minute * 60 + moment.second) * SECOND + moment.microsecond
    return f"{weekday} {moment.day} {month} {moment.year} at {clock_text(time)}"
