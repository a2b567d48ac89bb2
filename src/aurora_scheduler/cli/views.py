"""Jobs and executions as rows for people, and as plain values for programs."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

from aurora_scheduler.cli.texts import moment, outcome, shortened, span
from aurora_scheduler.errors import printable
from aurora_scheduler.instants import presented
from aurora_scheduler.model import Change, Execution, Job, Policies
from aurora_scheduler.options import FIELDS

__all__ = [
    "EXECUTION_COLUMNS",
    "JOB_COLUMNS",
    "execution_row",
    "job_row",
    "line_of",
    "options_said",
    "plain_change",
    "special_options",
    "state_of",
]

JOB_COLUMNS = ("name", "schedule", "status", "next firing", "last run", "last result", "id")
EXECUTION_COLUMNS = ("scheduled for", "job", "status", "attempt", "late", "took", "result")


def job_row(job: Job) -> list[str]:
    """A line of `aurora list`."""
    return [
        job.name,
        job.schedule_value,
        f"{job.status} ({shortened(job.status_reason)})" if job.status_reason else str(job.status),
        moment(job.next_run_time),
        moment(job.last_run_time),
        shortened(outcome(job.last_run_result)),
        job.id,
    ]


def state_of(job: Job) -> str:
    """How a job is, in a line."""
    then = f"; it fires next at {moment(job.next_run_time)}" if job.next_run_time else ""
    return printable(f"{job.name} ({job.id}) is {job.status}{then}")


def execution_row(execution: Execution) -> list[str]:
    """A line of `aurora history`."""
    scheduled = moment(execution.scheduled_for)
    if execution.count > 1:
        scheduled += f" and {execution.count - 1} more to {moment(execution.last_scheduled_for)}"
    return [
        scheduled,
        execution.job_name,
        str(execution.status),
        str(execution.attempt),
        span(execution.lateness),
        _took(execution),
        _outcome(execution),
    ]


def line_of(row: Execution) -> str:
    """An execution that has ended, in a line."""
    parts = [
        moment(row.finished_at),
        f"{row.status:<9}",
        row.job_name,
        *([f"(attempt {row.attempt})"] if row.attempt > 1 else []),
        _took(row),
        _outcome(row),
    ]
    return printable("  ".join(filter(None, parts)))


def _took(execution: Execution) -> str:
    began, ended = execution.started_at, execution.finished_at
    return span(ended - began) if began is not None and ended is not None else ""


def _outcome(execution: Execution) -> str:
    said = execution.error or (outcome(execution.result) if execution.result is not None else execution.reason)
    return shortened(said or "")


def special_options(job: Job) -> dict[str, Any]:
    """The options in which the job differs from any other, by their names."""
    plain = Policies()
    return {
        option: getattr(job, option)
        for option, field in FIELDS.items()
        if getattr(job.policies, field) != getattr(plain, field)
    }


def options_said(job: Job) -> dict[str, Any]:
    """The same as JSON has them, durations in seconds."""
    return {option: _said(value) for option, value in special_options(job).items()}


def _said(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return [_said(each) for each in value] if isinstance(value, tuple) else value


def plain_change(change: Change, timezone: str) -> dict[str, Any]:
    """A line of a job's own history as JSON has it."""
    at = presented(change.at, timezone)
    return {"kind": change.kind.value, "at": None if at is None else at.isoformat(), "detail": change.detail}
