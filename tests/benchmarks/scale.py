"""What very many stored jobs cost: the start, the memory, an idle minute, and a burst beside them.

Each number of jobs has a database, and a process of its own that fires them. Nearly all are due some hours later, each
at its own second; one is overdue when the process starts. From `tests`: `python -m benchmarks.scale 1000 100000`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aurora_scheduler import NewJob, SchedulerManager
from benchmarks.races import effects

#: How many jobs one call creates, and how many a burst has.
_BATCH = 10_000
_SPREAD = 40_000  # seconds, from six hours after the start


async def fill(path: Path, count: int) -> float:
    """Store so many jobs; how long that took for each, in microseconds."""
    first = datetime.now(UTC) + timedelta(hours=6)
    manager = SchedulerManager(path, timezone="UTC")
    await manager.initialize()  # and not started: nothing fires
    await manager.create_job(
        name="overdue", schedule="in 1 second", callback=effects.note_async, callback_args={"number": -1}
    )
    begun = time.perf_counter()
    for start in range(0, count - 1, _BATCH):
        jobs = [
            NewJob(
                name=f"job {number}",
                schedule="every 1 day",
                callback=effects.note_async,
                callback_args={"number": number},
                start_at=first + timedelta(seconds=number % _SPREAD),
            )
            for number in range(start, min(count - 1, start + _BATCH))
        ]
        await manager.create_jobs(jobs)
    took = time.perf_counter() - begun
    await manager.stop()
    return took / count * 1e6


async def live(path: Path, begun: float, idle: float) -> dict[str, Any]:
    """Fire what is stored; what is seen of it. `begun` is when the process was started."""
    manager = SchedulerManager(path, timezone="UTC")
    await manager.initialize()
    manager.start()
    while not effects.marks:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    seen: dict[str, Any] = {"first": effects.marks[0][1] - begun}
    before = -1
    while before != (before := (await manager.health()).jobs):  # noqa: ASYNC110
        await asyncio.sleep(1)
    await asyncio.sleep(5)
    seen |= {"started": time.time() - begun - 6, "jobs here": before, "memory": _memory(), "peak": _peak()}
    cpu = time.process_time()
    time.sleep(idle)  # noqa: ASYNC251  # the scheduler is to have nothing to do, not even from here
    seen["idle"] = (time.process_time() - cpu) / idle
    seen["rate"] = await burst(manager)
    seen["peak at the end"] = _peak()
    seen["threads"] = threading.active_count()
    await manager.stop()
    return seen


async def burst(manager: SchedulerManager) -> float:
    """As many one-off jobs, all due at once, beside the others: firings a second."""
    effects.marks.clear()
    due = datetime.now(UTC) + timedelta(seconds=8)
    await manager.create_jobs(
        [
            NewJob(
                name=f"burst {number}",
                schedule=due.isoformat(),
                callback=effects.note_async,
                callback_args={"number": number},
            )
            for number in range(_BATCH)
        ]
    )
    while len(effects.marks) < _BATCH:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    assert len({number for number, _ in effects.marks}) == _BATCH, "something ran twice"
    return _BATCH / (max(moment for _, moment in effects.marks) - due.timestamp())


def _memory() -> float:
    fields = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) / 1024


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int, idle: float) -> dict[str, Any]:
    """Store so many jobs, and have a process fire them."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "jobs.db")
        stored = asyncio.run(fill(path, count))
        time.sleep(2)
        command = [sys.executable, "-m", "benchmarks.scale", "--live", str(path), "--idle", str(idle)]
        done = subprocess.run([*command, "--begun", repr(time.time())], stdout=subprocess.PIPE, check=True)
        seen: dict[str, Any] = json.loads(done.stdout)
        size = path.stat().st_size / 2**20
    return {"stored": count, "us each": stored, "MiB on disk": size} | seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 50_000, 100_000, 1_000_000])
    parser.add_argument("--idle", type=float, default=30.0)
    parser.add_argument("--live", type=Path)
    parser.add_argument("--begun", type=float, default=0.0)
    asked = parser.parse_args()
    if asked.live is not None:
        print(json.dumps(asyncio.run(live(asked.live, asked.begun, asked.idle))))
    else:
        for each in asked.counts:
            for name, value in measure(each, asked.idle).items():
                print(f"{name:>16}: {value:,.4g}" if isinstance(value, float) else f"{name:>16}: {value:,}", flush=True)
            print()
