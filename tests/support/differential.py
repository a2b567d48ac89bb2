"""Random cron expressions around the turns of clocks, as the scheduler reads them and as a daemon sees them.

Run as a program it goes through every zone of the zone data: `nox -s oracle`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from zoneinfo import ZoneInfo

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import aware, instant_of
from aurora_scheduler.schedules import Schedule, fires, parse_schedule
from support.daemon import MINUTE, Expression, Watch, all_zones, draw_expression, draw_start

MINUTES = 3 * 1440
#: So many expressions are tried in a window of time, whose clock is read once.
A_WINDOW = 6


@dataclass
class Tally:
    """What was tried, how much of it the rule for fixed expressions decides, and a line for each disagreement."""

    cases: int = 0
    decided: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count in what was tried elsewhere."""
        self.cases += other.cases
        self.decided += other.decided
        self.wrong += other.wrong


def tried(seed: str, zone_name: str, windows: int) -> Tally:
    """So many windows of time in a zone, most of them about a turn of its clock."""
    chance = random.Random(f"{seed} {zone_name}")
    zone = ZoneInfo(zone_name)
    tally = Tally()
    for _ in range(windows):
        watch = Watch(zone, draw_start(chance, zone), MINUTES)
        for _ in range(A_WINDOW):
            expression = draw_expression(chance, watch.interesting())
            tally.cases += 1
            tally.decided += watch.is_decided(expression)
            tally.wrong += _compared(chance, watch, expression)
    return tally


def _compared(chance: random.Random, watch: Watch, expression: Expression) -> Iterable[str]:
    case = f"{expression.text!r} in {watch.zone.key} from {watch.start}"
    expected = [instant_of(each) for each in watch.firings(expression)]
    first = instant_of(watch.start)
    end = instant_of(watch.start + watch.minutes * MINUTE)
    try:
        schedule = parse_schedule(expression.text, watch.zone.key)
    except ScheduleError as error:
        if expected or "never fire" not in str(error):
            yield f"{case}: {error}"
        return
    found = fires(schedule, first - 1, len(expected) + 1, end - 1)
    if found != expected:
        odd = min(set(found) ^ set(expected), default=first)
        yield f"{case}: {'not ' * (odd not in found)}found at {aware(odd, watch.zone)}"
        return
    for _ in range(3):
        yield from (f"{case}: {line}" for line in _looked_at(schedule, expected, first, end, chance))


def _looked_at(schedule: Schedule, expected: list[int], first: int, end: int, chance: random.Random) -> Iterable[str]:
    """The schedule asked from a point within: a firing, or anywhere."""
    point = chance.choice(expected) if expected and chance.random() < 0.5 else chance.randrange(first, end)
    after, before = [each for each in expected if each > point], [each for each in expected if each < point]
    following, last = schedule.next_instant(point), schedule.previous_instant(point)
    if (following if following is not None and following < end else None) != (after[0] if after else None):
        yield f"next after {aware(point)} is {following}"
    if (last if last is not None and last >= first else None) != (before[-1] if before else None):
        yield f"previous before {aware(point)} is {last}"
    if schedule.count(point, end - 1) != len(after):
        yield f"{schedule.count(point, end - 1)} are counted after {aware(point)}, and there are {len(after)}"
    if before and schedule.span(before[0], point - 1) != (before[-1], len(before)):
        yield f"the span to {aware(point)} is {schedule.span(before[0], point - 1)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="0", help="another seed, other cases")
    parser.add_argument("--windows", type=int, default=8, help="windows of time in each zone, of 6 expressions each")
    said = parser.parse_args()
    began = time.monotonic()
    tally = Tally()
    with multiprocessing.get_context("spawn").Pool() as pool:
        for part in pool.imap_unordered(partial(_in_zone, said.seed, said.windows), all_zones(), chunksize=8):
            tally.add(part)
            for line in part.wrong:
                print(line)
    seconds = time.monotonic() - began
    print(f"{tally.cases:,} cases in {len(all_zones())} zones; in {tally.decided:,} the rule for fixed ones decides")
    print(f"{len(tally.wrong)} disagreements, {seconds:.0f} s")
    sys.exit(1 if tally.wrong else 0)


def _in_zone(seed: str, windows: int, zone_name: str) -> Tally:
    return tried(seed, zone_name, windows)


if __name__ == "__main__":
    main()
