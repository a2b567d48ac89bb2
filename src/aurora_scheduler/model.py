"""The nouns: jobs, executions, their statuses and policies. Frozen values, nothing that acts.

Two rules make the names readable. A field that holds an *instant* (integer microseconds, UTC) has a bare name:
`next_fire`, `scheduled`, `started`. What a user reads has the longer one, and is an aware `datetime` in the job's
time zone: `next_run_time`, `scheduled_for`, `started_at`. Durations are microseconds inside `Policies` and
`timedelta` on `Job`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from aurora_scheduler.instants import SECOND, presented
from aurora_scheduler.jsonable import EXECUTION, JOB, jsonable
from aurora_scheduler.statuses import OPEN, ChangeKind, ExecutionStatus, JobStatus, ScheduleType, Trigger

__all__ = [
    "OPEN",
    "CallbackName",
    "Change",
    "ChangeKind",
    "Commit",
    "Execution",
    "ExecutionStatus",
    "Job",
    "JobStatus",
    "Outcome",
    "Policies",
    "ScheduleType",
    "Trigger",
]


class CallbackName(NamedTuple):
    """Where a callback is found again: a module, the qualified name in it, and for a script the script's file."""

    module: str
    qualname: str
    file: str | None = None

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"

    @property
    def stored(self) -> str:
        """All of it as one text: "module:qualname", and for a script its file after one more colon."""
        return str(self) if self.file is None else f"{self}:{self.file}"


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What a job's options decide. Durations and instants are integer microseconds."""

    max_retries: int = 3
    retry_delay: int = 300 * SECOND
    retry_backoff: float = 1.0
    max_retry_delay: int = 86_400 * SECOND
    retry_jitter: int = 0
    on_exhausted: str = "deactivate"
    starts: int | None = None
    ends: int | None = None
    max_runs: int | None = None
    exclude_dates: tuple[str, ...] = ()
    """ISO dates, ascending."""
    only_between: tuple[int, int] | None = None
    """Microseconds since midnight on the wall: the first and the last."""
    misfire: str = "run_once"
    misfire_grace: int = 60 * SECOND
    overlap: str = "skip"
    max_instances: int | None = None
    """With `overlap="allow"`: how many at once; None: as many as come due."""
    timeout: int | None = None
    jitter: int = 0
    delivery: str = "at_least_once"
    runner: str = "auto"
    on_failure: str | None = None
    """A `CallbackName.stored`, as is `on_deactivate`; None: that of all jobs, where there is one."""
    on_deactivate: str | None = None
    ping: str | None = None
    node_tag: str | None = None
    """Only processes with this tag fire it; None: all do."""

    def is_for(self, tags: Collection[str]) -> bool:
        """Whether a process with these tags fires it."""
        return self.node_tag is None or self.node_tag in tags


