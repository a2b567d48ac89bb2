"""Values to rows and back. The order of the columns is here, once.

What comes from a file is looked at before it becomes a value: a row that no release has written raises `ValueError`,
`TypeError` or `RecursionError`, here and nowhere later. `damaged` knows what to make of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import date
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from aurora_scheduler.errors import shown
from aurora_scheduler.instants import FIRST, LAST, SECOND
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
from aurora_scheduler.options import FIELDS, read_options

__all__ = [
    "CHANGE_COLUMNS",
    "DAMAGE",
    "EXECUTION_COLUMNS",
    "JOB_COLUMNS",
    "OPEN_TEXTS",
    "STATE_COLUMNS",
    "Row",
    "change_row",
    "change_value",
    "execution_row",
    "execution_value",
    "job_row",
    "job_value",
    "misfits",
    "moved_row",
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

CHANGE_COLUMNS = "job_id, generation, at, kind, detail"

#: The states that are not final, as SQL has them.
OPEN_TEXTS = ", ".join(f"'{status.value}'" for status in sorted(OPEN))

_DEFAULTS = asdict(Policies())
_HINTS = get_type_hints(Policies)
_KNOWN = frozenset(field.name for field in fields(Policies))
_DAY = 86_400 * SECOND
#: More than anything is counted to, and less than what another 1 would not fit on.
_MOST = 2**53

#: What a damaged row raises when it is read.
DAMAGE = (ValueError, TypeError, KeyError, RecursionError)


def job_row(job: Job) -> Row:
    """The job as `JOB_COLUMNS`."""
    name = job.callback
    return (
        job.id, job.generation, job.version, job.name, job.schedule_type._value_, job.schedule_value, job.timezone,
        name.module, name.qualname, name.file, _text(job.callback_args), _policies_text(job.policies),
        _tags_text(job.tags), job.anchor, job.created, job.updated, job.status._value_, job.status_reason,
        job.next_fire, job.runs, job.retry_count, job.last_run, _text(job.last_run_result), job.zone_data,
        job.next_wall, job.next_delay,
    )  # fmt: skip


def job_value(row: Row) -> Job:
    """`JOB_COLUMNS` as a job. Raises where the row is damaged."""
    _see_that_all_fit(row, _JOB_FITS)
    return Job(
        id=row[0], generation=row[1], version=row[2], name=row[3], schedule_type=ScheduleType(row[4]),
        schedule_value=row[5], timezone=row[6], callback=CallbackName(row[7], row[8], row[9]),
        callback_args=object_value(row[10]), policies=policies_value(row[11]), tags=tags_value(row[12]),
        anchor=row[13], created=row[14], updated=row[15], status=JobStatus(row[16]), status_reason=row[17],
        next_fire=row[18], runs=row[19], retry_count=row[20], last_run=row[21], last_run_result=_value(row[22]),
        zone_data=row[23], next_wall=row[24], next_delay=row[25],
    )  # fmt: skip


def state_row(job: Job) -> Row:
    """The job's state as `STATE_COLUMNS`."""
    return (
        job.version, job.updated, job.status._value_, job.status_reason, job.next_fire, job.runs, job.retry_count,
        job.last_run, _text(job.last_run_result), job.zone_data, job.next_wall, job.next_delay,
    )  # fmt: skip


def execution_row(row: Execution) -> Row:
    """The execution as `EXECUTION_COLUMNS`."""
    return (
        row.id, row.job_id, row.generation, row.job_name, row.timezone, row.scheduled, row.last_scheduled, row.count,
        row.attempt, row.trigger._value_, row.status._value_, row.reason, row.due, row.started, row.finished,
        _text(row.result), row.error, row.traceback, row.owner,
    )  # fmt: skip


def moved_row(row: Execution) -> Row:
    """What an attempt's further life changes of its row, and whose that is: its id, and its owner."""
    return (
        row.status._value_, row.reason, row.due, row.started, row.finished, _text(row.result), row.error, row.traceback,
        row.owner, row.id, row.owner,
    )  # fmt: skip


def execution_value(row: Row) -> Execution:
    """`EXECUTION_COLUMNS` as an execution. Raises where the row is damaged."""
    _see_that_all_fit(row, _EXECUTION_FITS)
    return Execution(
        id=row[0], job_id=row[1], generation=row[2], job_name=row[3], timezone=row[4], scheduled=row[5],
        last_scheduled=row[6], count=row[7], attempt=row[8], trigger=Trigger(row[9]), status=ExecutionStatus(row[10]),
        reason=row[11], due=row[12], started=row[13], finished=row[14], result=_value(row[15]), error=row[16],
        traceback=row[17], owner=row[18],
    )  # fmt: skip


def change_row(change: Change) -> Row:
    """A line of a job's own history as `CHANGE_COLUMNS`."""
    return change.job_id, change.generation, change.at, change.kind._value_, change.detail


def change_value(row: Row) -> Change:
    """A line of a job's own history."""
    return Change(job_id=row[0], generation=row[1], at=row[2], kind=ChangeKind(row[3]), detail=row[4])


#: Made once: `json.dumps` makes an encoder for each call that wants anything special.
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

