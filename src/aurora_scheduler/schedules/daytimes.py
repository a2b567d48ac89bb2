"""Times of the day: `09:00`, `9am`, `5:30 pm`, `noon`. Microseconds since midnight on the wall."""

from __future__ import annotations

from aurora_scheduler.instants import SECOND
from aurora_scheduler.schedules.words import Words, read_whole

__all__ = ["begins_time", "parse_time_of_day", "read_time_of_day", "read_times"]

#: The times of the day that are accepted, in words.
TIMES_OF_DAY = 'times of the day like "09:00", "17:30:15", "9am", "5:30 pm", "noon" and "midnight"'
_HOUR, _MINUTE = 3_600 * SECOND, 60 * SECOND
_NAMES = {"noon": 12 * _HOUR, "midday": 12 * _HOUR, "midnight": 0}
_HALVES = {"am": "am", "pm": "pm", "a.m": "am", "a.m.": "am", "p.m": "pm", "p.m.": "pm"}
_EXPECTED = "a time of the day is expected here, like 09:00 or 9am"
_EXAMPLE = "09:00"


def parse_time_of_day(text: object) -> int:
    """A time of the day in microseconds since midnight, from text like "09:00" or "9am".

    Raises `ScheduleError` for anything else.

    >>> parse_time_of_day("9am") // _HOUR
    9
    """
    return read_whole(text, read_time_of_day, accepted=TIMES_OF_DAY, what="time of day")


def begins_time(words: Words) -> bool:
    """Whether a time of the day comes next."""
    return words.peek().isdigit() or words.peek() in _NAMES


def read_times(words: Words) -> tuple[int, ...]:
    """One time of the day or several, ascending. Raises `Misspoken`.

    >>> [time // _MINUTE for time in read_times(Words("5pm, noon and 09:30"))]
    [570, 720, 1020]
    """
    found = [read_time_of_day(words)]
    while words.peek() in (",", "and"):
        words.accept(",")
        words.accept("and")
        found.append(read_time_of_day(words))
    return tuple(sorted(set(found)))


def read_time_of_day(words: Words) -> int:
    """The time of the day that comes next. Raises `Misspoken`.

    >>> read_time_of_day(Words("12:30 am")) // _MINUTE, read_time_of_day(Words("noon")) // _MINUTE
    (30, 720)
    """
    if words.peek() in _NAMES:
        return _NAMES[words.take()]
    if not words.peek().isdigit():
        words.fail(_EXPECTED, _EXAMPLE)
    begin = words.place
    hour, *rest = _numbers(words)
    half = _HALVES.get(words.accept(*_HALVES), "")
    if half:
        if not 1 <= hour <= 12:
            words.fail_back(begin, "with am or pm the hour is 1 to 12")
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif not rest:
        both = f"{hour:02}:00 or {hour}am" if 1 <= hour <= 12 else f"{hour:02}:00"
        words.fail_back(begin, f"a number alone is not a time of the day; say {both}", f"{hour:02}:00")
    minute, second = [*rest, 0, 0][:2]
    if hour > 23:
        words.fail_back(begin, "the hour must be 0 to 23", "00:00" if hour == 24 else "23:00")
    if minute > 59 or second > 59:
        words.fail_back(begin, "minutes and seconds must be 0 to 59", f"{hour:02}:59")
    return hour * _HOUR + minute * _MINUTE + second * SECOND


def _numbers(words: Words) -> list[int]:
    """One to three numbers with colons between: hour, minute, second."""
    begin = words.place
    found = [words.take()]
    while words.peek() == ":" and words.is_glued() and words.peek(1).isdigit() and words.is_glued(1):
        words.take()
        found.append(words.take())
    if len(found) > 3 or len(found[0]) > 2 or any(len(digits) != 2 for digits in found[1:]):
        words.fail_back(begin, "that is not a time of the day; say it like 09:00, 09:00:30 or 9am", _EXAMPLE)
    return [int(digits) for digits in found]
