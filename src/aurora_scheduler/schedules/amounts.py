"""Amounts of time: `5 minutes`, `1 hour 30 minutes`, `1h30m`, `an hour`, `PT15M`. Elapsed time: a day is 24 hours."""

from __future__ import annotations

import re

from aurora_scheduler.instants import FIRST, LAST, SECOND
from aurora_scheduler.schedules.names import NUMBERS
from aurora_scheduler.schedules.words import Words, read_whole

__all__ = ["AMOUNTS", "UNITS", "begins_amount", "parse_duration", "read_amount"]

#: The amounts that are accepted, in words.
AMOUNTS = 'whole numbers of seconds, minutes, hours, days or weeks, like "5 minutes", "1 hour 30 minutes", "1h30m"'

#: From large to small, as they are said.
_LENGTHS = {
    "week": 604_800 * SECOND,
    "day": 86_400 * SECOND,
    "hour": 3_600 * SECOND,
    "minute": 60 * SECOND,
    "second": SECOND,
}
_SHORT = {
    "w": "week", "wk": "week", "d": "day", "h": "hour", "hr": "hour", "m": "minute", "min": "minute", "s": "second",
    "sec": "second",
}  # fmt: skip
_SINGULARS = {name: name for name in _LENGTHS} | _SHORT
#: Every way to say a unit, and the unit.
UNITS = _SINGULARS | {f"{name}s": unit for name, unit in _SINGULARS.items() if len(name) > 1}
_ISO = re.compile(r"p(?:([0-9]+)w)?(?:([0-9]+)d)?(?:t(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?)?")
#: More digits than any count of seconds up to the year 9999 has; also keeps huge numbers from being computed at all.
_MOST_DIGITS = 15


def parse_duration(text: str) -> int:
    """A duration in microseconds, from text like "5 minutes", "1 hour 30 minutes", "1h30m" or "PT15M".

    Raises `ScheduleError` for anything but whole numbers, which may be 0, and their units.

    >>> parse_duration("5 minutes") // SECOND, parse_duration("1h30m") // SECOND
    (300, 5400)
    """
    return read_whole(text, lambda words: read_amount(words, least=0)[1], accepted=AMOUNTS, what="duration")


def begins_amount(words: Words) -> bool:
    """Whether an amount comes next: a number, or an ISO 8601 duration."""
    word = words.peek()
    return word.isdigit() or word in NUMBERS or word in ("half", "-", "+", ".") or _is_iso(words)


def read_amount(words: Words, least: int = 1) -> tuple[str, int]:
    """The amount that comes next, in canonical words and in microseconds. Raises `Misspoken`.

    >>> read_amount(Words("05 minute")), read_amount(Words("PT1H30M"))
    (('5 minutes', 300000000), ('1 hour 30 minutes', 5400000000))
    """
    begin = words.place
    parts = _iso_parts(words) if _is_iso(words) else _said_parts(words)
    length = sum(number * _LENGTHS[unit] for unit, number in parts.items())
    if length > LAST - FIRST:
        words.fail_back(begin, "that is longer than the calendar, which ends with the year 9999")
    if length < least:
        words.fail_back(begin, f"the number must be {least} or more", "1")
    said = [f"{number} {unit}{'' if number == 1 else 's'}" for unit, number in parts.items() if number]
    return " ".join(said) or f"0 {next(iter(parts))}s", length


def _said_parts(words: Words) -> dict[str, int]:
    parts: dict[str, int] = {}
    more = True
    while more:
        begin = words.place
        number, unit = _number_and_unit(words)
        units = list(_LENGTHS)
        if any(units.index(unit) <= units.index(before) for before in parts):
            words.fail_back(begin, "units go from large to small, each once")
        parts[unit] = number
        more = _more_follows(words)
    return parts


def _more_follows(words: Words) -> bool:
    """Whether another number and unit follow; takes the "and" or comma before them."""
    place = words.place
    words.accept(",")
    words.accept("and")
    number = words.peek().isdigit() or words.peek() in NUMBERS
    if number and words.peek(1) in UNITS:
        return True
    words.go_to(place)
    return False


def _number_and_unit(words: Words) -> tuple[int, str]:
    if words.peek() == "half" and "hour" in (words.peek(1), words.peek(2)):
        words.take()
        words.accept("a", "an")
        if words.accept("hour"):
            return 30, "minute"
    if words.peek() in ("-", "+") and words.peek(1).isdigit():
        words.fail("the number must not be negative" if words.peek() == "-" else "numbers are said without a sign")
    if not words.peek().isdigit() and words.peek() not in NUMBERS:
        words.fail("a number and a unit of time are expected here", "5 minutes")
    if words.peek(1) in (".", ",") and words.is_glued(1) and words.peek(2).isdigit():
        words.fail("the number must be whole; say the same in a smaller unit", words=3)
    place, digits = words.place, words.take()
    if len(digits.lstrip("0")) > _MOST_DIGITS:
        words.fail_back(place, "that is longer than the calendar, which ends with the year 9999")
    number = NUMBERS[digits] if digits in NUMBERS else int(digits)
    if not words.peek():
        words.fail("a unit of time is missing", "minutes", "hours")
    if words.peek() in ("month", "months", "year", "years"):
        words.fail("months and years are not all of one length; say on which day", "days")
    if words.peek() not in UNITS:
        words.fail(f"{words.peek()!r} is not a unit of time", "minutes", "hours")
    return number, UNITS[words.take()]


def _is_iso(words: Words) -> bool:
    """Whether an ISO 8601 duration comes next, like "pt15m": a "p" or "pt" that a number is glued to."""
    return words.peek() in ("p", "pt") and words.peek(1).isdigit() and words.is_glued(1)


def _iso_parts(words: Words) -> dict[str, int]:
    place, chunk = words.place, words.take_chunk()
    found = _ISO.fullmatch(chunk)
    if found is None:
        words.fail_back(place, "of ISO 8601 durations those like P2W, P1DT12H and PT15M are understood")
    said = {unit: digits for unit, digits in zip(_LENGTHS, found.groups(), strict=True) if digits is not None}
    if any(len(digits.lstrip("0")) > _MOST_DIGITS for digits in said.values()):
        words.fail_back(place, "that is longer than the calendar, which ends with the year 9999")
    return {unit: int(digits) for unit, digits in said.items()}
