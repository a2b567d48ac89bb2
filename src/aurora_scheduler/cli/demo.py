"""The demonstration: a scheduler in a process of its own, watched from this one, killed half-way, and started again."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import anyio.to_thread
import click

from aurora_scheduler.cli.demo_check import missing_records
from aurora_scheduler.cli.demo_screen import Lines, Screen, screen
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.instants import SECOND
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, ExecutionStatus

__all__ = ["show"]

#: How long, in seconds, the scheduler stays dead, and how often it is looked at.
_DEAD, _LOOK = 4.0, 0.2
_MANY = 100_000


def show(path: Path, seconds: int, database: Path | None) -> int:
    """Run the demonstration on the files under `path`; 0 if everything that was promised was seen."""
    kept = nullcontext(str(database.parent)) if database is not None else tempfile.TemporaryDirectory(prefix="aurora-")
    with kept as directory:
        file = database if database is not None else Path(directory, "demo.db")
        try:
            return anyio.run(_run, path, seconds, file, backend="trio")
        except KeyboardInterrupt:
            click.echo("stopped")
            return 130


async def _run(path: Path, seconds: int, file: Path) -> int:
    clock = SystemClock()
    click.echo(f"Five jobs for {seconds} seconds, in {file}; the index is of {path}")
    ends = clock.now() + seconds * SECOND
    manager = SchedulerManager(file)
    await manager.initialize()  # and no start(): this process looks, it does not fire
    try:
        with screen() as shown:
            async with _scheduler(file, path) as child:
                await _watch(manager, shown, clock, clock.now() + seconds * SECOND // 2)
                victim = await _running(manager, shown, clock)
                child.kill()
                shown.say(f"killed the scheduler (SIGKILL){f' while {victim.job_name} ran' if victim else ''}")
            await _watch(manager, shown, clock, clock.now() + round(_DEAD * SECOND))
            shown.say("started it again, on the same file")
            async with _scheduler(file, path):
                await _watch(manager, shown, clock, max(ends, clock.now() + 3 * SECOND))
            await _look(manager, shown)
        return await _conclude(manager, file)
    finally:
        with anyio.CancelScope(shield=True):
            await manager.stop(drain=0)


@asynccontextmanager
async def _scheduler(file: Path, path: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The process that fires; at the end it is asked to stop, by the end of its standard input, and waited for."""
    command = [sys.executable, "-m", "aurora_scheduler.cli.demo_child", str(file), str(path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: ASYNC220  # it is waited for below, in a thread
    assert child.stdin is not None
    try:
        yield child
    finally:
        child.stdin.close()
        with anyio.CancelScope(shield=True), anyio.move_on_after(20):
            await anyio.to_thread.run_sync(child.wait, abandon_on_cancel=True)
        child.kill()
        child.wait()


async def _watch(manager: SchedulerManager, shown: Screen | Lines, clock: SystemClock, until: int) -> None:
    while clock.now() < until:
        await _look(manager, shown)
        await anyio.sleep(_LOOK)


async def _look(manager: SchedulerManager, shown: Screen | Lines) -> None:
    shown.update(await manager.get_all_jobs(), await manager.get_executions(limit=_MANY))


async def _running(manager: SchedulerManager, shown: Screen | Lines, clock: SystemClock) -> Execution | None:
    """Wait a moment for a callback that runs: killing it is what shows something."""
    until = clock.now() + 4 * SECOND
    while clock.now() < until:
        running = await manager.get_executions(status=ExecutionStatus.RUNNING)
        if running:
            return running[0]
        await _look(manager, shown)
        await anyio.sleep(0.01)
    return None


async def _conclude(manager: SchedulerManager, file: Path) -> int:
    """Count what the history says, and see whether every firing that came due is in it."""
    jobs = await manager.get_all_jobs()
    rows = await manager.get_executions(limit=_MANY)
    click.echo("\nThe history, from the database:")
    for job in jobs:
        counts = Counter(str(row.status) for row in rows if row.job_id == job.id)
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        click.echo(f"  {job.name:8} {job.schedule_value:16} {told}")
    problems = [f"{job.name}: {problem}" for job in jobs for problem in missing_records(job, rows)]
    copy = file.with_suffix(".backup.db")
    problems += [] if copy.exists() else ["the backup was not made"]
    for problem in problems:
        click.echo(f"  {problem}")
    if problems:
        click.echo("Something was lost.")
        return 1
    due = sum(row.count for row in rows if row.attempt == 1)
    lost = sum(row.status is ExecutionStatus.LOST for row in rows)
    missed = sum(row.count for row in rows if row.status is ExecutionStatus.MISSED)
    click.echo(
        f"Nothing was lost: {due} firings came due, and {due} have their record. The kill cut {lost} short, which ran "
        f"again; of what came due meanwhile each job's latest ran late, and {missed} before it are recorded as missed."
    )
    return 0
