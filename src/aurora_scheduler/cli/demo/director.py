"""The course of the demo: start, watch, kill, wait, start again, watch, end; then the accounts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import anyio
from anyio.abc import Process

from aurora_scheduler.cli.demo.board import Board
from aurora_scheduler.cli.demo.running import check_alive, end, kill, scheduler_process
from aurora_scheduler.cli.demo.snapshot import Snapshot, now, take
from aurora_scheduler.cli.demo.stage import Stage
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.texts import counted
from aurora_scheduler.manager import SchedulerManager

__all__ = ["Ending", "direct"]

_GLANCE = 0.2
#: Starting Python, opening the database, creating the jobs: long only on a machine that is very busy.
_START = 60.0
#: How long to wait for a moment in which something runs, to kill it then.
_PROWL = 4.0
#: How long the scheduler stays dead: longer than the shortest interval, so that something is missed.
_DEAD = 2.5
#: How long the second life lasts at least.
_SECOND = 3.0
#: How long to wait for a moment in which nothing runs and nothing is about to.
_SETTLE = 5.0
_QUIET = 0.4


@dataclass(frozen=True, slots=True)
class Ending:
    """What is there when both lives of the scheduler are over."""

    snapshot: Snapshot
    until: datetime
    """When the last life was asked to end: what fell due until then must be recorded."""


async def direct(stage: Stage, seconds: float, log: Path, board: Board) -> Ending:
    """Play the demo, of about so many seconds; nothing of it runs any more afterwards.

    Raises:
        Failure: the scheduler's process ended on its own, or did not get going.
        StoreError: the database cannot be used.
    """
    began = now()
    async with _client(stage.database) as manager:
        watch = _Watch(manager, board, log)
        async with scheduler_process(stage, log) as process:
            if not await watch.until(lambda seen: len(seen.jobs) > 0, _START, process):
                raise Failure(f"the scheduler's process {process.pid} has created no jobs in {_START:.0f} seconds")
            board.say(f"the scheduler works in process {process.pid}; this one, {now():%H:%M:%S} UTC, only looks")
            await watch.while_passes(began + timedelta(seconds=seconds / 2), process)
            await watch.until(lambda seen: bool(seen.under_way), _PROWL, process)
            await kill(process)
        seen = await watch.look("dead")
        caught = [each.job_name for each in seen.under_way]
        board.say(f"KILLED process {process.pid} (SIGKILL) while {_listed(caught)}")
        await watch.while_passes(now() + timedelta(seconds=_DEAD))
        async with scheduler_process(stage, log) as process:
            board.say(f"STARTED again on the same file, in process {process.pid}")
            ends = max(began + timedelta(seconds=seconds), now() + timedelta(seconds=_SECOND))
            await watch.until(lambda seen: not _is_anything_overdue(seen), _START, process)
            await watch.while_passes(ends, process)
            await watch.until(lambda seen: seen.is_quiet(_QUIET), _SETTLE, process)
            until = now()
            await end(process)
        board.say(f"STOPPED process {process.pid} gently (SIGTERM); it ended with {process.returncode}")
        if process.returncode != 0:
            raise Failure(f"the scheduler's process did not end well: {process.returncode}")
        return Ending(await watch.look("stopped"), until)


@asynccontextmanager
async def _client(database: Path) -> AsyncGenerator[SchedulerManager]:
    """A manager that is open, and not started: it fires nothing, and never takes over."""
    manager = SchedulerManager(database)
    await manager.initialize()
    try:
        yield manager
    finally:
        with anyio.CancelScope(shield=True):
            await manager.stop(drain=0)


class _Watch:
    """Looks at the store again and again, and shows what it sees."""

    def __init__(self, manager: SchedulerManager, board: Board, log: Path) -> None:
        self._manager = manager
        self._board = board
        self._log = log

    async def look(self, scheduler: str) -> Snapshot:
        """Look once."""
        seen = await take(self._manager)
        self._board.show(seen, scheduler)
        return seen

    async def until(self, fact: Callable[[Snapshot], bool], patience: float, process: Process) -> bool:
        """Look until something is so, at most so many seconds; whether it is."""
        ends = now() + timedelta(seconds=patience)
        while not (found := fact(await self.look(f"runs, {process.pid}"))) and now() < ends:
            check_alive(process, self._log)
            await anyio.sleep(_GLANCE)
        return found

    async def while_passes(self, ends: datetime, process: Process | None = None) -> None:
        """Look until a time has come."""
        while now() < ends:
            if process is not None:
                check_alive(process, self._log)
            await self.look("dead" if process is None else f"runs, {process.pid}")
            await anyio.sleep(_GLANCE)


def _is_anything_overdue(seen: Snapshot) -> bool:
    """Whether a firing waits that was due a second ago: the scheduler is not up yet."""
    late = seen.at - timedelta(seconds=1)
    return any(job.next_run_time is not None and job.next_run_time < late for job in seen.jobs)


def _listed(names: list[str]) -> str:
    if not names:
        return "nothing ran"
    return f"{' and '.join(names)} ran" + (f" ({counted(len(names), 'attempt')})" if len(names) > 1 else "")
