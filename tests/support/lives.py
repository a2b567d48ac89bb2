"""One job's life without engine, clock or database: the rules decide, and a dict is the store.

`Life` applies what the rules answer with, as strictly as a real store would: a version that is not one more than the
last, a record that is there already, a final row that changes, all fail the test on the spot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aurora_scheduler.definition import amended
from aurora_scheduler.instants import SECOND, instant_of
from aurora_scheduler.model import (
    CallbackName,
    Change,
    Commit,
    Execution,
    ExecutionStatus,
    Job,
    Outcome,
    Policies,
    Trigger,
)
from aurora_scheduler.rules import (
    Claim,
    Record,
    Rest,
    Sleep,
    Step,
    coming,
    decide,
    following,
    is_outdated,
    is_plainly_due,
    recover,
    settle,
)
from aurora_scheduler.rules.timing import delay_of, schedule_of
from aurora_scheduler.schedules import parse_schedule

__all__ = [
    "DAY",
    "FAILED",
    "HOUR",
    "MINUTE",
    "OWNER",
    "START",
    "SUCCEEDED",
    "Ids",
    "Life",
    "a_job",
    "a_row",
    "check_attempts",
    "check_instants",
    "check_overlap",
    "edited",
    "instants_of",
]

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
START = instant_of(datetime(2026, 3, 2, tzinfo=UTC))
"""When jobs are created: a Monday, midnight."""
OWNER = "this owner"

SUCCEEDED = Outcome(status=ExecutionStatus.SUCCEEDED, result={"success": True})
FAILED = Outcome(status=ExecutionStatus.FAILED, result={"success": False, "error": "no"}, error="no")


class Ids:
    """Ids that sort as they come."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return f"{self.given:032x}"


def a_job(
    schedule: str = "every 1 hour", *, created: int = START, state: dict[str, Any] | None = None, **policies: Any
) -> Job:
    """A job as it stands after it was created; `policies` in the fields and units of `Policies`."""
    rules = Policies(**policies)
    parsed = parse_schedule(schedule, "UTC", now=created, start=rules.starts)
    job = Job(
        id="job",
        name="a job",
        schedule_type=parsed.kind,
        schedule_value=parsed.text,
        callback=CallbackName("support.virtual", "act"),
        callback_args={},
        timezone="UTC",
        policies=rules,
        anchor=created if rules.starts is None else rules.starts,
        created=created,
        updated=created,
    )
    return replace(coming(job, following(job, created)), **(state or {}))


def edited(job: Job, changes: Mapping[str, Any], *, now: int) -> Job | None:
    """The job as `update_job` makes it, said and written at the same moment; None: nothing is changed."""
    return amended(job, changes, now=now).made_of(job, now)


def a_row(job: Job, status: ExecutionStatus, *, scheduled: int | None = None, **state: Any) -> Execution:
    """An open row of the job."""
    first = scheduled if scheduled is not None else START
    row = Execution(
        id=f"row of {first}",
        job_id=job.id,
        generation=job.generation,
        job_name=job.name,
        timezone=job.timezone,
        scheduled=first,
        last_scheduled=first,
        status=status,
        due=first,
    )
    if status is ExecutionStatus.RUNNING:
        row = replace(row, started=first, owner=OWNER)
    return replace(row, **state)


