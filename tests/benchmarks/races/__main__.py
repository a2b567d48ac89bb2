"""One race of one racer, in this process: `python -m benchmarks.races RACER SCENARIO key=value ...`, from `tests`.

Prints one line of JSON: what was measured, and what is wrong with it. A race that lost something is no race.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.races import effects

#: A racer: its module, its class, how it is made.
RACERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "aurora async": ("aurora", "Aurora", {"callback": "async"}),
    "aurora sync": ("aurora", "Aurora", {"callback": "sync"}),
    "aurora async normal": ("aurora", "Aurora", {"callback": "async", "durability": "normal"}),
    "aurora sync normal": ("aurora", "Aurora", {"callback": "sync", "durability": "normal"}),
    "aurora async memory": ("aurora", "Aurora", {"callback": "async", "durability": "memory"}),
    "aurora plain": ("aurora", "AuroraPlain", {}),
    "apscheduler 3": ("apscheduler3", "APScheduler3", {"durability": "full"}),
    "apscheduler 3 normal": ("apscheduler3", "APScheduler3", {"durability": "normal"}),
    "apscheduler 3 memory": ("apscheduler3", "APScheduler3", {"durability": "memory"}),
    "apscheduler 4": ("apscheduler4", "APScheduler4", {"durability": "full"}),
    "huey": ("huey_", "Huey", {}),
}

#: For how long, in seconds, nothing may happen before it is believed that nothing will.
_REST = 5.0


def burst(racer: Any, directory: Path, *, jobs: int, lead: float) -> dict[str, Any]:
    """Jobs that are all due at once, created in the `lead` seconds before: firings a second until the last effect."""
    racer.open(directory)
    due = datetime.now(UTC) + timedelta(seconds=lead)
    racer.once(jobs, due)
    spare = due.timestamp() - time.time()
    _wait_for(jobs, due.timestamp())
    racer.close()
    took = max(moment for _, moment in effects.marks) - due.timestamp()
    wrong = _wrong(Counter(number for number, _ in effects.marks), jobs) + racer.complaints(directory, jobs)
    if spare < 0:
        wrong.append(f"it took {-spare:.1f} s too long to create the jobs")
    return {"rate": jobs / took, "took": took, "wrong": wrong}


def steady(racer: Any, directory: Path, *, jobs: int, seconds: int, lead: float) -> dict[str, Any]:
    """Jobs that run every second, spread over the second: how late, and how many are lost.

    A firing belongs to the latest instant of its job; so who is more than a second late has lost one.
    """
    racer.open(directory)
    begin = datetime.now(UTC) + timedelta(seconds=lead)
    racer.every_second([begin + timedelta(seconds=number / jobs) for number in range(jobs)])
    spare = begin.timestamp() - time.time()
    cpu = time.process_time()
    time.sleep(max(0.0, spare) + seconds)
    cpu = time.process_time() - cpu
    time.sleep(1.5)
    racer.close()
    fired = Counter[tuple[int, int]]()
    late = []
    for number, moment in effects.marks:
        turn, behind = divmod(moment - begin.timestamp() - number / jobs, 1.0)
        if turn < seconds:
            fired[number, int(turn)] += 1
            late.append(behind * 1000)
    cuts = statistics.quantiles(late, n=1000)
    lost, twice = jobs * seconds - len(fired), sum(fired.values()) - len(fired)
    # One that comes more than a second late is lost, and seems to be one too many of a later instant.
    wrong = [f"{twice} effects too many"] if twice > lost else []
    wrong += racer.complaints(directory, len(effects.marks))
    if spare < 0:
        wrong.append(f"it took {-spare:.1f} s too long to create the jobs")
    return {
        "due": jobs * seconds, "lost": lost, "p50": cuts[499], "p99": cuts[989],
        "cuts": cuts, "cpu": cpu / seconds, "wrong": wrong,
    }  # fmt: skip


def create(racer: Any, directory: Path, *, jobs: int, callers: int) -> dict[str, Any]:
    """Creating jobs one by one, alone and in a crowd of callers: milliseconds each, and jobs a second."""
    racer.open(directory)
    racer.add(0)
    took = []
    for number in range(jobs):
        begun = time.perf_counter()
        racer.add(number)
        took.append((time.perf_counter() - begun) * 1000)
    begun = time.perf_counter()
    each = max(1, jobs // callers)
    if hasattr(racer, "crowd"):
        racer.crowd(callers, each)
    else:
        _crowd(racer.add, callers, each)
    rate = callers * each / (time.perf_counter() - begun)
    racer.close()
    return {"alone": statistics.median(took), "rate": rate, "wrong": racer.complaints(directory, 0)}


SCENARIOS: dict[str, Callable[..., dict[str, Any]]] = {"burst": burst, "steady": steady, "create": create}


def _crowd(add: Callable[[int], None], callers: int, each: int) -> None:
    def call() -> None:
        for number in range(each):
            add(number)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _wait_for(count: int, due: float) -> None:
    time.sleep(max(0.0, due - time.time()))
    before, since = -1, time.monotonic()
    while len(effects.marks) < count and time.monotonic() - since < _REST:
        if len(effects.marks) > before:
            before, since = len(effects.marks), time.monotonic()
        time.sleep(0.02)


def _wrong(ran: Counter[int], jobs: int) -> list[str]:
    missing = sum(number not in ran for number in range(jobs))
    return [
        *([f"{missing} of {jobs} had no effect"] if missing else []),
        *([f"{ran.total() - len(ran)} effects too many"] if ran.total() > len(ran) else []),
    ]


def main(name: str, scenario: str, *options: str) -> None:
    """Run it."""
    module, kind, how = RACERS[name]
    racer = getattr(import_module(f"benchmarks.races.{module}"), kind)(**how)
    given = {key: json.loads(value) for key, value in (option.split("=") for option in options)}
    with tempfile.TemporaryDirectory() as directory:
        measured = SCENARIOS[scenario](racer, Path(directory), **given)
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
