"""The answer to one question: what comes after this instant.

A schedule is a frozen value, made from text by `parse_schedule` and made again from what a job stores by
`stored_schedule`. It answers two questions, `next_instant` and `span`, and the answers depend on nothing but the
schedule and the data of its time zone: no clock, no chance, no state.

Where things are:

- `base`: what every schedule can do; how a reader is told the zone and the anchor.
- `text`: from text to a schedule: the readers, asked one after the other.
- `interval`: `every 5 minutes`; durations.
- `once`: `in 30 minutes`, `2030-05-28 15:30`.
- `cron`: `0 9 * * 1-5`, from text to a pattern; `cronfields`: what each field accepts, and the hints.
- `calendar`: a pattern laid over the stretches of a time zone.
- `pattern`: which times of which days a cron expression names, on a calendar without zones.
- `zones`: time zones, and the daylight-saving rule; `local`: the machine's own zone.
"""

from __future__ import annotations

from aurora_scheduler.schedules.base import Schedule
from aurora_scheduler.schedules.interval import parse_duration
from aurora_scheduler.schedules.local import local_zone_name
from aurora_scheduler.schedules.text import fires, parse_schedule, stored_schedule, to_instant
from aurora_scheduler.schedules.zones import load_zone

__all__ = [
    "Schedule",
    "fires",
    "load_zone",
    "local_zone_name",
    "parse_duration",
    "parse_schedule",
    "stored_schedule",
    "to_instant",
]