@dataclass(frozen=True, kw_only=True)
class Job:
    """A stored definition and its state: name, schedule, callback, arguments, policies.

    A `Job` is a snapshot: it never changes under you. Ask for it again to see what became of it.
    """

    id: str
    name: str
    schedule_type: ScheduleType
    schedule_value: str
    callback: CallbackName
    callback_args: Mapping[str, Any]
    timezone: str
    policies: Policies = field(default_factory=Policies)
    tags: tuple[str, ...] = ()

    anchor: int
    """The instant that intervals count from."""
    created: int
    updated: int
    generation: int = 1
    """Which job of this id: an id that is used again is another job."""
    version: int = 1
    """Counts the writes to this job; a write decided on another version is refused."""

    status: JobStatus = JobStatus.ACTIVE
    status_reason: str | None = None
    next_fire: int | None = None
    next_delay: int = 0
    """How long after its instant the next firing is due: its share of `jitter`."""
    zone_data: str | None = None
    """Which data of its zone the next firing was computed with; None where that asks for none, or nobody knows."""
    next_wall: int | None = None
    """The wall time of the next firing by those data, in microseconds since 1970-01-01 00:00 on the wall: with other
    data, what is to come next is what comes at that wall time."""
    runs: int = 0
    """Scheduled firings claimed so far; `max_runs` counts these."""
    retry_count: int = 0
    """The streak of failures since the last success."""
    last_run: int | None = None
    last_run_result: Mapping[str, Any] | None = None
    """The stored result of the last attempt that ended."""
    memo: Any = field(default=None, compare=False, repr=False)
    """What was made of its schedule's text, for whoever needs that again: a part of no job, and no difference."""

    @property
    def callback_module(self) -> str:
        """The module that the callback is imported from."""
        return self.callback.module

    @property
    def callback_function(self) -> str:
        """The callback's qualified name in its module."""
        return self.callback.qualname

    @property
    def is_active(self) -> bool:
        """Whether the job fires: its status is active."""
        return self.status is JobStatus.ACTIVE

    @property
    def next_due(self) -> int | None:
        """The instant at which the next firing is due: the next of the schedule, and its share of `jitter`."""
        return None if self.next_fire is None else self.next_fire + self.next_delay

    @property
    def next_run_time(self) -> datetime | None:
        """The next firing, in the job's time zone; None when nothing is to come, and for a job that is not active.

        With `jitter` this is when it is really due, a little after the instant of the schedule.
        """
        return presented(self.next_due, self.timezone) if self.is_active else None

    @property
    def last_run_time(self) -> datetime | None:
        """When the last attempt that ended had begun, in the job's time zone."""
        return presented(self.last_run, self.timezone)

    @property
    def created_at(self) -> datetime:
        """When the job was created, in its time zone."""
        return _shown(self.created, self.timezone)

    @property
    def updated_at(self) -> datetime:
        """When the definition, or the status by a call, was last changed, in the job's time zone."""
        return _shown(self.updated, self.timezone)

    @property
    def max_retries(self) -> int:
        """How many retries may follow a first failure."""
        return self.policies.max_retries

    @property
    def retry_delay(self) -> timedelta:
        """The wait before the first retry."""
        return timedelta(microseconds=self.policies.retry_delay)

    @property
    def retry_backoff(self) -> float:
        """What each further retry multiplies that wait by."""
        return self.policies.retry_backoff

    @property
    def max_retry_delay(self) -> timedelta:
        """The longest wait before a retry."""
        return timedelta(microseconds=self.policies.max_retry_delay)

    @property
    def retry_jitter(self) -> timedelta:
        """Up to this much is added to the wait before a retry."""
        return timedelta(microseconds=self.policies.retry_jitter)

    @property
    def on_exhausted(self) -> str:
        """What follows the last retry's failure: "deactivate" or "continue"."""
        return self.policies.on_exhausted

    @property
    def start_at(self) -> datetime | None:
        """No firing before this, in the job's time zone."""
        return presented(self.policies.starts, self.timezone)

    @property
    def end_at(self) -> datetime | None:
        """No firing after this, in the job's time zone."""
        return presented(self.policies.ends, self.timezone)

    @property
    def max_runs(self) -> int | None:
        """After this many scheduled firings were begun the job is finished."""
        return self.policies.max_runs

    @property
    def exclude_dates(self) -> tuple[date, ...]:
        """The days, in the job's time zone, on which it does not fire."""
        return tuple(date.fromisoformat(day) for day in self.policies.exclude_dates)

    @property
    def only_between(self) -> tuple[time, time] | None:
        """The first and the last time of the day at which it fires, in its time zone; None: at any."""
        if self.policies.only_between is None:
            return None
        first, last = self.policies.only_between
        return _time_of_day(first), _time_of_day(last)

    @property
    def misfire(self) -> str:
        """What becomes of firings that are found late: "run_once", "skip" or "run_all"."""
        return self.policies.misfire

    @property
    def misfire_grace(self) -> timedelta:
        """With `misfire="skip"`: how late a firing may begin before it is missed."""
        return timedelta(microseconds=self.policies.misfire_grace)

    @property
    def overlap(self) -> str:
        """What becomes of a firing that comes due while an earlier one runs.

        "skip", "queue_one", "queue_all", "allow" or "cancel_previous".
        """
        return self.policies.overlap

    @property
    def max_instances(self) -> int | None:
        """How many executions of this job may run at once: 1; with `overlap="allow"` so many, or None: any number."""
        return self.policies.max_instances if self.policies.overlap == "allow" else 1

    @property
    def timeout(self) -> timedelta | None:
        """How long an attempt may run, or None."""
        return None if self.policies.timeout is None else timedelta(microseconds=self.policies.timeout)

    @property
    def jitter(self) -> timedelta:
        """Each firing is due up to this much after its instant."""
        return timedelta(microseconds=self.policies.jitter)

    @property
    def delivery(self) -> str:
        """What a dead process means for an attempt: "at_least_once" runs it again, "at_most_once" does not."""
        return self.policies.delivery

    @property
    def runner(self) -> str:
        """Where the callback runs: "auto", "thread", "trio", "app" or "process"."""
        return self.policies.runner

    @property
    def on_failure(self) -> str | None:
        """The function that is called after each attempt that has failed, "module:qualname"; None: that of all jobs."""
        return _without_file(self.policies.on_failure)

    @property
    def on_deactivate(self) -> str | None:
        """The function that is called when the retries are used up, "module:qualname"; None: that of all jobs."""
        return _without_file(self.policies.on_deactivate)

    @property
    def ping(self) -> str | None:
        """The URL that is asked for after each success, or None."""
        return self.policies.ping

    @property
    def node_tag(self) -> str | None:
        """The tag of the processes that fire it; None: all do."""
        return self.policies.node_tag

    def as_dict(self) -> dict[str, Any]:
        """The job as JSON can have it, by its public names: times as ISO 8601 text, with their offset.

        It is what to return from an endpoint: the fields of this class itself are how it is stored.
        """
        return jsonable(self, JOB) | {"callback": str(self.callback)}


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One attempt at one firing, or the record of why a firing (or a range of them) was not run."""

    id: str
    job_id: str
    generation: int
    job_name: str
    timezone: str
    scheduled: int
    last_scheduled: int
    count: int = 1
    """How many instants the record stands for: 1, or more for a missed or skipped range."""
    attempt: int = 1
    trigger: Trigger = Trigger.SCHEDULE
    status: ExecutionStatus
    reason: str | None = None
    due: int
    started: int | None = None
    finished: int | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    traceback: str | None = None
    owner: str | None = None

    @property
    def scheduled_for(self) -> datetime:
        """The nominal instant of the firing, in the job's time zone; the first one, for a range."""
        return _shown(self.scheduled, self.timezone)

    @property
    def last_scheduled_for(self) -> datetime:
        """The last instant the record stands for, in the job's time zone."""
        return _shown(self.last_scheduled, self.timezone)

    @property
    def due_at(self) -> datetime:
        """When this attempt was due: for a retry later than `scheduled_for`. In the job's time zone."""
        return _shown(self.due, self.timezone)

    @property
    def started_at(self) -> datetime | None:
        """When the callback began, in the job's time zone."""
        return presented(self.started, self.timezone)

    @property
    def finished_at(self) -> datetime | None:
        """When the record became final, in the job's time zone."""
        return presented(self.finished, self.timezone)

    @property
    def lateness(self) -> timedelta | None:
        """How long after it was due the attempt began; None when it has not begun."""
        return None if self.started is None else timedelta(microseconds=self.started - self.due)

    def as_dict(self) -> dict[str, Any]:
        """The execution as JSON can have it: times as ISO 8601 text with their offset, `lateness` in seconds."""
        return jsonable(self, EXECUTION)

    @property
    def idempotency_key(self) -> str:
        """Names the firing, the same over all its attempts: `job_id:scheduled_for` in ISO form, UTC."""
        moment = _shown(self.scheduled, "UTC")
        return f"{self.job_id}:{moment.isoformat().replace('+00:00', 'Z')}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one attempt: everything a callback can do, as a value."""

    status: ExecutionStatus
    reason: str | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a job's own history: who reads it learns why it did not run, and other processes what to reload."""

    job_id: str
    generation: int
    at: int
    kind: ChangeKind
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What one decision writes: all of it in one transaction, or nothing.

    Every change to a job's executions goes with a write of the job's row, so that one number, the job's version,
    tells whether a decision was taken on what is still so.
    """

    job: Job | None
    """The job's state as it shall stand, its version one above the version decided upon; None: the job is gone."""
    new: tuple[Execution, ...] = ()
    """Rows that come into being."""
    moved: tuple[Execution, ...] = ()
    """Rows that were open, as they shall stand."""
    change: Change | None = None
    must_last: bool = False
    """Whether it has to survive a power cut, whatever the store's durability."""


def _without_file(stored: str | None) -> str | None:
    return None if stored is None else ":".join(stored.split(":")[:2])


def _time_of_day(wall: int) -> time:
    seconds, micros = divmod(wall, SECOND)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros)


def _shown(instant: int, zone_name: str) -> datetime:
    moment = presented(instant, zone_name)
    assert moment is not None
    return moment
