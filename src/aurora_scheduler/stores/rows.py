"""Values to rows and back. The order of the columns is here, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from aurora_scheduler.model import (
    OPEN,
    CallbackName,
    Change,
    ChangeKind,
    Execution,
    ExecutionStatus,
    Job,
    JobStatus,
    Policies,
    ScheduleType,
    Trigger,
)

__all__ = [
    "EXECUTION_COLUMNS",
    "JOB_COLUMNS",
    "OPEN_TEXTS",
    "STATE_COLUMNS",
    "change_value",
    "execution_row",
    "execution_value",
    "job_row",
    "job_value",
    "state_row",
]

Row = tuple[Any, ...]

JOB_COLUMNS = (
    "id, generation, version, name, schedule_type, schedule_value, timezone, callback_module, callback_function, "
    "callback_file, callback_args, policies, tags, anchor, created, updated, status, status_reason, next_fire, runs, "
    "retry_count, last_run, last_run_result, zone_data, next_wall, next_delay"
)
#: What firing changes of a job, in the order of `state_row`.
STATE_COLUMNS = (
    "version, updated, status, status_reason, next_fire, runs, retry_count, last_run, last_run_result, zone_data, "
    "next_wall, next_delay"
)
EXECUTION_COLUMNS = (
    'id, job_id, generation, job_name, timezone, scheduled, last_scheduled, count, attempt, "trigger", status, reason, '
    "due, started, finished, result, error, traceback, owner"
)

#: The states that are not final, as SQL has them.
OPEN_TEXTS = ", ".join(f"'{status.value}'" for status in sorted(OPEN))

_DEFAULTS = asdict(Policies())
_KNOWN = frozenset(field.name for field in fields(Policies))


def job_row(job: Job) -> Row:
    """The job as `JOB_COLUMNS`."""
    name = job.callback
    return (
        job.id, job.generation, job.version, job.name, job.schedule_type.value, job.schedule_value, job.timezone,
        name.module, name.qualname, name.file, _text(job.callback_args), _policies_text(job.policies),
        json.dumps(job.tags), job.anchor, job.created, job.updated, job.status.value, job.status_reason, job.next_fire,
        job.runs, job.retry_count, job.last_run, _text(job.last_run_result), job.zone_data, job.next_wall,
        job.next_delay,
    )  # fmt: skip


def job_value(row: Row) -> Job:
    """`JOB_COLUMNS` as a job."""
    return Job(
        id=row[0], generation=row[1], version=row[2], name=row[3], schedule_type=ScheduleType(row[4]),
        schedule_value=row[5], timezone=row[6], callback=CallbackName(row[7], row[8], row[9]),
        callback_args=json.loads(row[10]), policies=_policies(row[11]), tags=tuple(json.loads(row[12])),
        anchor=row[13], created=row[14], updated=row[15], status=JobStatus(row[16]), status_reason=row[17],
        next_fire=row[18], runs=row[19], retry_count=row[20], last_run=row[21], last_run_result=_value(row[22]),
        zone_data=row[23], next_wall=row[24], next_delay=row[25],
    )  # fmt: skip


def state_row(job: Job) -> Row:
    """The job's state as `STATE_COLUMNS`."""
    return (
        job.version, job.updated, job.status.value, job.status_reason, job.next_fire, job.runs, job.retry_count,
        job.last_run, _text(job.last_run_result), job.zone_data, job.next_wall, job.next_delay,
    )  # fmt: skip


def execution_row(row: Execution) -> Row:
    """The execution as `EXECUTION_COLUMNS`."""
    return (
        row.id, row.job_id, row.generation, row.job_name, row.timezone, row.scheduled, row.last_scheduled, row.count,
        row.attempt, row.trigger.value, row.status.value, row.reason, row.due, row.started, row.finished,
        _text(row.result), row.error, row.traceback, row.owner,
    )  # fmt: skip


def execution_value(row: Row) -> Execution:
    """`EXECUTION_COLUMNS` as an execution."""
    return Execution(
        id=row[0], job_id=row[1], generation=row[2], job_name=row[3], timezone=row[4], scheduled=row[5],
        last_scheduled=row[6], count=row[7], attempt=row[8], trigger=Trigger(row[9]), status=ExecutionStatus(row[10]),
        reason=row[11], due=row[12], started=row[13], finished=row[14], result=_value(row[15]), error=row[16],
        traceback=row[17], owner=row[18],
    )  # fmt: skip


def change_value(row: Row) -> Change:
    """A line of a job's own history."""
    return Change(job_id=row[0], generation=row[1], at=row[2], kind=ChangeKind(row[3]), detail=row[4])


def _text(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@lru_cache(maxsize=1024)
def _policies_text(policies: Policies) -> str:
    # Only what differs from the defaults: short rows, and a look at the table shows what is special about a job.
    return json.dumps({name: value for name, value in asdict(policies).items() if value != _DEFAULTS[name]})


@lru_cache(maxsize=1024)
def _policies(text: str) -> Policies:
    # JSON has lists only; the values of a frozen one are tuples.
    stored: dict[str, Any] = json.loads(text)
    for name, value in stored.items():
        stored[name] = tuple(value) if isinstance(value, list) else value
    return Policies(**{name: value for name, value in stored.items() if name in _KNOWN})
