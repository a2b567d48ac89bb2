"""What the demonstration shows while it goes on: a live table in a terminal, a line for each event elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from aurora_scheduler.cli.tables import escaped, has_rich
from aurora_scheduler.model import Execution, ExecutionStatus, Job

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

__all__ = ["Lines", "Screen", "screen"]


@contextmanager
def screen() -> Iterator[Screen | Lines]:
    """A live table where there is a terminal and rich, else lines."""
    if not has_rich():
        yield Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=8) as live:
        yield Screen(live)


class Lines:
    """One line for each execution that ended, in the order of their ends."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def say(self, text: str) -> None:
        """Print a remark."""
        click.echo(f"--- {text}")

    def update(self, jobs: Sequence[Job], executions: Sequence[Execution]) -> None:
        """Print what has ended since the last time."""
        for execution in reversed(executions):
            if execution.status.is_final and execution.id not in self._told:
                self._told.add(execution.id)
                click.echo(f"{execution.scheduled_for:%H:%M:%S} {execution.job_name:8} {_told(execution)}")


class Screen:
    """A table of the jobs, drawn anew in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def say(self, text: str) -> None:
        """Print a remark above the table."""
        self._live.console.print(f"[bold]--- {text}[/bold]")

    def update(self, jobs: Sequence[Job], executions: Sequence[Execution]) -> None:
        """Draw the jobs as they are now."""
        self._live.update(_table(jobs, executions))


def _table(jobs: Sequence[Job], executions: Sequence[Execution]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("job", "schedule", "state", "next firing", "late", "firings", "last", box=None, header_style="bold")
    for job in jobs:
        own = [row for row in executions if row.job_id == job.id]
        running = any(row.status is ExecutionStatus.RUNNING for row in own)
        late = next((row.lateness for row in own if row.lateness is not None), None)
        counts = Counter(str(row.status) for row in own)
        table.add_row(
            job.name,
            job.schedule_value,
            Text("running" if running else job.status.value, style="green" if running else ""),
            "-" if job.next_run_time is None else f"{job.next_run_time:%H:%M:%S}",
            "-" if late is None else f"{late.total_seconds() * 1000:.1f} ms",
            ", ".join(f"{count} {status}" for status, count in sorted(counts.items())),
            Text(_told(own[0]) if own else "", overflow="ellipsis", no_wrap=True),
        )
    return table


def _told(execution: Execution) -> str:
    said = execution.error or (execution.result or {}).get("message") or execution.reason or ""
    late = "" if execution.lateness is None else f" {execution.lateness.total_seconds() * 1000:.1f} ms late"
    count = "" if execution.count == 1 else f" ({execution.count} firings)"
    attempt = "" if execution.attempt == 1 else f" (attempt {execution.attempt})"
    return escaped(f"{execution.status}{count}{attempt}{late}: {said}")
