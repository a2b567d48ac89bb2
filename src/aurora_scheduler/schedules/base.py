"""What every schedule can do, and what its reader is told besides the text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.instants import LAST, aware
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.zones import DAY, instant_of_datetime

__all__ = ["LONGEST_TEXT", "Oddity", "Reading", "Schedule", "in_words", "readable"]

LONGEST_TEXT = 200
#: `describe` tells what is odd in so much time.
_NOTED = 400 * DAY


@dataclass(frozen=True, slots=True)
class Oddity:
    """What is odd about a firing, or about a day on which there is none.

    Attributes:
        mark: "gap": a wall time that does not occur; "overlap": one that occurs twice; "excluded": a day left out.
        text: the same in words, with what becomes of it.
    """

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Schedule(ABC):
    """When a job fires. A frozen value: equal schedules fire at equal instants.

    Attributes:
        text: the canonical text: parsed again, with the same zone and anchor, it gives an equal schedule.
        zone: the time zone that wall times are read in, and that `next_fire` answers in.
        since: the instant it was said; `describe` tells what is odd after it.
    """

    text: str
    zone: ZoneInfo
    since: int = field(default=0, compare=False, repr=False, kw_only=True)

    @property
    @abstractmethod
    def kind(self) -> ScheduleType:
        """How the schedule was said."""

    @abstractmethod
    def next_instant(self, after: int) -> int | None:
        """The first instant strictly after `after` (microseconds since the epoch, UTC), or None if there is none.

        Instants end with the year 9999.
        """

    @abstractmethod
    def previous_instant(self, before: int) -> int | None:
        """The last instant strictly before `before`, or None if there is none."""

    @abstractmethod
    def count(self, after: int, until: int) -> int:
        """How many instants there are strictly after `after` and not later than `until`."""

    def span(self, first: int, until: int) -> tuple[int, int]:
        """The last instant that is not later than `until`, and how many there are from `first` to that one.

        `until` must not be earlier than `first`; both ends count. `first` counts in any case: it was an instant when it
        was stored, whatever has been changed since.
        """
        last = self.previous_instant(until + 1)
        if last is None or last <= first:
            return first, 1
        return last, 1 + self.count(first, last)

    def next_fire(self, after: datetime) -> datetime | None:
        """The first firing strictly after `after`, in the schedule's zone, or None if there is none.

        A naive datetime is read in the schedule's zone.
        """
        return self._shown(self.next_instant(self._instant("after", after)))

    def previous_fire(self, before: datetime) -> datetime | None:
        """The last firing strictly before `before`, in the schedule's zone, or None if there is none.

        A naive datetime is read in the schedule's zone.
        """
        return self._shown(self.previous_instant(self._instant("before", before)))

    def count_fires(self, after: datetime, until: datetime) -> int:
        """How many firings there are strictly after `after` and not later than `until`, without walking them.

        Naive datetimes are read in the schedule's zone.
        """
        return self.count(self._instant("after", after), self._instant("until", until))

    def describe(self, after: datetime | None = None) -> str:
        """The schedule in plain English, with its zone, and the times that daylight saving makes odd.

        Those of the year after `after` are told; None: after the schedule was said. A naive datetime is read in the
        schedule's zone.

        >>> from aurora_scheduler import parse_schedule
        >>> for part in parse_schedule("30 2 * * 0", "Europe/Berlin").describe(datetime(2030, 1, 1)).split("; "):
        ...     print(part)
        at 02:30 every Sunday, in Europe/Berlin
        02:30 does not exist on 2030-03-31 in Berlin: fires at 03:00
        02:30 occurs twice on 2030-10-27 in Berlin: fires the first time only
        """
        start = self.since if after is None else self._instant("after", after)
        notes = (odd.text for odd in self.oddities(start, start + _NOTED))
        return "; ".join([f"{self.in_words()}, in {self.zone.key}", *notes])

    @abstractmethod
    def in_words(self) -> str:
        """What it says, in plain English, without its zone."""

    def oddities(self, first: int, last: int) -> Iterator[Oddity]:
        """What is odd about the wall times named between two instants, the nearest first."""
        return iter(())

    def oddity(self, instant: int) -> Oddity | None:
        """What is odd about a firing, or None."""
        return None

    def _instant(self, name: str, moment: object) -> int:
        if not isinstance(moment, datetime):
            raise OptionError(name, moment, "must be a datetime")
        return instant_of_datetime(moment, self.zone)

    def _shown(self, instant: int | None) -> datetime | None:
        return None if instant is None else aware(instant, self.zone)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is told besides the text.

    Attributes:
        zone: the zone in which wall times are read.
        present: the instant that `tomorrow` and the like are seen from.
        anchor: the instant that `in` and `every` count from.
        from_anchor: whether an interval fires at its anchor already.
        refuses_past: whether a single instant that is not later than `present` is refused.
    """

    zone: ZoneInfo
    present: int = 0
    anchor: int = 0
    from_anchor: bool = False
    refuses_past: bool = False

    def refuse_unreachable(self, text: str, instant: int) -> None:
        """Raise `ScheduleError` for a single instant that is past, or beyond the calendar."""
        if instant > LAST:
            raise ScheduleError(text, "it is beyond the year 9999", accepted="times up to 9999-12-29")
        if self.refuses_past and instant <= self.present:
            raise ScheduleError(
                text, f"that is {in_words(instant, self.zone)}, which is past", accepted="a time in the future"
            )


def readable(text: object, accepted: str) -> str:
    """The text without blanks at its ends and with single ones inside, if it is text that a reader can be given.

    Raises `ScheduleError` for what is not text, is empty or long, or has characters that no schedule has: line breaks,
    digits and blanks from beyond ASCII. So readers need not think of them.

    >>> readable("  every  5 minutes ", "")
    'every 5 minutes'
    """
    if not isinstance(text, str):
        raise ScheduleError(text, f"a schedule is text, not {type(text).__name__}", accepted=accepted)
    if len(text) > LONGEST_TEXT:
        raise ScheduleError(text, f"it has {len(text):,} characters, and {LONGEST_TEXT} is the most", accepted=accepted)
    blanks_alike = text.replace("\t", " ")
    odd = next((char for char in blanks_alike if not (char.isascii() and char.isprintable())), None)
    if odd is not None:
        what = "a control character" if odd.isascii() else "not ASCII"
        raise ScheduleError(text, f"{odd!a} is {what}", part=odd, accepted=accepted)
    words = " ".join(blanks_alike.split())
    if not words:
        raise ScheduleError(text, "it is empty", accepted=accepted)
    return words


def in_words(instant: int, zone: ZoneInfo) -> str:
    """The instant as a message shows it: wall time, zone, and UTC beside it.

    >>> in_words(0, ZoneInfo("Europe/Berlin"))
    '1970-01-01 01:00:00 in Europe/Berlin (1970-01-01 00:00:00 UTC)'
    """
    wall = f"{aware(instant, zone).replace(tzinfo=None)} in {zone.key}"
    return wall if zone.key == "UTC" else f"{wall} ({aware(instant).replace(tzinfo=None)} UTC)"
