"""Whether anything grows: a thousand mixed jobs for an hour, or for simulated days; memory, log, files and threads.

From `tests`: `python -m benchmarks.soak` takes an hour; `--simulated "24 hours"` some minutes. History is kept to 20
rows a job, so that the database itself comes to rest, too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aurora_scheduler import NewJob, SchedulerManager
from aurora_scheduler.testing import simulated

_KEEP = 20
calls: Counter[str] = Counter()


def plain(number: int) -> dict[str, Any]:
    """In a worker thread; one in ten fails."""
    calls["plain"] += 1
    return {"success": number % 10 != 0, "number": number}


async def asynchronous(number: int) -> dict[str, Any]:
    """In the scheduler's loop; one in ten raises."""
    calls["async"] += 1
    if number % 10 == 1:
        raise RuntimeError("one in ten")
    return {"number": number}


def jobs_of(count: int, unit: str) -> list[NewJob]:
    """Jobs of every kind: intervals of 5 to 104 units, cron, phrases; retries, queues, timeouts."""
    said = [f"every {5 + number % 100} {unit}" for number in range(count)]
    said[::10] = ["*/2 * * * *"] * len(said[::10])
    said[5::20] = ["every 15 minutes between 09:00 and 17:00"] * len(said[5::20])
    return [
        NewJob(
            name=f"job {number}",
            schedule=schedule,
            callback=plain if number % 2 else asynchronous,
            callback_args={"number": number},
            max_retries=1000,
            retry_delay=f"{1 + number % 7} {unit}",
            overlap=["skip", "queue_one", "allow"][number % 3],
            timeout=30 if number % 5 == 0 else None,
        )
        for number, schedule in enumerate(said)
    ]


def sample(path: Path | None) -> dict[str, float]:
    """What there is of the process now: MiB, and numbers of things."""
    status = Path("/proc/self/status").read_text()
    wal = Path(f"{path}-wal")
    return {
        "MiB": int(status.split("VmRSS:")[1].split()[0]) / 1024,
        "WAL MiB": wal.stat().st_size / 2**20 if path is not None and wal.exists() else 0.0,
        "database MiB": path.stat().st_size / 2**20 if path is not None else 0.0,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "calls": calls.total(),
    }


def show(hours: float, seen: dict[str, float]) -> None:
    """One line."""
    print(f"{hours:6.2f} h  " + "  ".join(f"{name} {value:,.1f}" for name, value in seen.items()), flush=True)


async def really(path: Path, minutes: int, every: float) -> list[tuple[float, dict[str, float]]]:
    """In real time, with a sample every so many seconds."""
    begun, seen = time.monotonic(), []
    async with SchedulerManager(path, timezone="UTC", keep_executions=_KEEP) as manager:
        await manager.create_jobs(jobs_of(1000, "seconds"))
        for turn in range(1, int(minutes * 60 / every) + 1):
            await asyncio.sleep(begun + turn * every - time.monotonic())
            seen.append((turn * every / 3600, sample(path)))
            show(*seen[-1])
    return seen


def in_virtual_time(said: str, jobs: int) -> list[tuple[float, dict[str, float]]]:
    """Simulated, with a sample every simulated hour."""
    seen = []
    with simulated(start="2030-03-30", timezone="Europe/Berlin", keep_executions=_KEEP) as sim:
        for new in jobs_of(jobs, "minutes"):
            sim.cron.schedule_from_text(
                name=new.name, schedule_text=new.schedule, callback=new.callback,
                callback_args=new.callback_args, **new.options,
            )  # fmt: skip
        for hour in range(int(said.split()[0])):
            sim.advance("1 hour")
            gc.collect()
            seen.append((hour + 1.0, sample(None)))
            show(*seen[-1])
    return seen


def growth(seen: list[tuple[float, dict[str, float]]], warm: float) -> float:
    """MiB an hour, by least squares over what came after the warm-up."""
    points = [(hours, each["MiB"]) for hours, each in seen if hours >= warm]
    middle = sum(hours for hours, _ in points) / len(points)
    mean = sum(mib for _, mib in points) / len(points)
    return sum((hours - middle) * (mib - mean) for hours, mib in points) / sum(
        (hours - middle) ** 2 for hours, _ in points
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--simulated", help='such as "24 hours"')
    parser.add_argument("--jobs", type=int, default=1000)
    asked = parser.parse_args()
    if asked.simulated:
        came = in_virtual_time(asked.simulated, asked.jobs)
    else:
        with tempfile.TemporaryDirectory() as directory:
            came = asyncio.run(really(Path(directory, "jobs.db"), asked.minutes, 60.0))
    last = came[-1][0]
    print(f"after a quarter: {growth(came, last / 4):+.2f} MiB an hour")
    for name in ("WAL MiB", "files", "threads"):
        values = [each[name] for hours, each in came if hours >= last / 4]
        print(f"{name}: {min(values):.1f} to {max(values):.1f}")
