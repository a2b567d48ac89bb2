"""A first reading: 1,000 jobs `every 1 second`, spread over the second, for 20 seconds, on a file, fully durable.

Prints how many firings came due, how many have a record, how many were lost, and how late the callbacks began; then
what `import aurora_scheduler` takes beside `import trio`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from aurora_scheduler import Execution, ExecutionStatus, NewJob, SchedulerManager

JOBS = 1000
SECONDS = 20


def tick() -> None:
    """A callback that does nothing, in a worker thread."""


async def atick() -> None:
    """A callback that does nothing, in the scheduler's loop."""


async def read(callback: str, directory: Path) -> None:
    """Create the jobs at once, fire them, pause them, and count what stands in the history."""
    async with SchedulerManager(directory / f"{callback}.db", keep_executions=10 * SECONDS) as manager:
        begin = datetime.now(UTC) + timedelta(seconds=2)
        ids = await manager.create_jobs(
            NewJob(
                name=f"job {number}",
                schedule="every 1 second",
                callback=globals()[callback],
                start_at=begin + timedelta(seconds=number / JOBS),
            )
            for number in range(JOBS)
        )
        await trio.sleep(2 + SECONDS)
        for job_id in ids:
            await manager.deactivate_job(job_id)
        jobs = await manager.get_all_jobs()
    async with SchedulerManager(directory / f"{callback}.db", keep_executions=10 * SECONDS) as manager:
        rows = [row for job_id in ids for row in await manager.get_executions(job_id, limit=10 * SECONDS)]
    expected = sum((job.updated_at - job.start_at) // timedelta(seconds=1) + 1 for job in jobs if job.start_at)
    report(callback, expected, rows)


def report(callback: str, expected: int, rows: list[Execution]) -> None:
    """Print the reading."""
    recorded = sum(row.count for row in rows)
    ran = [row for row in rows if row.status is ExecutionStatus.SUCCEEDED]
    late = sorted(row.lateness.total_seconds() * 1000 for row in ran if row.lateness is not None)
    cuts = statistics.quantiles(late, n=100)
    print(
        f"{callback:6} {JOBS} jobs every 1 second, {SECONDS} s: {expected} firings due, {recorded} recorded, "
        f"{len(ran)} succeeded, {expected - recorded} lost; lateness p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"
    )


def imports() -> None:
    """Print the median time of importing, in a fresh process each."""
    for module in ("trio", "trio, anyio, sqlite_utils", "aurora_scheduler"):
        code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        runs = [
            float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
            for _ in range(9)
        ]
        print(f"import {module}: {statistics.median(runs) * 1000:.0f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        trio.run(read, "tick", Path(directory))
        trio.run(read, "atick", Path(directory))
    imports()
