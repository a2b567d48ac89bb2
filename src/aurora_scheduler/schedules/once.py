"""Schedules that fire once: `in 30 minutes` after the anchor, or at a time that is written out.

Written out: `2030-05-28 15:30:00`, `05/28/2030 15:30` (month first), ISO 8601. Seconds may be missing, and the time of
the day (midnight then); without an offset it is a wall time of the schedule's zone. A wall time in a daylight-saving
gap means the gap's end, one that occurs twice the first of the two.
"""

from __future__ import annotations

import re
from calendar import month_name, monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import NoReturn

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import FIRST, aware
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.amounts import read_amount
from aurora_scheduler.schedules.base import Oddity, Reading, Schedule
from aurora_scheduler.schedules.names import moment_text
from aurora_scheduler.schedules.oddities import oddity_of_wall
from aurora_scheduler.schedules.words import Words
from aurora_scheduler.schedules.zones import instant_of_datetime, naive_wall

__all__ = ["TIMES", "Once", "claims_time", "once_at", "read_delay", "read_time"]

#: The times that are accepted, in words.
TIMES = 'times like "2030-05-28 15:30:00", "2030-12-25 09:00", "05/28/2030 15:30" (month first), ISO 8601, or a date'

_LOOKS_LIKE_TIME = re.compile(r"(?:on )?[0-9]+([-/.])[0-9]+\1[0-9]", re.IGNORECASE)
_ISO_DATE = r"(?P<y>[0-9]{4})-(?P<m>[0-9]{1,2})-(?P<d>[0-9]{1,2})"
_MONTH_FIRST = r"(?P<um>[0-9]{1,2})/(?P<ud>[0-9]{1,2})/(?P<uy>[0-9]{4})"
_CLOCK = r"(?P<H>[0-9]{1,2})(?::(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,6}))?)?)?"
_HALF = r"(?P<half>[ap])\.?m\.?"
_OFFSET = r"(?P<offset>Z|(?P<sign>[+-])(?P<oh>[0-9]{2})(?::?(?P<om>[0-9]{2}))?)"
_TIME = re.compile(
    rf"(?:on )?(?:{_ISO_DATE}|{_MONTH_FIRST})(?:(?:T| T?| at ){_CLOCK}(?: ?{_HALF})?(?: ?{_OFFSET})?)?", re.IGNORECASE
)
#: Field of a time -> its name, its least and its greatest value.
_RANGES = {"month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
_HOURS_OF_HALF = (1, 12)


@dataclass(frozen=True, slots=True)
class Once(Schedule):
    """A single instant.

    Attributes:
        instant: when it fires.
        said: how it was said: relative or absolute.
        wall: the wall time that was said, or None where that was an amount, or a time with an offset.
    """

    instant: int
    said: ScheduleType
    wall: datetime | None = None

    @property
    def kind(self) -> ScheduleType:
        """Relative for `in 30 minutes`, absolute for a time."""
        return self.said

    def next_instant(self, after: int) -> int | None:
        """The instant, if it is strictly after `after`."""
        return self.instant if self.instant > after else None

    def previous_instant(self, before: int) -> int | None:
        """The instant, if it is strictly before `before`."""
        return self.instant if self.instant < before else None

    def count(self, after: int, until: int) -> int:
        """One, if the instant is strictly after `after` and not later than `until`."""
        return int(after < self.instant <= until)

    def in_words(self) -> str:
        """The date and the time in words: "once, on Monday 6 May 2030 at 15:00"."""
        return f"once, on {moment_text(aware(self.instant, self.zone))}"

    def oddities(self, first: int, last: int) -> Iterator[Oddity]:
        """What daylight saving makes of the wall time that was said, whenever that is."""
        odd = self.oddity(self.instant)
        return iter(() if odd is None else (odd,))

    def oddity(self, instant: int) -> Oddity | None:
        """What daylight saving makes of the wall time that was said."""
        return None if self.wall is None else oddity_of_wall(naive_wall(self.wall), self.zone, self.instant)


def read_delay(words: Words, reading: Reading) -> Once:
    """The schedule of an amount of time from the anchor on, after the word "in". Raises `Misspoken`.

    >>> from zoneinfo import ZoneInfo
    >>> hour = read_delay(Words("an hour"), Reading(ZoneInfo("UTC")))
    >>> hour.text, hour.instant
    ('in 1 hour', 3600000000)
    """
    canonical, delay = read_amount(words)
    words.expect_end()
    instant = reading.anchor + delay
    reading.refuse_unreachable(words.text, instant)
    return Once(f"in {canonical}", reading.zone, instant, ScheduleType.RELATIVE, since=reading.present)


def once_at(moment: datetime, reading: Reading) -> Once:
    """The schedule of a single time; a naive one is a wall time of the reading's zone."""
    instant = instant_of_datetime(moment, reading.zone)
    wall = moment if moment.tzinfo is None else None
    text = moment.isoformat(sep=" ")
    return Once(text, reading.zone, instant, ScheduleType.ABSOLUTE, wall, since=reading.present)


def claims_time(text: str) -> bool:
    """Whether the text begins like a date, so that it is no cron expression.

    >>> claims_time("13/45/2030"), claims_time("0-30/5 * * * *")
    (True, False)
    """
    return _LOOKS_LIKE_TIME.match(text) is not None


def read_time(text: str, reading: Reading) -> Once:
    """The schedule of a time that is written out. Raises `ScheduleError` for anything else, naming the part at fault.

    >>> from zoneinfo import ZoneInfo
    >>> read_time("05/28/2030 15:30", Reading(ZoneInfo("UTC"))).text
    '2030-05-28 15:30:00'
    >>> read_time("2030-05-28T15:30:00.250Z", Reading(ZoneInfo("Asia/Tokyo"))).text
    '2030-05-28 15:30:00.250000+00:00'
    """
    once = once_at(_moment(text), reading)
    if once.instant < FIRST:
        _refuse(text, "it is before the year 1")
    reading.refuse_unreachable(text, once.instant)
    return once


def _moment(text: str) -> datetime:
    found = _TIME.fullmatch(text)
    if found is None or (found["H"] and not (found["M"] or found["half"])):
        _refuse(text, _why_not(text))
    year, month, day = found["y"] or found["uy"], found["m"] or found["um"], found["d"] or found["ud"]
    ranges = _RANGES | ({"hour": _HOURS_OF_HALF} if found["half"] else {})
    clock = {"month": month, "hour": found["H"], "minute": found["M"], "second": found["S"]}
    values = {name: _in_range(text, name, digits, *ranges[name]) for name, digits in clock.items()}
    if found["half"]:
        values["hour"] = values["hour"] % 12 + (12 if found["half"] in "pP" else 0)
    if int(year) < 1:
        _refuse(text, "there is no year 0", year)
    length = monthrange(int(year), values["month"])[1]
    if not 1 <= int(day) <= length:
        _refuse(text, f"{month_name[values['month']]} {year} has {length} days", day)
    return datetime(
        int(year),
        values["month"],
        int(day),
        values["hour"],
        values["minute"],
        values["second"],
        int((found["f"] or "").ljust(6, "0")),
        tzinfo=_offset(text, found),
    )


def _in_range(text: str, name: str, digits: str | None, least: int, most: int) -> int:
    if digits is None:
        return least
    if not least <= int(digits) <= most:
        first = " (the month comes first)" if name == "month" and "/" in text else ""
        _refuse(text, f"the {name} is {digits}, and must be {least} to {most}{first}", digits)
    return int(digits)


def _offset(text: str, found: re.Match[str]) -> timezone | None:
    if found["offset"] is None:
        return None
    if found["sign"] is None:
        return UTC
    hours, minutes = int(found["oh"]), int(found["om"] or 0)
    if hours > 23 or minutes > 59:
        _refuse(text, "an offset is less than 24 hours", found["offset"])
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if found["sign"] == "-" else size)


def _why_not(text: str) -> str:
    if re.search(r"[.,][0-9]{7}", text):
        return "fractions of a second have at most 6 digits"
    if re.search(r"[a-z]{3}", text, re.IGNORECASE):
        return 'it is not a date and a time; a time zone is said as "in Europe/Berlin", or as timezone='
    return "it is not a date and a time"


def _refuse(text: str, reason: str, part: str | None = None) -> NoReturn:
    raise ScheduleError(text, reason, part=part, accepted=TIMES)
