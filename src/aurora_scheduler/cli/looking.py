"""`list`, `history` and `next`: looking at a database, and at a schedule, without firing anything."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from aurora_scheduler.cli.tables import escaped, print_table
from aurora_scheduler.errors import JobNotFoundError, StoreError
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution, Job
from aurora_scheduler.preview import next_fire_times

__all__ = ["escaped", "print_history", "print_jobs", "print_next", "shown_time"]

T = TypeVar("T")


def print_jobs(database: str, status: str | None, tag: str | None, *, as_json: bool) -> None:
    """Print the jobs of a database."""
    jobs = _ask(database, lambda manager: manager.get_all_jobs(status, tag))
    if as_json:
        _print_json([_job(job) for job in jobs])
    elif not jobs:
        click.echo("no jobs")
    else:
        head = ("id", "name", "schedule", "status", "next firing", "last", "retries")
        print_table(head, [_job_row(job) for job in jobs])


def print_history(database: str, job: str | None, status: str | None, limit: int, *, as_json: bool) -> None:
    """Print executions, newest first."""

    async def ask(manager: SchedulerManager) -> list[Execution]:
        if job is None:
            return await manager.get_executions(status=status, limit=limit)
        # A job that was deleted has a history still, under its id.
        rows = await manager.get_executions(job, status, limit)
        if rows or await manager.get_job(job) is not None:
            return rows
        named = [found.id for found in await manager.get_all_jobs() if found.name == job]
        if not named:
            raise JobNotFoundError(job)
        rows = [row for job_id in named for row in await manager.get_executions(job_id, status, limit)]
        return sorted(rows, key=lambda row: row.id, reverse=True)[:limit]

    executions = _ask(database, ask)
    if as_json:
        _print_json([_execution(execution) for execution in executions])
    elif not executions:
        click.echo("no executions")
    else:
        head = ("scheduled for", "job", "attempt", "status", "late", "result")
        print_table(head, [_execution_row(execution) for execution in executions])


def print_next(schedule: str, timezone: str | None, start: datetime | None, count: int, *, as_json: bool) -> None:
    """Print the next firings of a schedule."""
    moments = next_fire_times(schedule, timezone, start, count)
    if as_json:
        _print_json([moment.isoformat() for moment in moments])
        return
    for moment in moments:
        click.echo(moment.strftime("%a %Y-%m-%d %H:%M:%S %z %Z"))
    if not moments:
        click.echo("never")


def _ask(database: str, question: Callable[[SchedulerManager], Awaitable[T]]) -> T:
    """Open the database as a client, which never fires, ask, and close it."""
    if "://" not in database and not Path(database).exists():
        raise StoreError(database, "there is no such file; name one with --db, or in AURORA_SCHEDULER_DB")

    async def ask() -> T:
        manager = SchedulerManager(database)
        await manager.initialize()
        try:
            return await question(manager)
        finally:
            with anyio.CancelScope(shield=True):
                await manager.stop(drain=0)

    return anyio.run(ask, backend="trio")


def shown_time(moment: datetime | None) -> str:
    """A time as the tables show it."""
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def _job_row(job: Job) -> tuple[str, ...]:
    last = "-" if job.last_run_result is None else "ok" if job.last_run_result.get("success") else "failed"
    status = job.status.value if job.status_reason is None else f"{job.status.value}: {job.status_reason}"
    retries = f"{job.retry_count}/{job.max_retries}"
    return (job.id, job.name, job.schedule_value, status[:80], shown_time(job.next_run_time), last, retries)


def _execution_row(execution: Execution) -> tuple[str, ...]:
    scheduled = shown_time(execution.scheduled_for)
    if execution.count > 1:
        scheduled += f" … {shown_time(execution.last_scheduled_for)} ({execution.count})"
    status = execution.status.value if execution.reason is None else f"{execution.status.value} ({execution.reason})"
    late = "-" if execution.lateness is None else f"{execution.lateness.total_seconds() * 1000:.1f} ms"
    told = execution.error or (execution.result or {}).get("message") or ""
    return (scheduled, execution.job_name, str(execution.attempt), status, late, str(told)[:80])


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "schedule_type": job.schedule_type,
        "schedule_value": job.schedule_value,
        "timezone": job.timezone,
        "callback": str(job.callback),
        "callback_args": job.callback_args,
        "tags": job.tags,
        "status": job.status,
        "status_reason": job.status_reason,
        "next_run_time": job.next_run_time,
        "last_run_time": job.last_run_time,
        "last_run_result": job.last_run_result,
        "retry_count": job.retry_count,
        "max_retries": job.max_retries,
    }


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "id": execution.id,
        "job_id": execution.job_id,
        "job_name": execution.job_name,
        "scheduled_for": execution.scheduled_for,
        "last_scheduled_for": execution.last_scheduled_for,
        "count": execution.count,
        "attempt": execution.attempt,
        "trigger": execution.trigger,
        "status": execution.status,
        "reason": execution.reason,
        "due_at": execution.due_at,
        "started_at": execution.started_at,
        "finished_at": execution.finished_at,
        "result": execution.result,
        "error": execution.error,
    }


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, default=lambda moment: moment.isoformat()))
