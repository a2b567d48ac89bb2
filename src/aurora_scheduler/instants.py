"""Instants and durations: integers inside, `datetime` and `timedelta` at the border.

An *instant* is a count of microseconds since 1970-01-01 00:00 UTC; a duration is a count of microseconds. Integers
compare, add and store exactly, and have no zone to forget.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["FIRST", "LAST", "SECOND", "aware", "instant_of", "micros", "presented"]

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: The instants that can be scheduled: from the year 1 to the year 9999, a day inside what `datetime` can hold, so
#: that every one of them can be shown in every zone.
FIRST = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST = (datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def instant_of(moment: datetime) -> int:
    """The instant of an aware datetime.

    >>> instant_of(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def aware(instant: int, zone: tzinfo = UTC) -> datetime:
    """The instant as an aware datetime in `zone`.

    >>> aware(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone)


def micros(duration: timedelta) -> int:
    """A duration in whole microseconds.

    >>> micros(timedelta(minutes=1))
    60000000
    """
    return duration // _MICROSECOND


def _zone(name: str) -> tzinfo:
    # A zone that has vanished from the machine's data must not keep a user from reading a job's history.
    try:
        return _known_zone(name)
    except (ValueError, OSError, LookupError):
        return UTC  # and not remembered: the zone may come back


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def presented(instant: int | None, zone_name: str) -> datetime | None:
    """The instant as a user sees it: aware, in the named zone (UTC where that is unknown here); None stays None."""
    return None if instant is None else aware(instant, _zone(zone_name))
