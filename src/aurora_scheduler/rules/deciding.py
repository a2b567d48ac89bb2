"""What is a job's next step? The whole policy of firing, as one pure function, `decide`.

The order in which things are looked at *is* the policy:

1. a run asked for by hand, on any job, unless an attempt that was lost with its process can run again: that is first;
2. a next firing that was computed with other zone data: it is computed anew, before anything is made of it;
3. what is first in line: an attempt that was lost with its process, a firing that has waited for its turn;
4. the schedule: an instant that has come due (`backlog` and `overlap` say what becomes of it);
5. a retry that is due;
6. nothing: sleep until the nearest of these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import Commit, Execution, ExecutionStatus, Job, JobStatus, Trigger
from aurora_scheduler.rules.backlog import sort_out
from aurora_scheduler.rules.changing import renewed
from aurora_scheduler.rules.firing import Reason, finish_if_over, row_of, stepped
from aurora_scheduler.rules.overlap import (
    Overlapping,
    has_room,
    has_turn,
    keeps_retries,
    meet,
    meet_by_hand,
    queue,
    superseded,
)
from aurora_scheduler.rules.timing import coming, schedule_of
from aurora_scheduler.values import replace

__all__ = [
    "AHEAD",
    "Claim",
    "Record",
    "Rest",
    "Sleep",
    "Step",
    "decide",
    "is_ahead",
    "is_near",
    "is_plainly_due",
    "may_be_ahead",
]

#: A firing may be claimed so many microseconds ahead of its instant, as if that had come, at most. Its callback begins
#: when it has.
AHEAD = 80_000


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do before `until`; None: nothing at all, unless something happens."""

    until: int | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Commit this, and then, only then, run `execution`."""

    commit: Commit
    execution: Execution

    @property
    def is_behind(self) -> bool:
        """Whether the job is due once more already: what becomes of that is decided when this is written."""
        after, now = self.commit.job, self.execution.started
        return after is not None and after.next_due is not None and now is not None and after.next_due <= now


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
    room = has_room(job, running)
    by_hand = next((row for row in waiting if _is_request(row)), None) if waiting else None
    if by_hand is not None and not (room and any(_is_first(job, row) for row in waiting)):
        if room:
            return _claim_waiting(job, by_hand, now, owner)
        return _record(meet_by_hand(job, by_hand, waiting, running, now, _busy_since(running, now)))
    if job.status is not JobStatus.ACTIVE:
        return _step_at_rest(job, waiting, running, now, owner)

    schedule_of(job)  # where its zone is unknown here, that is said now, and not when it comes due
    commit = renewed(job, now)
    if commit is not None:
        return Record(commit)
    if waiting and room:
        in_line = min((row for row in waiting if _may_begin(job, row, running, now)), key=_place_in_line, default=None)
        if in_line is not None:
            return _claim_waiting(job, in_line, now, owner)
    if job.next_due is not None and job.next_due <= now:
        if room:
            return _come_due(job, waiting, running, now, owner, new_id)
        return _come_due_while_busy(job, waiting, running, now, new_id)

    if not waiting and job.next_due is not None:
        return Sleep(job.next_due)
    retry = min((row for row in waiting if _is_retry(row)), key=lambda row: row.due, default=None)
    if retry is not None and retry.due <= now and room:
        return _claim_waiting(job, retry, now, owner)
    if job.next_fire is None and not waiting and not running:
        over, change = finish_if_over(job, now, open_left=False, version=job.version + 1)
        return Record(Commit(job=over, change=change))
    wakes = [job.next_due, retry.due if retry is not None and room else None]
    return Sleep(min((wake for wake in wakes if wake is not None), default=None))


def is_plainly_due(job: Job, waiting: Sequence[Execution], running: Collection[object], now: int) -> bool:
    """Whether one firing has come due just now, and there is nothing else to decide: `decide` would claim it.

    Then what is claimed need not be decided before there is a slot for it. A guess that costs little: what `decide`
    says then is what counts.
    """
    due = job.next_due
    if due is None or waiting or job.status is not JobStatus.ACTIVE:
        return False
    may_be_missed = job.policies.misfire == "skip"
    return 0 <= now - due < SECOND and not may_be_missed and has_room(job, running)


def may_be_ahead(job: Job) -> bool:
    """Whether firings of the job may be claimed ahead, where nothing else of it waits or runs.

    Not one that is gone if the process dies before it has begun, and not one that is not to run if it comes late: both
    could happen yet.
    """
    return job.policies.delivery == "at_least_once" and job.policies.misfire != "skip"


def is_near(instant: int, now: int) -> bool:
    """Whether an instant has yet to come, and is so near that what is due then may be claimed already.

    Where what is claimed is further ahead, the clock was set back, and nobody waits for that.
    """
    return 0 < instant - now <= AHEAD


def is_ahead(execution: Execution, now: int) -> bool:
    """Whether the execution is claimed ahead of an instant that has yet to come."""
    running, started = execution.status is ExecutionStatus.RUNNING, execution.started
    return running and started is not None and is_near(started, now)


def _step_at_rest(job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, owner: str) -> Step:
    """Of a job that does not fire, only what was asked for by hand runs; and runs again, if its process died."""
    by_hand = (row for row in waiting if row.trigger is Trigger.MANUAL and not _is_retry(row))
    again = min(by_hand, key=_place_in_line, default=None)
    if again is None:
        return Rest()
    return _claim_waiting(job, again, now, owner) if has_room(job, running) else Sleep(None)


def _is_request(row: Execution) -> bool:
    return row.trigger is Trigger.MANUAL and row.attempt == 1 and row.reason is None


def _is_first(job: Job, row: Execution) -> bool:
    """Whether the row was lost with its process, and may run again."""
    return row.reason == Reason.RECOVERED and (job.is_active or row.trigger is Trigger.MANUAL)


def _busy_since(running: Sequence[Execution], now: int) -> int:
    """Since when it runs; where the clock was set back since, what is due by it now came after that in any case."""
    begun = [row.started if row.started is not None else now for row in running]
    return min(started if started <= now else 0 for started in begun)


def _is_retry(row: Execution) -> bool:
    return row.reason != Reason.RECOVERED and not has_turn(row)


def _may_begin(job: Job, row: Execution, running: Sequence[Execution], now: int) -> bool:
    """Whether a waiting row goes before the schedule, if there is room."""
    if row.reason == Reason.BACKLOG:  # in turn, also where other firings of the job run beside each other
        return not any(other.reason == Reason.BACKLOG for other in running)
    return not _is_retry(row) or (keeps_retries(job) and row.due <= now)


def _place_in_line(row: Execution) -> tuple[bool, int, int]:
    return (row.reason != Reason.RECOVERED, row.due, row.scheduled)


def _come_due(
    job: Job,
    waiting: Sequence[Execution],
    running: Sequence[Execution],
    now: int,
    owner: str,
    new_id: Callable[[], str],
) -> Step:
    """What has come due is sorted out: the first that runs begins, others wait; a retry that waits gives way."""
    backlog = sort_out(job, waiting, now, now, new_id, begins=True)
    after = backlog.job
    if not backlog.run:
        after, change = finish_if_over(after, now, open_left=bool(waiting or running))
        return Record(Commit(job=after, new=backlog.missed, change=change))
    first, *others = backlog.run
    execution = row_of(
        job,
        first,
        new_id(),
        status=ExecutionStatus.RUNNING,
        reason=Reason.BACKLOG if others else None,  # it is one of those that run in turn
        started=now,
        owner=owner,
    )
    new = (*backlog.missed, execution, *queue(job, others, Reason.BACKLOG, new_id))
    moved = superseded(_giving_way(job, waiting), now)
    return Claim(Commit(job=after, new=new, moved=moved, must_last=_runs_once(job)), execution)


def _giving_way(job: Job, waiting: Sequence[Execution]) -> Sequence[Execution]:
    """The retries that a firing takes the place of."""
    return [row for row in waiting if _is_retry(row)] if waiting and not keeps_retries(job) else ()


def _come_due_while_busy(
    job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, new_id: Callable[[], str]
) -> Record:
    """Instants that came while attempts run overlap; those due before these began have their turn behind them."""
    busy_since = _busy_since(running, now)
    assert job.next_due is not None
    if job.next_due > busy_since:
        return _record(meet(job, waiting, running, now, new_id))
    backlog = sort_out(job, waiting, busy_since, now, new_id, begins=False)
    reason = Reason.BACKLOG if len(backlog.run) > 1 else Reason.QUEUED
    giving_way = _giving_way(job, waiting) if backlog.run else ()
    new = (*backlog.missed, *queue(job, backlog.run, reason, new_id))
    return Record(Commit(job=backlog.job, new=new, moved=superseded(giving_way, now)))


def _record(overlapping: Overlapping) -> Record:
    return Record(Commit(job=stepped(overlapping.job), new=overlapping.new, moved=overlapping.moved))


def _claim_waiting(job: Job, row: Execution, now: int, owner: str) -> Claim:
    """A waiting row runs: a run by hand, a recovered attempt, a queued firing, a retry."""
    execution = replace(row, status=ExecutionStatus.RUNNING, started=now, owner=owner)
    ran = stepped(job)
    if row.trigger is Trigger.SCHEDULE and row.attempt == 1:
        ran = replace(ran, runs=job.runs + 1)
        if ran.policies.max_runs is not None and ran.runs >= ran.policies.max_runs:
            ran = coming(ran, None)
    return Claim(Commit(job=ran, moved=(execution,), must_last=_runs_once(job)), execution)


def _runs_once(job: Job) -> bool:
    """A claim that a power cut took back would be run a second time."""
    return job.policies.delivery == "at_most_once"