#: What most results are: those of callbacks that return nothing.
_JUST_DONE_TEXT = _compact({"success": True})


def _text(value: Mapping[str, Any] | None) -> str | None:
    if value is None:
        return None
    return _JUST_DONE_TEXT if len(value) == 1 and value.get("success") is True else _compact(value)


def _value(text: str | None) -> Any:
    return None if text is None else object_value(text)


def object_value(text: str) -> dict[str, Any]:
    """The JSON object that a text is."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    if "\\ud" in text:
        json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be written again
    return value


def tags_value(text: str) -> tuple[str, ...]:
    """The tags that a text is."""
    tags = json.loads(text)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("it is no list of texts")
    return tuple(tags)


def _tags_text(tags: tuple[str, ...]) -> str:
    return _compact(tags) if tags else "[]"


@lru_cache(maxsize=1024)
def _policies_text(policies: Policies) -> str:
    # Only what differs from the defaults: short rows, and a look at the table shows what is special about a job.
    return json.dumps({name: value for name, value in asdict(policies).items() if value != _DEFAULTS[name]})


@lru_cache(maxsize=1024)
def policies_value(text: str) -> Policies:
    """The policies that a text is; those that this release does not know are left out."""
    stored = {name: value for name, value in object_value(text).items() if name in _KNOWN}
    for name, value in stored.items():
        # JSON has lists only; the values of a frozen one are tuples.
        stored[name] = value = tuple(value) if isinstance(value, list) else value
        if not _is_policy(value, _HINTS[name]):
            raise ValueError(f"{name} is {shown(value)}")
    words = {FIELDS[field]: value for field, value in stored.items() if isinstance(value, str) and field in FIELDS}
    read_options(words, "UTC")  # a word that says nothing to this release
    policies = Policies(**stored)
    for day in policies.exclude_dates:
        date.fromisoformat(day)
    if policies.only_between is not None and not all(0 <= wall < _DAY for wall in policies.only_between):
        raise ValueError("only_between is no time of the day")
    return policies


def _is_policy(value: object, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_is_policy(value, each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(value, tuple) or (kinds[-1] is not ... and len(value) != len(kinds)):
            return False
        return all(_is_policy(each, kinds[0]) for each in value)
    if hint is float:
        return type(value) in (int, float) and 0 <= value <= 1000  # type: ignore[operator]
    if hint is int:
        return type(value) is int and FIRST <= value <= LAST
    return type(value) is hint


# -- what fits a column ------------------------------------------------------------------------------------------


def _text_fits(value: object) -> bool:
    return type(value) is str


def _count_fits(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _instant_fits(value: object) -> bool:
    return type(value) is int and FIRST <= value <= LAST


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


#: What a column holds; where nothing is said here, whatever it likes. In `trigger` and `status` a word is looked up.
_FITS: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(("id", "name", "schedule_value", "timezone", "callback_module", "callback_function"), _text_fits),
    **dict.fromkeys(("callback_args", "policies", "tags", "job_id", "job_name"), _text_fits),
    **dict.fromkeys(
        ("callback_file", "status_reason", "last_run_result", "zone_data", "reason", "result", "error", "traceback"),
        _or_none(_text_fits),
    ),
    "owner": _or_none(_text_fits),
    **dict.fromkeys(("generation", "version", "runs", "retry_count", "count", "attempt"), _count_fits),
    **dict.fromkeys(
        ("anchor", "created", "updated", "scheduled", "last_scheduled", "due", "next_delay"), _instant_fits
    ),
    **dict.fromkeys(("next_fire", "last_run", "next_wall", "started", "finished"), _or_none(_instant_fits)),
}


def _names(columns: str) -> tuple[str, ...]:
    return tuple(name.strip('" ') for name in columns.split(","))


def _anything(value: object) -> bool:
    return True


def _fits_of(columns: str) -> tuple[Callable[[object], bool], ...]:
    return tuple(_FITS.get(name, _anything) for name in _names(columns))


_JOB_FITS, _EXECUTION_FITS = _fits_of(JOB_COLUMNS), _fits_of(EXECUTION_COLUMNS)


def _see_that_all_fit(row: Row, fits: tuple[Callable[[object], bool], ...]) -> None:
    for value, fit in zip(row, fits, strict=True):
        if not fit(value):
            raise ValueError("it holds what no release has written")


def _can_be(make: Callable[[Any], object], value: object) -> bool:
    try:
        make(value)
    except DAMAGE:
        return False
    return True


#: The columns that hold more than a text or a number, and what reads them.
_READ: Mapping[str, Callable[[Any], object]] = {
    "schedule_type": ScheduleType,
    "callback_args": object_value,
    "policies": policies_value,
    "tags": tags_value,
    "last_run_result": _value,
    "trigger": Trigger,
    "result": _value,
}


def misfits(row: Row, columns: str) -> list[int]:
    """Which columns of a damaged row are at fault."""
    status = JobStatus if columns is JOB_COLUMNS else ExecutionStatus
    read = {**_READ, "status": status}
    return [
        place
        for place, (name, value) in enumerate(zip(_names(columns), row, strict=True))
        if not _FITS.get(name, _anything)(value) or (name in read and not _can_be(read[name], value))
    ]
