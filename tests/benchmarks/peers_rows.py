"""The worked examples of cron and daylight saving, read by four libraries.

Each row of `tests/schedules/cron_oracle.json` is an expression, a time zone, a moment, and the firings that follow by
the rule of Debian's cron. Most are of daylight saving, some of the dialect alone: two day fields, 7 for Sunday, `1#2`.
A row is right for a library if these come, in this order; an exception, or a firing that does not move on, is wrong.
The others are used as their documentation shows, with aware datetimes. `--rows` shows each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim

from aurora_scheduler import parse_schedule

ROWS = json.loads(Path(__file__).parents[1].joinpath("schedules", "cron_oracle.json").read_text())["rows"]


def ours(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    """Aurora Scheduler."""
    schedule = parse_schedule(expression, zone)
    found = [start]
    while len(found) <= count:
        found.append(schedule.next_fire(found[-1]))
    return found[1:]


def by_croniter(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    """Its own next, started at the local time; `5L` is `L5` to it, and its rule for two day fields is asked for."""
    words = expression.split()
    if words[-1][:-1].isdigit() and words[-1].endswith("L"):
        words[-1] = f"L{words[-1][:-1]}"
    found = croniter(" ".join(words), start.astimezone(ZoneInfo(zone)), implement_cron_bug=True)
    return [found.get_next(datetime) for _ in range(count)]


def by_cronsim(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    """An iterator, started at the local time."""
    return list(islice(CronSim(expression, start.astimezone(ZoneInfo(zone))), count))


def by_apscheduler(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    """A trigger made of the five fields."""
    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    found: list[datetime] = []
    while len(found) < count:
        previous = found[-1] if found else None
        moment = trigger.get_next_fire_time(previous, (previous or start) + timedelta(microseconds=1))
        if moment is None:
            break
        found.append(moment)
    return found


LIBRARIES: dict[str, Callable[[str, str, datetime, int], list[datetime]]] = {
    "aurora-scheduler": ours,
    "croniter": by_croniter,
    "cronsim": by_cronsim,
    "APScheduler": by_apscheduler,
}


def is_right(library: Callable[..., list[datetime]], row: dict[str, Any]) -> bool:
    """Whether the library finds the row's firings."""
    expected = [datetime.fromisoformat(text).astimezone(UTC) for text in row["expected"]]
    start = datetime.fromisoformat(row["start"])
    try:
        found = library(row["expr"], row["tz"], start, len(expected))
    except Exception:  # whatever a library raises here, it does not answer
        return False
    return [moment.astimezone(UTC) for moment in found] == expected


def main() -> None:
    """Print rows right of rows, for each library."""
    marks = {name: [is_right(library, row) for row in ROWS] for name, library in LIBRARIES.items()}
    if "--rows" in sys.argv:
        for index, row in enumerate(ROWS):
            right = " ".join("yes" if marks[name][index] else "NO " for name in LIBRARIES)
            print(f"{right}  {row['id']}: {row['expr']} in {row['tz']}")
    for name, rights in marks.items():
        release = "" if name == "aurora-scheduler" else f" {version(name)}"
        print(f"{name + release:24} {sum(rights):3} of {len(ROWS)} rows right")


if __name__ == "__main__":
    main()
