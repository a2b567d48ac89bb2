"""What a schedule means, without a scheduler: `parse_schedule` and `next_fire_times`."""

from __future__ import annotations

from datetime import datetime

from aurora_scheduler import schedules
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import OptionError
from aurora_scheduler.instants import aware, instant_of
from aurora_scheduler.options import whole_number
from aurora_scheduler.schedules import Schedule, fires, load_zone, local_zone_name

__all__ = ["next_fire_times", "parse_schedule"]

_clock = SystemClock()


def parse_schedule(text: str, timezone: str | None = None) -> Schedule:
    """Read a schedule as `create_job` would, in `timezone` (an IANA name; None: the machine's own).

    >>> parse_schedule("every 2 hours").text
    'every 2 hours'

    Raises:
        ScheduleError: it is not understood, is past, or can never fire; or the zone is unknown.
    """
    return schedules.parse_schedule(text, _zone_name(timezone), now=_clock.now())


def next_fire_times(
    schedule: str, timezone: str | None = None, start: datetime | None = None, count: int = 5
) -> list[datetime]:
    """The next `count` firings of a schedule strictly after `start` (None: now), aware, in its time zone.

    A naive `start` is read in `timezone`. Fewer are returned where there are no more. Intervals count from `start`.

    >>> [str(moment) for moment in next_fire_times("0 9 * * 1-5", "Europe/Berlin", datetime(2030, 5, 31, 12), count=2)]
    ['2030-06-03 09:00:00+02:00', '2030-06-04 09:00:00+02:00']

    Raises:
        ScheduleError: it is not understood, is past, or can never fire; or the zone is unknown.
        OptionError: `start` or `count` is not accepted.
    """
    zone = load_zone(_zone_name(timezone))
    if start is None:
        after = _clock.now()
    elif isinstance(start, datetime):
        after = instant_of(start if start.utcoffset() is not None else start.replace(tzinfo=zone))
    else:
        raise OptionError("start", start, "must be a datetime")
    parsed = schedules.parse_schedule(schedule, zone.key, now=after)
    most = whole_number("count", count, least=0, most=100_000)
    return [aware(instant, zone) for instant in fires(parsed, after, most)]


def _zone_name(timezone: str | None) -> str:
    return local_zone_name() if timezone is None else timezone
