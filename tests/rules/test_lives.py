"""Whole lives of jobs, at random: whatever happens in whatever order, the record is complete and true."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given, note
from hypothesis import strategies as st

from aurora_scheduler.model import ExecutionStatus, JobStatus, Outcome, Trigger
from aurora_scheduler.rules import Sleep, cancel_waiting, is_free, request_run, resolved, unresolved
from aurora_scheduler.rules.firing import Reason
from support.lives import (
    DAY,
    FAILED,
    HOUR,
    MINUTE,
    START,
    SUCCEEDED,
    Life,
    a_job,
    check_attempts,
    check_instants,
    check_overlap,
    instants_of,
)

OUTCOMES = {
    "succeeds": SUCCEEDED,
    "fails": FAILED,
    "times out": Outcome(status=ExecutionStatus.TIMED_OUT, error="too long"),
    "is cancelled": Outcome(status=ExecutionStatus.CANCELLED, reason=Reason.BY_HAND),
    "is stopped": Outcome(status=ExecutionStatus.CANCELLED, reason=Reason.STOPPED),
}


@dataclass(frozen=True)
class Wait:
    """The scheduler is up for so long."""

    time: int


@dataclass(frozen=True)
class Down:
    """The process dies, and another begins so much later."""

    time: int


@dataclass(frozen=True)
class End:
    """The attempt that runs ends like this."""

    how: str


times = st.integers(0, 3 * HOUR) | st.sampled_from([1, MINUTE, HOUR - 1, HOUR, HOUR + 1, 5 * HOUR, DAY])
events = st.lists(
    st.one_of(
        times.map(Wait),
        times.map(Down),
        st.sampled_from([End(how) for how in OUTCOMES]),
        st.sampled_from(["run by hand", "cancel what waits", "cannot be imported", "can be imported"]),
    ),
    max_size=25,
)
jobs = st.builds(
    a_job,
    st.sampled_from(["every 1 hour", "every 7 minutes", "every 1 day", "in 90 minutes", "0 * * * *", "*/20 1-5 * * *"]),
    max_retries=st.integers(0, 3),
    retry_delay=st.sampled_from([0, MINUTE, 5 * MINUTE, HOUR, 2 * HOUR]),
    retry_backoff=st.sampled_from([1.0, 2.0]),
    on_exhausted=st.sampled_from(["deactivate", "continue"]),
    starts=st.none() | st.integers(1, 2 * HOUR).map(lambda after: START + after),
    ends=st.none() | st.integers(3 * HOUR, DAY).map(lambda after: START + after),
    max_runs=st.none() | st.integers(1, 4),
    misfire=st.sampled_from(["run_once", "skip", "run_all"]),
    misfire_grace=st.sampled_from([0, MINUTE, HOUR]),
    overlap=st.sampled_from(["skip", "queue_one", "queue_all", "allow", "cancel_previous"]),
    max_instances=st.none() | st.integers(1, 3),
    jitter=st.sampled_from([0, MINUTE, 3 * HOUR]),
    delivery=st.sampled_from(["at_least_once", "at_most_once"]),
).filter(lambda job: job.next_fire is not None)


def live(life, happenings):
    """Let it all happen; how long the job was active: until it was deactivated, or to the end."""
    fell_due_until = None
    for event in happenings:
        note(f"{life.now - START:>15,} {event}")
        match event:
            case Wait(time):
                life.live_until(life.now + time)
            case Down(time):
                life.go_to(life.now + time).die()
                life.act()
            case End(how):
                if life.running:
                    life.end(OUTCOMES[how])
                    life.act()
            case "run by hand":
                scheduled = life.now
                taken = {row.scheduled for row in life.rows.values()}
                while scheduled in taken or not is_free(life.job, scheduled):
                    scheduled += 1
                life.apply(request_run(life.job, scheduled, life.now, life.ids())[0])
                life.act()
            case "cancel what waits":
                for row in life.waiting:
                    others = len(life.waiting) - 1
                    life.apply(cancel_waiting(life.job, row, others, len(life.running), life.now))
            case "cannot be imported":
                life.apply(unresolved(life.job, "gone", life.now))
            case "can be imported":
                life.apply(resolved(life.job, life.waiting, life.now))
                life.act()
        assert len(life.running) <= (life.job.max_instances or len(life.running)), "I5"
        if life.job.status is JobStatus.DEACTIVATED and fell_due_until is None:
            fell_due_until = life.now
    return life.now if fell_due_until is None else fell_due_until


@given(jobs, events)
@example(a_job("every 1 hour"), [Wait(HOUR), Down(5 * HOUR), End("succeeds"), Wait(HOUR)])
@example(a_job("every 7 minutes", overlap="allow"), [Wait(24 * HOUR), Down(0)])
@example(a_job("in 90 minutes", retry_delay=0), [Wait(2 * HOUR), End("fails"), Down(MINUTE), End("is stopped")])
@example(a_job(starts=START + 1), ["run by hand", "run by hand", Wait(1)])
@example(a_job(max_runs=2), [Wait(HOUR), Down(HOUR), "cancel what waits", End("succeeds"), Wait(HOUR)])
@example(a_job("every 7 minutes", max_runs=1), [Down(HOUR), "run by hand", End("fails"), Wait(HOUR), End("succeeds")])
@example(a_job(max_runs=2, overlap="cancel_previous"), [Wait(5 * HOUR), "run by hand"])
@example(a_job(max_runs=2, overlap="cancel_previous"), [Wait(2 * HOUR), "run by hand", End("succeeds"), Wait(9 * HOUR)])
def test_every_instant_that_fell_due_is_in_exactly_one_record(job, happenings):
    life = Life(job)
    active_until = live(life, happenings)
    life.apply(resolved(life.job, life.waiting, life.now))
    life.act()
    rows = list(life.rows.values())

    expected = instants_of(job, active_until)
    for last, freed in life.had_nothing_next:
        expected = [instant for instant in expected if not last < instant <= freed]
    most = job.policies.max_runs
    if most is not None:
        firings = [row for row in rows if row.trigger is Trigger.SCHEDULE and row.attempt == 1]
        assert sum(row.started is not None for row in firings) <= most
        # One that is cancelled in the queue has had its place all the same.
        placed = sum(row.status not in (ExecutionStatus.MISSED, ExecutionStatus.SKIPPED) for row in firings)
        if placed >= most and life.job.next_fire is None:  # then nothing more falls due
            last = max(row.last_scheduled for row in firings)
            expected = [instant for instant in expected if instant <= last]
    if life.job.status is JobStatus.ACTIVE or active_until == life.now:
        check_instants(rows, expected)  # I1, I3
    check_attempts(rows)  # I2
    check_overlap([row for row in rows if row.status.is_final], job.max_instances)  # I5
    if job.policies.delivery == "at_most_once":  # I4
        lost = {(row.scheduled, row.attempt) for row in rows if row.status is ExecutionStatus.LOST}
        assert not any((row.scheduled, row.attempt - 1) in lost for row in rows)
    if life.job.status is JobStatus.FINISHED:
        assert all(row.trigger is Trigger.MANUAL for row in (*life.waiting, *life.running))
        assert life.job.next_fire is None
    if life.job.status in (JobStatus.PAUSED, JobStatus.DEACTIVATED):
        assert not life.waiting


@given(jobs, events)
def test_a_job_that_is_left_alone_comes_to_rest(job, happenings):
    """I6: once everything succeeds, nothing is left waiting or running, and the next firing is in the future."""
    life = Life(job)
    live(life, happenings)
    life.apply(resolved(life.job, life.waiting, life.now))
    life.act()
    for _ in range(200):
        while life.running:
            life.end(SUCCEEDED)
            life.act()
        if not life.waiting:
            break
        life.go_to(max(life.now, min(row.due for row in life.waiting)))
        life.act()
    assert life.waiting == []
    if life.job.status is JobStatus.ACTIVE:
        assert life.job.next_fire is not None
        assert life.decide() == Sleep(life.job.next_due)
        assert life.job.next_due is not None
        assert life.job.next_due > life.now
    else:
        assert life.job.status in (JobStatus.FINISHED, JobStatus.DEACTIVATED)


@given(jobs, st.lists(st.sampled_from(["succeeds", "fails", "times out"]), max_size=12))
def test_the_streak_counts_failures_since_the_last_success(job, ends):
    life = Life(job)
    streak = 0
    for how in ends:
        for _ in range(50):
            if life.running or life.job.status is not JobStatus.ACTIVE:
                break
            step = life.act()
            if isinstance(step, Sleep) and step.until is not None:
                life.go_to(step.until)
        if not life.running:
            return
        life.end(OUTCOMES[how])
        streak = 0 if how == "succeeds" else streak + 1
        if streak > job.policies.max_retries:
            if job.policies.on_exhausted == "deactivate":
                assert life.job.status is JobStatus.DEACTIVATED
                assert life.job.retry_count == streak
                return
            streak = 0
        assert life.job.retry_count == streak
        assert life.job.status is not JobStatus.DEACTIVATED