class Life:
    """A job, its rows, and a time that the test moves."""

    def __init__(self, job: Job | None = None, **options: Any) -> None:
        self.job: Job = job if job is not None else a_job(**options)
        self.now = self.job.created
        self.owner = OWNER
        self.ids = Ids()
        self.rows: dict[str, Execution] = {}
        self.changes: list[Change] = []
        self.had_nothing_next: list[tuple[int, int]] = []
        """When the places among `max_runs` were all taken, and one became free: what fell in between never came due."""

    # -- what is so ---------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[Execution]:
        """The rows that wait."""
        return self._of(ExecutionStatus.WAITING)

    @property
    def running(self) -> list[Execution]:
        """The rows that run."""
        return self._of(ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING)

    def _of(self, *statuses: ExecutionStatus) -> list[Execution]:
        return [row for row in self.rows.values() if row.status in statuses]

    def story(self) -> list[tuple[ExecutionStatus, str | None, int, int]]:
        """Of each row, in order: status, reason, which firing (in hours after the start), attempt."""
        return [(row.status, row.reason, (row.scheduled - START) // HOUR, row.attempt) for row in self.rows.values()]

    # -- what happens -------------------------------------------------------------------------------------------

    def apply(self, commit: Commit | None) -> None:
        """Write a commit, if there is one, as a store would."""
        if commit is None:
            return
        if commit.job is not None:
            assert commit.job.version == self.job.version + 1, "a version goes up by one"
            if self.job.is_active and self.job.next_fire is None and commit.job.next_fire is not None:
                last = max(row.last_scheduled for row in self.rows.values() if row.trigger is Trigger.SCHEDULE)
                self.had_nothing_next.append((last, self.now))
            self.job = commit.job
        for row in commit.moved:
            before = self.rows[row.id]
            assert not before.status.is_final, "final stays final"
            assert (before.scheduled, before.attempt) == (row.scheduled, row.attempt)
            self.rows[row.id] = row
        recorded = {(row.scheduled, row.attempt) for row in self.rows.values()}
        for row in commit.new:
            assert row.id not in self.rows
            assert (row.scheduled, row.attempt) not in recorded, "one record for an attempt"
            recorded.add((row.scheduled, row.attempt))
            self.rows[row.id] = row
        if commit.change is not None:
            self.changes.append(commit.change)

    def decide(self) -> Step:
        """The next step, not taken."""
        step = decide(self.job, self.waiting, self.running, self.now, owner=self.owner, new_id=self.ids)
        if is_plainly_due(self.job, self.waiting, self.running, self.now) and not is_outdated(self.job):
            assert isinstance(step, Claim)
            assert step.execution.due == self.job.next_due
        return step

    def go_to(self, instant: int) -> Life:
        """Let time pass; nothing is decided meanwhile."""
        assert instant >= self.now
        self.now = instant
        return self

    def act(self) -> Step:
        """Take one step after the other, until there is nothing to do now; answers with the last."""
        for _ in range(5000):  # as many as ever run beside each other, and more
            step = self.decide()
            match step:
                case Claim(commit=commit) | Record(commit=commit):
                    self.apply(commit)
                case Sleep() | Rest():
                    return step
        raise AssertionError("the rules never come to rest")

    def live_until(self, instant: int) -> Life:
        """Act at every instant that the rules ask for, up to this one. Attempts that run go on running."""
        while True:
            match self.act():
                case Sleep(until=int(until)) if until <= instant:
                    assert until > self.now
                    self.now = until
                case _:
                    self.now = instant
                    return self

    def end(self, outcome: Outcome = SUCCEEDED, row: Execution | None = None) -> Commit:
        """The attempt that runs (or this one) ends now."""
        row = row or self.running[0]
        commit = settle(self.job, self.waiting, len(self.running) - 1, row, outcome, self.now, new_id=self.ids)
        self.apply(commit)
        return commit

    def die(self) -> None:
        """The process dies, and another one begins now."""
        self.owner += "'"
        for row in self.running:
            lost = [
                other
                for other in self.rows.values()
                if other.scheduled == row.scheduled and other.status is ExecutionStatus.LOST
            ]
            commit = recover(self.job, self.waiting, len(self.running) - 1, row, len(lost), self.now, new_id=self.ids)
            self.apply(commit)


# -- the invariants of SEMANTICS.md, section 10 -------------------------------------------------------------------


def instants_of(job: Job, until: int) -> list[int]:
    """Every instant of the job that came due from its creation to `until`, within `start_at` and `end_at`."""
    last = until if job.policies.ends is None else min(until, job.policies.ends)
    instants: list[int] = []
    after = job.created if job.policies.starts is None else job.policies.starts - 1
    schedule = schedule_of(job)
    while (instant := schedule.next_instant(after)) is not None and instant <= last:
        if instant + delay_of(job, instant) > until:
            break
        instants.append(instant)
        after = instant
    return instants


def check_instants(rows: Iterable[Execution], expected: Sequence[int]) -> None:
    """I1 and I3: every instant that fell due is in exactly one firing record, and no record is of anything else."""
    recorded: list[int] = []
    for row in rows:
        if row.trigger is not Trigger.SCHEDULE or row.attempt != 1:
            continue
        within = [instant for instant in expected if row.scheduled <= instant <= row.last_scheduled]
        assert len(within) == row.count, f"{row.count} instants are said, {len(within)} are there: {row}"
        assert within, f"nobody asked for {row}"
        assert (within[0], within[-1]) == (row.scheduled, row.last_scheduled)
        recorded += within
    assert sorted(recorded) == list(expected)


def check_attempts(rows: Iterable[Execution]) -> None:
    """I2: the attempts of a firing are 1 … n without holes, one after the other."""
    firings: dict[tuple[str, int, int], list[Execution]] = {}
    for row in rows:
        firings.setdefault((row.job_id, row.generation, row.scheduled), []).append(row)
    for attempts in firings.values():
        attempts.sort(key=lambda row: row.attempt)
        assert [row.attempt for row in attempts] == list(range(1, len(attempts) + 1)), attempts
        assert all(row.status.is_final for row in attempts[:-1]), attempts


def check_overlap(rows: Iterable[Execution], at_once: int | None = 1) -> None:
    """I5: of one job never more than so many attempts at once; None: as many as there are."""
    if at_once is None:
        return
    jobs: dict[tuple[str, int], list[Execution]] = {}
    for row in rows:
        if row.started is not None:
            jobs.setdefault((row.job_id, row.generation), []).append(row)
    for ran in jobs.values():
        ran.sort(key=lambda row: (row.started or 0, row.finished or math.inf, row.id))
        for number, later in enumerate(ran):
            assert later.started is not None
            beside = [row for row in ran[:number] if row.finished is None or row.finished > later.started]
            assert len(beside) < at_once, f"{later} began beside {beside}"
