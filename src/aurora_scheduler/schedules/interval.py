"""`every 5 minutes`: a fixed rate on an anchor.

Firing k is `anchor + k * period` in whole microseconds: no drift, and the same firings after a restart. Units are
elapsed time: `every 1 day` is every 24 hours, whatever the clocks on the wall do.
"""

from __future__ import annotations

from dataclasses import dataclass

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import LAST, aware
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.amounts import UNITS, begins_amount, read_amount
from aurora_scheduler.schedules.base import Reading, Schedule
from aurora_scheduler.schedules.names import MONTHS, ORDINAL_ENDINGS, moment_text
from aurora_scheduler.schedules.words import Words
from aurora_scheduler.schedules.zones import DAY

__all__ = ["Interval", "read_interval"]


@dataclass(frozen=True, slots=True)
class Interval(Schedule):
    """A fixed rate.

    Attributes:
        anchor: the instant that firings are counted from.
        period: the distance of two firings, in microseconds.
        from_anchor: whether the anchor is itself the first firing.
        amount: the period in words.
    """

    anchor: int
    period: int
    from_anchor: bool
    amount: str

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

    def in_words(self) -> str:
        """Its period, and what it is counted from."""
        elapsed = " (days of 24 hours)" if self.period % DAY == 0 else ""
        return f"every {self.amount}{elapsed}, counted from {moment_text(aware(self.anchor, self.zone))}"

    @property
    def _first(self) -> int:
        """The number of the first firing; the anchor has number 0."""
        return 0 if self.from_anchor else 1

    def _number(self, instant: int) -> int:
        """The number of the last firing that is not later than `instant`, were there no first one."""
        return (instant - self.anchor) // self.period


def read_interval(words: Words, reading: Reading) -> Interval | None:
    """The schedule of an amount of time, after the word "every"; None where more than an amount is said.

    Raises `Misspoken`, and `ScheduleError` for an interval that ends beyond the calendar.

    >>> from zoneinfo import ZoneInfo
    >>> read_interval(Words("5 Minute"), Reading(ZoneInfo("UTC"))).text
    'every 5 minutes'
    """
    begin = words.place
    if UNITS.get(words.peek()) == words.peek() and not words.peek(1):
        canonical, period = read_amount(Words(f"1 {words.take()}"))
    elif begins_amount(words) and words.peek(1) not in (*ORDINAL_ENDINGS, *MONTHS, "of"):
        canonical, period = read_amount(words)
    else:
        return None
    if words.peek():
        words.go_to(begin)
        return None
    if reading.anchor + period * (not reading.from_anchor) > LAST:
        raise ScheduleError(words.text, "it would first fire beyond the year 9999", accepted="a shorter interval")
    return Interval(
        f"every {canonical}",
        reading.zone,
        reading.anchor,
        period,
        reading.from_anchor,
        canonical,
        since=reading.present,
    )
