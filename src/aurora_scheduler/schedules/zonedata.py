"""Which zone data a next firing was computed with, and from where to compute it anew when they have changed.

Countries change their clocks, and the data that tell it come with updates of the machine or of the package `tzdata`. A
process reads the data of a zone once. A stored instant outlives it, and may be wrong by what the next process reads.
"""

from __future__ import annotations

import hashlib
import os
import zoneinfo
from functools import lru_cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from aurora_scheduler.instants import FIRST, LAST, aware
from aurora_scheduler.schedules.base import Schedule
from aurora_scheduler.schedules.calendar import Calendar
from aurora_scheduler.schedules.limits import Limited
from aurora_scheduler.schedules.once import Once
from aurora_scheduler.schedules.zones import instant_of_wall, stretch_at

__all__ = ["accounted", "wall_before", "zone_data"]


def zone_data(name: str) -> str:
    """A hash of the file in which `zoneinfo` finds the zone, which tells it from other data of that zone.

    "" where there is none. It is of the zone's own file and not the name of a release: minimal images have no name of
    one, and a release that changes one zone leaves the jobs of all others alone. Two files may differ and say the same:
    then what is computed anew comes out as it was. As `ZoneInfo` does, a process reads the file once.

    >>> zone_data("Europe/Berlin") == zone_data("America/New_York"), zone_data("Aurora/Nowhere")
    (False, '')
    """
    try:
        return _fingerprint(name)
    except (ImportError, OSError, ValueError):
        return ""  # and not remembered: the zone may come


@lru_cache(maxsize=1024)
def _fingerprint(name: str) -> str:
    return hashlib.blake2b(_content(name), digest_size=8).hexdigest()


def _content(name: str) -> bytes:
    """The file of the zone: the first on the path of `zoneinfo`, else the one in the package `tzdata`."""
    if {"", ".", ".."} & {*name.split("/")}:
        raise ValueError(name)
    for directory in zoneinfo.TZPATH:
        file = Path(directory, name)
        if os.path.isfile(file):
            return file.read_bytes()
    package, _, resource = f"tzdata/zoneinfo/{name}".rpartition("/")
    return resources.files(package.replace("/", ".")).joinpath(resource).read_bytes()


def wall_before(zone: ZoneInfo, instant: int) -> int:
    """The wall time that clocks in the zone come to at an instant, before they are turned, if they are turned then.

    What is due at the end of a gap has the gap's first wall time, so that of what falls into the gap nothing is before
    it.

    >>> wall_before(ZoneInfo("Europe/Berlin"), 0) // 3_600_000_000
    1
    """
    return instant + stretch_at(zone, min(max(instant - 1, FIRST), LAST)).offset


def accounted(schedule: Schedule, instant: int, wall: int | None, now: int) -> int:
    """The instant up to which everything is accounted for, where `instant` was to come next by other data of the zone.

    A fixed schedule means wall times, each once: those before `wall`, the wall time of `instant` by the other data,
    have had their turn, and that one has not. So none is lost and none comes twice, wherever their instants are now.
    (None: nobody knows it; then the zone is taken not to have changed so far.) A wild one, or an interval, follows real
    time: it goes on from `instant`, or from now if that is earlier, with whatever the clock shows. A single time that
    has not come is still to come.
    """
    inner = schedule.inner if isinstance(schedule, Limited) else schedule
    if isinstance(inner, Once):
        return FIRST - 1
    if not isinstance(inner, Calendar) or inner.wild:
        return min(instant - 1, now)
    if wall is None:
        return instant - 1
    return instant_of_wall(aware(wall).replace(tzinfo=None), schedule.zone) - 1
