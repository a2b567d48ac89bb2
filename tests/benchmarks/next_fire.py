"""What one "when next?" costs, in microseconds: ours beside croniter's and cronsim's own.

Three ways to ask, the same for each library where it has them:

- *new*: an expression is read and asked for its first firing after a moment, another moment each time. Ours keeps the
  expressions that it has read; croniter does too.
- *on*: one that was read is asked again and again for the firing after the last.
- *anywhere*: one that was read is asked from moments all over fifteen years, so that nothing is near what was asked
  before. An iterator cannot be asked so without being made anew.

The medians of several rounds; the libraries take turns within each.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from aurora_scheduler.schedules import parse_schedule

EXPRESSIONS = ["* * * * *", "*/5 9-17 * * 1-5", "0 9 * * 1-5", "30 2 * * *", "0 0 29 2 *"]
ZONE = ZoneInfo("Europe/Berlin")
ROUNDS, CALLS = 9, 300
chance = random.Random(1)


def moments() -> list[datetime]:
    """Moments all over fifteen years."""
    first = datetime(2020, 1, 1, tzinfo=UTC)
    return [(first + timedelta(seconds=chance.randrange(15 * 365 * 86_400))).astimezone(ZONE) for _ in range(CALLS)]


def ours_new(expression: str) -> Callable[[datetime], object]:
    return lambda moment: parse_schedule(expression, ZONE.key).next_fire(moment)


def ours_on(expression: str) -> Callable[[datetime], object]:
    schedule, last = parse_schedule(expression, ZONE.key), [datetime(2025, 1, 1, tzinfo=ZONE)]

    def ask(_: datetime) -> None:
        last[0] = schedule.next_fire(last[0]) or datetime(2025, 1, 1, tzinfo=ZONE)

    return ask


def ours_anywhere(expression: str) -> Callable[[datetime], object]:
    return parse_schedule(expression, ZONE.key).next_fire


def croniter_new(expression: str) -> Callable[[datetime], object]:
    return lambda moment: croniter(expression, moment, implement_cron_bug=True).get_next(datetime)


def croniter_on(expression: str) -> Callable[[datetime], object]:
    found = croniter(expression, datetime(2025, 1, 1, tzinfo=ZONE), implement_cron_bug=True)
    return lambda _: found.get_next(datetime)


def cronsim_new(expression: str) -> Callable[[datetime], object]:
    return lambda moment: next(CronSim(expression, moment))


def cronsim_on(expression: str) -> Callable[[datetime], object]:
    found = CronSim(expression, datetime(2025, 1, 1, tzinfo=ZONE))
    return lambda _: next(found)


WAYS = {
    "new": {"ours": ours_new, "croniter": croniter_new, "cronsim": cronsim_new},
    "on": {"ours": ours_on, "croniter": croniter_on, "cronsim": cronsim_on},
    "anywhere": {"ours": ours_anywhere},
}


def cost(ask: Callable[[datetime], object], at: list[datetime]) -> float:
    """Microseconds a call."""
    began = time.perf_counter()
    for moment in at:
        ask(moment)
    return (time.perf_counter() - began) / len(at) * 1e6


def main() -> None:
    """Print the costs, and the ratios of the others' to ours."""
    print(f"{'us a call':20} {'asked':10} {'ours':>8} {'croniter':>9} {'cronsim':>9}   the others in ours")
    for expression in EXPRESSIONS:
        for way, libraries in WAYS.items():
            # The rarest date has few firings before the calendar ends; an iterator must not run out.
            calls = 60 if way == "on" and expression == "0 0 29 2 *" else CALLS
            rounds = {name: [] for name in libraries}
            for _ in range(ROUNDS):
                at = moments()[:calls]
                for name, ready in libraries.items():
                    rounds[name].append(cost(partial(ready(expression)), at))
            medians = {name: statistics.median(each) for name, each in rounds.items()}
            costs = " ".join(f"{medians[name]:9.1f}" if name in medians else " " * 9 for name in WAYS["new"])
            ratios = ", ".join(f"{medians[name] / medians['ours']:.1f}" for name in medians if name != "ours")
            print(f"{expression:20} {way:10}{costs}   {ratios}")


if __name__ == "__main__":
    main()
