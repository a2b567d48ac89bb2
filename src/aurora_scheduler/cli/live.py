"""What `aurora run` shows in a terminal: its jobs, in a table that is kept current, over the last of the executions."""

from __future__ import annotations

import heapq
import sys
from collections import Counter, deque
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from aurora_scheduler.cli.failing import silence
from aurora_scheduler.cli.tables import rich_table
from aurora_scheduler.cli.texts import ahead, outcome, shortened
from aurora_scheduler.cli.views import line_of
from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import SchedulerStopped, StoreError, printable
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, ExecutionStatus, Job

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Known", "LiveTable", "live_table", "nearest"]

COLUMNS = ("job", "schedule", "status", "next firing", "last result", "running")

#: How often, in seconds, the table is drawn, and the jobs are read at most.
_EVERY = 0.5
#: Reading takes one in so many seconds: of very many jobs not all are read twice a second.
_SHARE = 20
#: How many jobs are read at once, and how many running executions.
_PAGE = 500
#: How many of the last executions are shown, and how many lines of the screen the table takes beside its rows.
_LINES, _AROUND = 5, 6


@dataclass(frozen=True, slots=True)
class Known:
    """What is shown of a job, and no more: a database may have very many."""

    id: str
    name: str
    schedule: str
    status: str
    due: int | None
    result: str

    @classmethod
    def of(cls, job: Job) -> Known:
        """What is shown of this job."""
        return cls(
            id=job.id,
            name=job.name,
            schedule=job.schedule_value,
            status=f"{job.status} ({shortened(job.status_reason, 40)})" if job.status_reason else str(job.status),
            due=job.next_due if job.is_active else None,
            result="" if job.last_run_result is None else shortened(outcome(job.last_run_result), 60),
        )


def nearest(jobs: Collection[Known], running: Mapping[str, int], room: int) -> list[Known]:
    """The jobs there is room for: all, as they are; else those that run, and those that fire next.

    >>> jobs = [Known(name, name, "", "active", due, "") for name, due in (("late", 3), ("rests", None), ("soon", 1))]
    >>> [job.name for job in nearest(jobs, {}, 3)], [job.name for job in nearest(jobs, {"rests": 1}, 2)]
    (['late', 'rests', 'soon'], ['rests', 'soon'])
    """
    if len(jobs) <= room:
        return list(jobs)
    return heapq.nsmallest(room, jobs, key=lambda job: (not running.get(job.id), job.due is None, job.due or 0))


class LiveTable:
    """A table that is drawn anew in its place. What is printed meanwhile comes to stand above it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._clock = SystemClock()
        self._jobs: dict[str, Known] | None = None
        #: The job of each execution that runs.
        self._running: dict[str, str] = {}
        self._shown: list[Known] = []
        self._lines: deque[str] = deque(maxlen=_LINES)

    def note(self, row: Execution) -> None:
        """An execution has begun, or ended."""
        if row.status is ExecutionStatus.RUNNING:
            self._running[row.id] = row.job_id
        elif row.status.is_final:
            self._running.pop(row.id, None)
            self._lines.append(line_of(row))

    async def follow(self, manager: SchedulerManager) -> None:
        """Read all jobs again and again, until the scheduler stops: other processes change them, too."""
        while True:
            began = self._clock.monotonic()
            try:
                await self._read(manager)
            except SchedulerStopped:
                return
            except StoreError:  # the scheduler says itself what is wrong with it
                pass
            await anyio.sleep(max(_EVERY, _SHARE * (self._clock.monotonic() - began)))

    async def keep_drawn(self, manager: SchedulerManager) -> None:
        """Draw it twice a second."""
        while True:
            with suppress(SchedulerStopped, StoreError):
                await self._read_due(manager)
            self.draw()
            await anyio.sleep(_EVERY)

    def draw(self) -> None:
        """Draw it, as soon as there is something to be seen."""
        from rich.console import Group
        from rich.text import Text

        if self._jobs is None:
            return
        height = self._live.console.size.height
        lines = list(self._lines)[-max(1, height // 4) :]
        running = Counter(self._running.values())
        self._shown = nearest(self._jobs.values(), running, max(1, height - _AROUND - len(lines)))
        more = len(self._jobs) - len(self._shown)
        below = [f"and {more:,} more"] if more else [] if self._jobs else ["no jobs"]
        rows = [[printable(cell) for cell in self._row(job, running[job.id])] for job in self._shown]
        texts = [Text(line, no_wrap=True, overflow="ellipsis") for line in (*below, *lines)]
        try:
            self._live.update(Group(rich_table(COLUMNS, rows, is_wrapped=False), *texts), refresh=True)
        except OSError:  # nobody sees it any more: the jobs go on
            silence(sys.__stdout__)

    def _row(self, job: Known, running: int) -> list[str]:
        next_firing = "" if job.due is None else ahead(job.due - self._clock.now())
        return [job.name, job.schedule, job.status, next_firing, job.result, str(running) if running else ""]

    async def _read(self, manager: SchedulerManager) -> None:
        found: dict[str, Known] = {}
        page = await manager.get_all_jobs(limit=_PAGE)
        while page:
            found |= {job.id: Known.of(job) for job in page}
            page = await manager.get_all_jobs(limit=_PAGE, after=page[-1]) if len(page) == _PAGE else []
        rows = await manager.get_executions(status=ExecutionStatus.RUNNING, limit=_PAGE)
        self._jobs, self._running = found, {row.id: row.job_id for row in rows}

    async def _read_due(self, manager: SchedulerManager) -> None:
        """Read those of the jobs in sight again whose time has come: it may be long until all are."""
        for known in self._shown:
            if self._jobs is not None and known.due is not None and known.due <= self._clock.now():
                job = await manager.get_job(known.id)
                if job is None:
                    self._jobs.pop(known.id, None)
                else:
                    self._jobs[known.id] = Known.of(job)


@contextmanager
def live_table() -> Generator[LiveTable | None]:
    """The table, where standard output is a terminal that can show it and rich is installed; else None."""
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        yield None
        return
    console = Console()
    if not sys.stdout.isatty() or not console.is_terminal or console.is_dumb_terminal:
        yield None
        return
    is_beside = sys.stderr.isatty()  # else it goes where it was sent
    live = Live(console=console, auto_refresh=False, redirect_stderr=is_beside, vertical_overflow="crop")
    live.start()
    try:
        yield LiveTable(live)
    finally:
        try:
            live.stop()
        except OSError:  # as in `draw`
            silence(sys.__stdout__)
