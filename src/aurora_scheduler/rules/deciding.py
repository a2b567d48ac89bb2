"""What is a job's next step? The whole policy of firing, as one pure function, `decide`.

The order in which things are looked at *is* the policy:

1. a run asked for by hand, on any job;
2. a next firing that was computed with other zone data: it is computed anew, before anything is made of it;
3. what is first in line: an attempt that was lost with its process, a firing that was due before the attempt that runs;
4. the schedule: an instant that has come;
5. a retry that is due;
6. nothing: sleep until the nearest of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aurora_scheduler.model import Commit, Execution, ExecutionStatus, Job, JobStatus, Trigger
from aurora_scheduler.rules.changing import renewed
from aurora_scheduler.rules.firing import Reason, closed, finish_if_over, let_pass, row_of, stepped
from aurora_scheduler.rules.timing import coming, following, schedule_of, within

__all__ = ["Claim", "Record", "Rest", "Sleep", "Step", "decide", "pass_over"]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do before `until`; None: nothing at all, unless something happens."""

    until: int | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Commit this, and then, only then, run `execution`."""

    commit: Commit
    execution: Execution


@dataclass(frozen=True, slots=True)
class Record:
    """Commit this; there is nothing to run."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class Rest:
    """The job is not active and nobody asked for a run: it needs no task."""


Step = Sleep | Claim | Record | Rest


def decide(
    job: Job,
    waiting: Sequence[Execution],
    running: Sequence[Execution],
    now: int,
    *,
    owner: str,
    new_id: Callable[[], str],
) -> Step:
    """The next step for `job`, given its waiting rows, its attempts that run in this process, and the time.

    Pure: the same arguments give the same step. Raises `ScheduleError` where the job's zone is unknown here.
    """
    by_hand = next((row for row in waiting if _is_request(row)), None)
    if by_hand is not None:
        if running:
            return _skip_waiting(job, by_hand, now)
        return _claim_waiting(job, by_hand, now, owner)
    if job.status is not JobStatus.ACTIVE:
        return _step_at_rest(job, waiting, running, now, owner)

    schedule_of(job)  # where its zone is unknown here, that is said now, and not when it comes due
    commit = renewed(job, now)
    if commit is not None:
        return Record(commit)
    in_line = min((row for row in waiting if _is_in_line(row)), key=_place_in_line, default=None)
    if in_line is not None and not running:
        return _claim_waiting(job, in_line, now, owner)
    if job.next_fire is not None and job.next_fire <= now:
        if running:
            return _come_due_while_busy(job, waiting, running, now, new_id)
        return _come_due(job, waiting, now, owner, new_id)

    retry = min((row for row in waiting if not _is_in_line(row)), key=lambda row: row.due, default=None)
    if retry is not None and retry.due <= now and not running:
        return _claim_waiting(job, retry, now, owner)
    if job.next_fire is None and not waiting and not running:
        over, change = finish_if_over(stepped(job), now, open_left=False)
        return Record(Commit(job=over, change=change))
    wakes = [job.next_fire, retry.due if retry is not None and not running else None]
    return Sleep(min((wake for wake in wakes if wake is not None), default=None))


def _step_at_rest(job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, owner: str) -> Step:
    """Of a job that does not fire, only what was asked for by hand runs; and runs again, if its process died."""
    again = next((row for row in waiting if row.trigger is Trigger.MANUAL and _is_in_line(row)), None)
    if again is None:
        return Rest()
    return Sleep(None) if running else _claim_waiting(job, again, now, owner)


def pass_over(job: Job) -> Commit:
    """Go past an instant that is recorded already (the wall clock was set back): its record stands, it is not run."""
    assert job.next_fire is not None
    return Commit(job=coming(stepped(job), following(job, job.next_fire)))


def _is_request(row: Execution) -> bool:
    return row.trigger is Trigger.MANUAL and row.attempt == 1


def _is_in_line(row: Execution) -> bool:
    return row.reason in (Reason.RECOVERED, Reason.QUEUED)


def _place_in_line(row: Execution) -> tuple[bool, int, int]:
    return (row.reason != Reason.RECOVERED, row.due, row.scheduled)


def _come_due(job: Job, waiting: Sequence[Execution], now: int, owner: str, new_id: Callable[[], str]) -> Claim:
    """The latest instant that has come runs; those before it are one missed record; a waiting retry gives way."""
    last, missed = _split(job, now, now, new_id)
    execution = replace(row_of(job, last, new_id()), status=ExecutionStatus.RUNNING, started=now, owner=owner)
    superseded = tuple(
        closed(row, ExecutionStatus.SKIPPED, Reason.SUPERSEDED, now) for row in waiting if not _is_in_line(row)
    )
    ran = stepped(job, runs=job.runs + 1)
    commit = Commit(job=coming(ran, following(ran, last)), new=(*missed, execution), moved=superseded)
    return Claim(commit, execution)


def _come_due_while_busy(
    job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, new_id: Callable[[], str]
) -> Record:
    """Instants that came while an attempt runs overlap and are skipped; those due before it began queue behind it."""
    busy_since = min(row.started if row.started is not None else now for row in running)
    first = job.next_fire
    assert first is not None
    if first <= busy_since:
        last, missed = _split(job, busy_since, now, new_id)
        queued = replace(row_of(job, last, new_id()), reason=Reason.QUEUED)
        # What is in the queue will be claimed, and counts for max_runs then.
        to_come = 1 + sum(row.reason == Reason.QUEUED for row in waiting)
        pending = following(replace(job, runs=job.runs + to_come), last)
        return Record(Commit(job=coming(stepped(job), pending), new=(*missed, queued)))
    skipped, after = let_pass(job, now, ExecutionStatus.SKIPPED, Reason.OVERLAP, new_id)
    return Record(Commit(job=stepped(after), new=skipped))


def _split(job: Job, until: int, now: int, new_id: Callable[[], str]) -> tuple[int, tuple[Execution, ...]]:
    """The latest instant up to `until`, and the record of those before it (none where it is the only one)."""
    first = job.next_fire
    assert first is not None
    last, _ = schedule_of(job).span(first, within(job, until))
    missed, _ = let_pass(job, now, ExecutionStatus.MISSED, Reason.MISFIRE, new_id, until=last - 1)
    return last, missed


def _claim_waiting(job: Job, row: Execution, now: int, owner: str) -> Claim:
    """A waiting row runs: a run by hand, a recovered attempt, a queued firing, a retry."""
    execution = replace(row, status=ExecutionStatus.RUNNING, started=now, owner=owner)
    ran = stepped(job)
    if row.trigger is Trigger.SCHEDULE and row.attempt == 1:
        ran = replace(ran, runs=job.runs + 1)
        if ran.policies.max_runs is not None and ran.runs >= ran.policies.max_runs:
            ran = coming(ran, None)
    return Claim(Commit(job=ran, moved=(execution,)), execution)


def _skip_waiting(job: Job, row: Execution, now: int) -> Record:
    return Record(Commit(job=stepped(job), moved=(closed(row, ExecutionStatus.SKIPPED, Reason.OVERLAP, now),)))
