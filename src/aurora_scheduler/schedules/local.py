"""The machine's own time zone."""

from __future__ import annotations

import warnings

import tzlocal

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.logs import logger
from aurora_scheduler.schedules.zones import load_zone

__all__ = ["local_zone_name"]

_log = logger("schedules.local")


def local_zone_name() -> str:
    """The IANA name of the machine's own time zone; "UTC", with a warning in the log, where that is unknown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return load_zone(tzlocal.get_localzone_name()).key
    except (ScheduleError, ValueError, OSError, LookupError, Warning) as error:
        _log.warning('this machine does not say its time zone (%s); times are read as UTC. Say timezone="…"', error)
        return "UTC"
