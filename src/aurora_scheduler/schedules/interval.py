"""`every N unit`: a fixed rate on an anchor. And durations, since they are said the same way.

Firing k is `anchor + k * period` in whole microseconds: no drift, and the same firings after a restart. Units are
elapsed time: `every 1 day` is every 24 hours, whatever the clocks on the wall do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import FIRST, LAST, SECOND
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Reading, Schedule, readable

__all__ = ["Interval", "parse_duration", "read_amount", "read_interval"]

_UNITS = {
    "second": SECOND,
    "minute": 60 * SECOND,
    "hour": 3_600 * SECOND,
    "day": 86_400 * SECOND,
    "week": 604_800 * SECOND,
}
_UNIT_NAMES = "seconds, minutes, hours, days or weeks"
_ACCEPTED = f"a whole number of {_UNIT_NAMES}"
_AMOUNT = re.compile(r"(?P<number>[0-9]+) ?(?P<unit>[a-z]+)")
#: More digits than any count of seconds up to the year 9999 has; also keeps huge numbers from being computed at all.
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Interval(Schedule):
    """A fixed rate.

    Attributes:
        anchor: the instant that firings are counted from.
        period: the distance of two firings, in microseconds.
        from_anchor: whether the anchor is itself the first firing.
    """

    anchor: int
    period: int
    from_anchor: bool

    @property
    def kind(self) -> ScheduleType:
        """Relative."""
        return ScheduleType.RELATIVE

    def next_instant(self, after: int) -> int | None:
        """The first firing strictly after `after`, or None beyond the year 9999."""
        k = max(self._number(after) + 1, self._first)
        instant = self.anchor + k * self.period
        return instant if instant <= LAST else None

    def previous_instant(self, before: int) -> int | None:
        """The last firing strictly before `before`, or None before the first."""
        k = self._number(min(before - 1, LAST))
        return self.anchor + k * self.period if k >= self._first else None

    def count(self, after: int, until: int) -> int:
        """How many firings there are strictly after `after` and not later than `until`."""
        before_first = self._first - 1
        return max(0, max(self._number(min(until, LAST)), before_first) - max(self._number(after), before_first))

    @property
    def _first(self) -> int:
        """The number of the first firing; the anchor has number 0."""
        return 0 if self.from_anchor else 1

    def _number(self, instant: int) -> int:
        """The number of the last firing that is not later than `instant`, were there no first one."""
        return (instant - self.anchor) // self.period


def read_interval(text: str, reading: Reading) -> Interval:
    """The schedule of `every N unit` or `every unit`. Raises `ScheduleError` for anything else.

    >>> from zoneinfo import ZoneInfo
    >>> read_interval("EVERY  5 minute", Reading(ZoneInfo("UTC"))).text
    'every 5 minutes'
    """
    amount = " ".join(text.lower().split()[1:])
    if amount in _UNITS:
        amount = f"1 {amount}"
    elif amount and not amount[0].isdigit() and amount[0] not in "+-.":
        raise ScheduleError(
            text,
            "phrases are not understood yet",
            part=_part(text, amount),
            accepted='"every 5 minutes", "in 30 minutes", "2030-05-28 15:30", cron like "0 8 * * 1" (Mondays at 8:00)',
        )
    canonical, period = read_amount(text, amount, example="every 5 minutes")
    if reading.anchor + period * (not reading.from_anchor) > LAST:
        raise ScheduleError(text, "it would first fire beyond the year 9999", accepted="a shorter interval")
    return Interval(f"every {canonical}", reading.zone, reading.anchor, period, reading.from_anchor)


def parse_duration(text: str) -> int:
    """A duration in microseconds, from text like "5 minutes".

    Raises `ScheduleError` for anything but a whole number, which may be 0, and one unit.

    >>> parse_duration("5 minutes") // SECOND
    300
    """
    words = readable(text, f'{_ACCEPTED}, like "5 minutes"')
    return read_amount(text, words.lower(), example="5 minutes", least=0)[1]


def read_amount(text: str, amount: str, *, example: str, least: int = 1) -> tuple[str, int]:
    """The amount, a number and a unit, in canonical words and in microseconds; `text` is the whole of what was given.

    >>> read_amount("in 05 minute", "05 minute", example="in 30 minutes")
    ('5 minutes', 300000000)
    """
    accepted = f'{_ACCEPTED}, like "{example}"'
    found = _AMOUNT.fullmatch(amount)
    if found is None:
        raise ScheduleError(text, _why_not(amount), part=_part(text, amount), accepted=accepted)
    digits, word = found["number"].lstrip("0") or "0", found["unit"]
    unit = word.removesuffix("s")
    if unit not in _UNITS:
        raise ScheduleError(text, f"{word!r} is not a unit of time", part=_part(text, word), accepted=accepted)
    if len(digits) > _MOST_DIGITS or (period := int(digits) * _UNITS[unit]) > LAST - FIRST:
        raise ScheduleError(text, "that is longer than the calendar, which ends with the year 9999", accepted=accepted)
    number = int(digits)
    if number < least:
        raise ScheduleError(text, f"the number must be {least} or more", part=found["number"], accepted=accepted)
    return f"{number} {unit}{'' if number == 1 else 's'}", period


def _why_not(amount: str) -> str:
    if not amount:
        return "a number and a unit of time are missing"
    if re.fullmatch(r"[+-]?[0-9]+", amount):
        return "a unit of time is missing"
    if amount[0] == "-":
        return "the number must not be negative"
    if re.match(r"[0-9]*[.,][0-9]", amount):
        return "the number must be whole; say the same in a smaller unit"
    return "it is not one number and one unit of time"


def _part(text: str, part: str) -> str | None:
    """The part as it stands in the text; None where it does not stand there in one piece."""
    index = text.lower().find(part)
    return text[index : index + len(part)] if part and index >= 0 else None
