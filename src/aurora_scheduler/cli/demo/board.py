"""What the demo shows while it runs: a live table in a terminal, else a line for everything that ends."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import click

from aurora_scheduler.cli.demo.snapshot import Snapshot, now
from aurora_scheduler.cli.tables import rich_table
from aurora_scheduler.cli.texts import outcome, shortened, span
from aurora_scheduler.errors import printable
from aurora_scheduler.model import Execution, ExecutionStatus, Job

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["Board", "a_board"]

COLUMNS = ("job", "schedule", "state", "next firing", "last result", "runs", "late")


class Board(Protocol):
    """Where the demo is shown."""

    def show(self, snapshot: Snapshot, scheduler: str) -> None:
        """The state of the jobs, and what the scheduler's process is doing, in words."""
        ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...


@contextmanager
def a_board() -> Generator[Board]:
    """The board that fits standard output."""
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        yield Lines()
        return
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveTable(live)


class LiveTable:
    """A table that is drawn anew in its place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, snapshot: Snapshot, scheduler: str) -> None:
        """Draw it."""
        rows = [[printable(cell) for cell in row_of(job, snapshot)] for job in snapshot.jobs]
        self._live.update(rich_table(COLUMNS, rows, title=f"the scheduler's process: {scheduler}"), refresh=True)

    def say(self, text: str) -> None:
        """A line above the table."""
        self._live.console.print(text, markup=False, highlight=False)


class Lines:
    """A line for every execution that has ended, once."""

    def __init__(self) -> None:
        self._began = now()
        self._told: set[str] = set()

    def show(self, snapshot: Snapshot, scheduler: str) -> None:
        """Tell what is new."""
        for execution in snapshot.executions:
            if execution.status.is_final and execution.id not in self._told:
                self._told.add(execution.id)
                self.say(f"{execution.job_name:<8}{execution.status:<11}{printable(_ended(execution))}")

    def say(self, text: str) -> None:
        """A line, with the seconds since the beginning before it."""
        click.echo(f"{(now() - self._began).total_seconds():6.1f} s  {text}")


def row_of(job: Job, snapshot: Snapshot) -> list[str]:
    """A job's line in the table."""
    executions = snapshot.of(job)
    began = [each for each in executions if each.started_at is not None]
    ended = [each for each in executions if each.status.is_final]
    return [
        job.name,
        job.schedule_value,
        _state(job, executions),
        _until(job.next_run_time, snapshot.at),
        shortened(f"{ended[-1].status} {_said(ended[-1])}", 60) if ended else "",
        str(len(began)),
        span(began[-1].lateness) if began else "",
    ]


def _state(job: Job, executions: list[Execution]) -> str:
    for status in (ExecutionStatus.RUNNING, ExecutionStatus.WAITING):
        if found := [each for each in executions if each.status is status]:
            return f"{status}, attempt {found[-1].attempt}" if found[-1].attempt > 1 else str(status)
    return str(job.status)


def _until(moment: datetime | None, at: datetime) -> str:
    if moment is None:
        return ""
    return f"in {span(moment - at)}" if moment > at else f"{span(at - moment)} ago"


def _ended(execution: Execution) -> str:
    """How it ended, in a few words."""
    words = [_said(execution)]
    if execution.count > 1:
        length = execution.last_scheduled_for - execution.scheduled_for
        words.append(f"({execution.count} instants within {span(length)})")
    if execution.lateness is not None:
        words.append(f"({span(max(execution.lateness, timedelta(0)))} late)")
    return " ".join(words)


def _said(execution: Execution) -> str:
    return execution.error or (outcome(execution.result) if execution.result else execution.reason or "")
