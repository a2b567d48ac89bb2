"""What a schedule means, without a scheduler: `parse_schedule` and `next_fire_times`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal, overload

from aurora_scheduler import schedules
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.instants import aware, instant_of
from aurora_scheduler.options import read_options, whole_number
from aurora_scheduler.schedules import (
    Schedule,
    excluded_fires,
    fires,
    limited,
    load_zone,
    local_zone_name,
    to_instant,
    zone_said,
)

__all__ = ["FireTime", "next_fire_times", "parse_schedule"]

_clock = SystemClock()


@dataclass(frozen=True, slots=True)
class FireTime:
    """A firing that is to come, or one that an excluded date takes away, and what is odd about it.

    Attributes:
        time: when, aware, in the schedule's time zone.
        mark: None for an ordinary firing; "gap": the wall time that is named does not exist that day; "overlap": it
            occurs twice; "excluded": there is no firing, since its date is excluded.
        note: the mark in words.
    """

    time: datetime
    mark: str | None = None
    note: str | None = None


def parse_schedule(
    text: str,
    timezone: str | None = None,
    start: datetime | str | None = None,
    *,
    exclude_dates: Collection[date | str] | None = None,
    only_between: tuple[time | str, time | str] | None = None,
) -> Schedule:
    """Read a schedule as `create_job` would, in `timezone` (an IANA name; None: the machine's own).

    `start` (None: now) is what intervals count from, and what `tomorrow` is seen from.

    >>> parse_schedule("every 2 hours").text
    'every 2 hours'
    >>> parse_schedule("every mon, thu at 8:30", "Europe/Berlin").describe()
    'at 08:30 every Monday and Thursday, in Europe/Berlin'

    Raises:
        ScheduleError: it is not understood, is past, or can never fire; or the zone is unknown.
        OptionError: `start`, `exclude_dates` or `only_between` is not accepted.
    """
    zone = _zone_name(text, timezone)
    return _read(text, zone, _instant(start, zone), exclude_dates, only_between)


@overload
def next_fire_times(
    schedule: str,
    timezone: str | None = ...,
    start: datetime | str | None = ...,
    count: int = ...,
    *,
    explain: Literal[False] = ...,
    exclude_dates: Collection[date | str] | None = ...,
    only_between: tuple[time | str, time | str] | None = ...,
) -> list[datetime]: ...
@overload
def next_fire_times(
    schedule: str,
    timezone: str | None = ...,
    start: datetime | str | None = ...,
    count: int = ...,
    *,
    explain: Literal[True],
    exclude_dates: Collection[date | str] | None = ...,
    only_between: tuple[time | str, time | str] | None = ...,
) -> list[FireTime]: ...
def next_fire_times(
    schedule: str,
    timezone: str | None = None,
    start: datetime | str | None = None,
    count: int = 5,
    *,
    explain: bool = False,
    exclude_dates: Collection[date | str] | None = None,
    only_between: tuple[time | str, time | str] | None = None,
) -> list[datetime] | list[FireTime]:
    """The next `count` firings of a schedule strictly after `start` (None: now), aware, in its time zone.

    A naive `start` is read in `timezone` (None: the machine's own), like the schedule's wall times, unless the schedule
    names a zone itself. Fewer are returned where there are no more. Intervals count from `start`. With `explain` each
    is a `FireTime`, which says whether daylight saving makes it odd, and the dates are listed on which
    `exclude_dates` takes a firing away; they do not count.

    >>> [str(moment) for moment in next_fire_times("0 9 * * 1-5", "Europe/Berlin", datetime(2030, 5, 31, 12), count=2)]
    ['2030-06-03 09:00:00+02:00', '2030-06-04 09:00:00+02:00']
    >>> next_fire_times("30 2 * * *", "Europe/Berlin", "2030-03-30 12:00", count=1, explain=True)[0].note
    '02:30 does not exist on 2030-03-31 in Berlin: fires at 03:00'

    Raises:
        ScheduleError: it is not understood, is past, or can never fire; or the zone is unknown.
        OptionError: `start`, `count`, `exclude_dates` or `only_between` is not accepted.
    """
    zone = _zone_name(schedule, timezone)
    after = _instant(start, zone)
    parsed = _read(schedule, zone, after, exclude_dates, only_between)
    most = whole_number("count", count, least=0, most=100_000)
    found = fires(parsed, after, most)
    if not explain:
        return [aware(instant, parsed.zone) for instant in found]
    until = found[-1] if len(found) == most and found else None
    return [_explained(parsed, instant) for instant in sorted([*found, *excluded_fires(parsed, after, until)])]


def _read(text: str, zone: str, present: int, exclude_dates: object, only_between: object) -> Schedule:
    limits = read_options({"exclude_dates": exclude_dates, "only_between": only_between}, zone)
    schedule = schedules.parse_schedule(text, zone, now=present)
    within = limited(schedule, limits.exclude_dates, limits.only_between)
    if within is not schedule and within.next_instant(present) is None:
        raise ScheduleError(text, "it would never fire within exclude_dates and only_between")
    return within


def _explained(schedule: Schedule, instant: int) -> FireTime:
    odd = schedule.oddity(instant)
    moment = aware(instant, schedule.zone)
    return FireTime(moment) if odd is None else FireTime(moment, odd.mark, odd.text)


def _instant(start: object, zone: str) -> int:
    if start is None:
        return _clock.now()
    if not isinstance(start, datetime | str):
        raise OptionError("start", start, 'must be a datetime, or text like "2030-05-28 15:00"')
    if isinstance(start, datetime):
        return instant_of(start if start.utcoffset() is not None else start.replace(tzinfo=load_zone(zone)))
    try:
        return to_instant(start, zone)
    except ScheduleError as error:
        raise OptionError("start", start, str(error)) from error


def _zone_name(schedule: str, timezone: str | None) -> str:
    if timezone is not None:
        load_zone(timezone)
    return zone_said(schedule) or (local_zone_name() if timezone is None else timezone)
