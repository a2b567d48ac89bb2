"""What one "when next?" costs, in microseconds: ours beside croniter's and cronsim's own.

Ours remembers texts that it has read and turns of the clock that it has looked up; the other two remember nothing. So
it is asked in ways that let it remember, and in ways that do not:

- *first*: an expression is read and asked for its first firing after a moment. Ours forgets all before each call, as
  if the process were new.
- *again*: the same, another moment each time, and ours remembers the text and the turns.
- *on*: one that was read is asked again and again for the firing after the last.
- *cold*: one that was read is asked from moments all over fifteen years. Ours forgets all before each call.
- *warm*: the same, and after some rounds ours remembers nearly every turn of those years. An iterator cannot be asked
  so without being made anew, so the others have no *cold* and no *warm*.

The medians of several rounds; the libraries take turns within each. A ratio below 1 says that ours is the slower.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from aurora_scheduler.schedules import parse_schedule

EXPRESSIONS = ["* * * * *", "*/5 9-17 * * 1-5", "0 9 * * 1-5", "30 2 * * *", "0 0 29 2 *"]
ZONE = ZoneInfo("Europe/Berlin")
ROUNDS, CALLS = 9, 300
#: The ways in which ours forgets all before each call.
FORGETFUL = ("first", "cold")
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


NEW = {"ours": ours_new, "croniter": croniter_new, "cronsim": cronsim_new}
WAYS = {
    "first": NEW,
    "again": NEW,
    "on": {"ours": ours_on, "croniter": croniter_on, "cronsim": cronsim_on},
    "cold": {"ours": ours_anywhere},
    "warm": {"ours": ours_anywhere},
}


def caches() -> list[Any]:
    """All that ours remembers between two calls."""
    modules = [module for name, module in sys.modules.items() if name.startswith("aurora_scheduler")]
    return [value for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")]


def cost(ask: Callable[[datetime], object], at: list[datetime], forgotten: list[Any]) -> float:
    """Microseconds a call; what it takes to forget is not counted."""
    spent = 0.0
    for moment in at:
        for cache in forgotten:
            cache.cache_clear()
        began = time.perf_counter()
        ask(moment)
        spent += time.perf_counter() - began
    return spent / len(at) * 1e6


def main() -> None:
    """Print the costs, and the ratios of the others' to ours."""
    print(f"{'us a call':20} {'asked':6} {'ours':>8} {'croniter':>9} {'cronsim':>9}   the others in ours")
    for expression in EXPRESSIONS:
        for way, libraries in WAYS.items():
            # The rarest date has few firings before the calendar ends; an iterator must not run out.
            calls = 60 if way == "on" and expression == "0 0 29 2 *" else CALLS
            rounds = {name: [] for name in libraries}
            forgotten = caches() if way in FORGETFUL else []
            for _ in range(ROUNDS):
                at = moments()[:calls]
                for name, ready in libraries.items():
                    rounds[name].append(cost(ready(expression), at, forgotten))
            medians = {name: statistics.median(each) for name, each in rounds.items()}
            costs = " ".join(f"{medians[name]:9.1f}" if name in medians else " " * 9 for name in NEW)
            ratios = ", ".join(f"{medians[name] / medians['ours']:.2f}" for name in medians if name != "ours")
            print(f"{expression:20} {way:6}{costs}   {ratios}")


if __name__ == "__main__":
    main()
