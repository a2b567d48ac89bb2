"""The answer to one question: what comes after this instant.

A schedule is a frozen value, made from text by `parse_schedule` and made again from what a job stores by
`stored_schedule`. It says which instant comes next and which came before, counts them, and tells in words what it
means. The answers depend on nothing but the schedule and the data of its time zone: no clock, no chance, no state.

Where things are, from the ground up:

- `zones`: time zones, and the daylight-saving rule; `local`: the machine's own zone.
- `names`, `words`: what people call days and numbers; a text as words that know where they stand.
- `base`: what every schedule can do; what a reader is told besides the text.
- `amounts`, `daytimes`: `1 hour 30 minutes`, `9am`.
- `interval`: `every 5 minutes`. `once`: `in 30 minutes`, `2030-05-28 15:30`. `upcoming`: `tomorrow at noon`.
- `pattern`: wall times on a calendar without zones; `calendar`: a pattern laid over the stretches of a zone;
  `describing`, `oddities`: both told in words.
- `cron`: `0 9 * * 1-5`, from text to a pattern; `cronfields`: what each field accepts, and the hints.
- `phrase`: `every monday at 9am`, from words to a pattern.
- `limits`: excluded days, and a part of the day, over any schedule.
- `zonedata`: which data of a zone there are; what to do when they have changed.
- `text`: from text to a schedule; `nearest`: what may have been meant by a text that is none.
"""

from __future__ import annotations

from aurora_scheduler.schedules.amounts import parse_duration
from aurora_scheduler.schedules.base import Oddity, Schedule
from aurora_scheduler.schedules.daytimes import parse_time_of_day
from aurora_scheduler.schedules.limits import excluded_fires, limited
from aurora_scheduler.schedules.local import local_zone_name
from aurora_scheduler.schedules.names import clock_text
from aurora_scheduler.schedules.text import (
    fires,
    parse_schedule,
    stored_schedule,
    to_instant,
    zone_said,
)
from aurora_scheduler.schedules.zonedata import accounted, wall_before, zone_data
from aurora_scheduler.schedules.zones import load_zone

__all__ = [
    "Oddity",
    "Schedule",
    "accounted",
    "clock_text",
    "excluded_fires",
    "fires",
    "limited",
    "load_zone",
    "local_zone_name",
    "parse_duration",
    "parse_schedule",
    "parse_time_of_day",
    "stored_schedule",
    "to_instant",
    "wall_before",
    "zone_data",
    "zone_said",
]
