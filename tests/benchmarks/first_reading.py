"""A first reading: 1,000 jobs `every 1 second` for 20 seconds, on a file, with the default durability.

Prints how many firings came due, how many have a record, how many were lost, and how late the callbacks began; then
what `import aurora_scheduler` takes beside `import trio`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from aurora_scheduler import CronService, Execution, ExecutionStatus

JOBS = 1000
SECONDS = 20


def tick() -> None:
    """A callback that does nothing, in a worker thread."""


async def atick() -> None:
    """A callback that does nothing, in the scheduler's loop."""


def read(callback: str, directory: Path) -> None:
    """Fire the jobs, stop, and count what stands in the history."""
    with CronService(directory / f"{callback}.db", keep_executions=10 * SECONDS) as cron:
        ids = [
            cron.schedule_relative(name=f"job {number}", relative_time="every 1 second", callback=globals()[callback])
            for number in range(JOBS)
        ]
        threading.Event().wait(SECONDS)
        anchors = {job.id: job.created_at for job in cron.get_all_jobs()}
        for job_id in ids:
            cron.pause_job(job_id)
        ends = {job_id: cron.get_job(job_id).updated_at for job_id in ids}  # type: ignore[union-attr]
    with CronService(directory / f"{callback}.db") as cron:
        rows = [row for job_id in ids for row in cron.get_executions(job_id, limit=10 * SECONDS)]
    expected = sum(int((ends[job_id] - anchors[job_id]).total_seconds()) for job_id in ids)
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
        read("tick", Path(directory))
        read("atick", Path(directory))
    imports()
