"""How long virtual years take: a year of a hundred hourly jobs, and ten years of one; every firing is checked."""

from __future__ import annotations

import time
from collections import Counter

from aurora_scheduler import ExecutionStatus
from aurora_scheduler.testing import simulated


def work() -> None:
    """A plain callback."""


async def work_async() -> None:
    """An async one."""


def live(jobs: int, said: str, hours: int, callback: object) -> None:
    """Live so long with so many jobs, and tell what it took."""
    with simulated(start="2030-01-01", timezone="Europe/Berlin") as sim:
        for number in range(jobs):
            sim.cron.schedule_relative(name=f"job {number}", relative_time="every 1 hour", callback=callback)
        begun = time.perf_counter()
        sim.advance(said)
        took = time.perf_counter() - begun
        rows = sim.cron.get_executions(limit=10**7)
    assert Counter(row.status for row in rows) == {ExecutionStatus.SUCCEEDED: jobs * hours}, "something was lost"
    assert len({(row.job_id, row.scheduled) for row in rows}) == jobs * hours
    print(
        f"{said} of {jobs} hourly jobs, {getattr(callback, '__name__', callback)}: {took:.0f} s, "
        f"{jobs * hours:,} firings, {took / jobs / hours * 1e6:.0f} us each",
        flush=True,
    )


if __name__ == "__main__":
    live(1, "10 years", 87_648, work)
    live(100, "1 year", 8_760, work)
    live(100, "1 year", 8_760, work_async)
