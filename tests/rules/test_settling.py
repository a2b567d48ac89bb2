"""What the end of an attempt writes: counters, retries, deactivation, the end of the job."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler.model import ChangeKind, ExecutionStatus, JobStatus, Outcome, Policies, Trigger
from aurora_scheduler.rules import pause, request_run, settle, unresolved
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.rules.settling import retry_delay
from support.lives import DAY, FAILED, HOUR, MINUTE, START, SUCCEEDED, Ids, Life, a_job, a_row

TIMED_OUT = Outcome(status=ExecutionStatus.TIMED_OUT, error="it took too long")
CANCELLED = Outcome(status=ExecutionStatus.CANCELLED, reason=Reason.BY_HAND)
STOPPED = Outcome(status=ExecutionStatus.CANCELLED, reason=Reason.STOPPED)


def failing(schedule="every 1 day", **policies):
    """A life whose first firing runs at this moment."""
    life = Life(a_job(schedule, **policies))
    assert life.job.next_fire is not None
    return life.live_until(life.job.next_fire)


def test_a_success_is_written_with_its_result_and_resets_the_streak():
    life = failing()
    life.job = replace(life.job, retry_count=2)
    life.go_to(START + DAY + MINUTE).end()
    (row,) = life.rows.values()
    assert (row.status, row.finished, row.result) == (
        ExecutionStatus.SUCCEEDED,
        START + DAY + MINUTE,
        {"success": True},
    )
    assert (life.job.retry_count, life.job.last_run, life.job.last_run_result) == (0, START + DAY, {"success": True})


@pytest.mark.parametrize("outcome", [FAILED, TIMED_OUT], ids=["failed", "timed out"])
def test_a_failure_counts_and_is_tried_again_after_the_delay_from_its_end(outcome):
    life = failing(retry_delay=5 * MINUTE)
    first = life.running[0]
    life.go_to(START + DAY + HOUR).end(outcome)
    (retry,) = life.waiting
    assert (retry.attempt, retry.scheduled, retry.due) == (2, START + DAY, START + DAY + HOUR + 5 * MINUTE)
    assert retry.id != first.id
    assert (retry.reason, retry.started, retry.owner, retry.result, retry.error) == (None, None, None, None, None)
    assert (life.job.retry_count, life.job.next_fire, life.job.status) == (1, START + 2 * DAY, JobStatus.ACTIVE)
    assert life.rows[first.id].error == outcome.error


def test_as_many_retries_follow_as_max_retries_says_and_then_the_job_is_deactivated():
    life = failing(max_retries=3, retry_delay=MINUTE)
    for streak in (1, 2, 3):
        life.end(FAILED)
        assert (life.job.retry_count, life.job.status) == (streak, JobStatus.ACTIVE)
        life.live_until(life.now + MINUTE)
    life.end(FAILED)
    assert (life.job.retry_count, life.job.status) == (4, JobStatus.DEACTIVATED)
    assert [row.attempt for row in life.rows.values()] == [1, 2, 3, 4]
    assert life.waiting == []
    assert life.job.next_run_time is None


def test_the_reason_of_a_deactivation_names_the_error():
    life = failing(max_retries=0)
    life.end(replace(FAILED, error="ValueError: no such host"))
    assert life.job.status is JobStatus.DEACTIVATED
    assert life.job.status_reason is not None
    assert "ValueError: no such host" in life.job.status_reason
    assert [(change.kind, change.detail) for change in life.changes] == [
        (ChangeKind.DEACTIVATED, life.job.status_reason)
    ]


def test_without_retries_the_first_failure_deactivates():
    life = failing(max_retries=0)
    life.end(FAILED)
    assert (life.job.status, life.job.retry_count, life.waiting) == (JobStatus.DEACTIVATED, 1, [])


def test_the_streak_goes_on_over_superseded_retries():
    life = failing("every 1 hour", max_retries=2, retry_delay=2 * HOUR)
    for hour in (2, 3):
        life.end(FAILED)
        life.live_until(START + hour * HOUR)
    life.end(FAILED)
    assert life.job.status is JobStatus.DEACTIVATED
    assert [status for status, *_ in life.story()] == [
        ExecutionStatus.FAILED,
        ExecutionStatus.SKIPPED,
        ExecutionStatus.FAILED,
        ExecutionStatus.SKIPPED,
        ExecutionStatus.FAILED,
    ]


def test_a_success_in_between_begins_a_new_streak():
    life = failing(max_retries=1, retry_delay=MINUTE)
    for _ in range(5):
        life.end(FAILED)
        life.live_until(life.now + MINUTE)
        life.end(SUCCEEDED)
        assert life.job.next_fire is not None
        life.live_until(life.job.next_fire)
    assert life.job.status is JobStatus.ACTIVE


def test_a_job_told_to_go_on_begins_a_new_streak_instead_of_being_deactivated():
    life = failing(max_retries=1, retry_delay=MINUTE, on_exhausted="continue")
    life.end(FAILED)
    life.live_until(life.now + MINUTE)
    life.end(FAILED)
    assert (life.job.status, life.job.retry_count, life.waiting) == (JobStatus.ACTIVE, 0, [])
    assert life.job.next_fire == START + 2 * DAY
    assert life.changes == []


def test_a_one_off_told_to_go_on_is_finished_after_its_last_retry():
    life = failing("in 1 hour", max_retries=0, on_exhausted="continue")
    life.end(FAILED)
    assert life.job.status is JobStatus.FINISHED


def test_a_cancelled_attempt_does_not_count_and_is_not_tried_again():
    life = failing()
    life.job = replace(life.job, retry_count=2)
    life.end(CANCELLED)
    assert (life.job.retry_count, life.waiting, life.job.status) == (2, [], JobStatus.ACTIVE)


@pytest.mark.parametrize("status", [JobStatus.ACTIVE, JobStatus.UNRESOLVED])
def test_an_attempt_cut_short_by_a_stop_runs_again_first_in_line(status):
    life = failing()
    life.job = replace(life.job, status=status, retry_count=1)
    life.end(STOPPED)
    (again,) = life.waiting
    assert (again.attempt, again.reason, again.due) == (2, Reason.RECOVERED, life.now)
    assert life.job.retry_count == 1
    assert next(iter(life.rows.values())).status is ExecutionStatus.CANCELLED


def test_an_attempt_of_a_paused_job_cut_short_by_a_stop_does_not_run_again():
    life = failing()
    life.apply(pause(life.job, life.waiting, life.now, life.ids))
    life.end(STOPPED)
    assert life.waiting == []


def test_deactivation_cancels_the_attempts_that_wait():
    life = failing(max_retries=0)
    life.job = replace(life.job, policies=replace(life.job.policies, max_retries=5))
    life.end(FAILED)
    life.job = replace(life.job, policies=replace(life.job.policies, max_retries=0))
    life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
    life.act()
    life.end(FAILED)
    assert life.job.status is JobStatus.DEACTIVATED
    assert life.waiting == []
    assert [row.reason for row in life.rows.values() if row.attempt == 2] == [Reason.DEACTIVATED]


@pytest.mark.parametrize("outcome", [SUCCEEDED, FAILED, CANCELLED, STOPPED], ids=["ok", "failed", "cancelled", "stop"])
def test_an_attempt_of_a_job_that_was_deleted_meanwhile_writes_its_row_alone(outcome):
    job = a_job()
    row = a_row(job, ExecutionStatus.RUNNING)
    commit = settle(None, (), 0, row, outcome, START + MINUTE, new_id=Ids())
    assert (commit.job, commit.new, commit.change) == (None, (), None)
    (ended,) = commit.moved
    assert (ended.id, ended.status, ended.finished) == (row.id, outcome.status, START + MINUTE)


def test_a_failure_of_a_paused_job_counts_and_is_not_tried_again():
    life = failing()
    life.apply(pause(life.job, life.waiting, life.now, life.ids))
    life.end(FAILED)
    assert (life.job.status, life.job.retry_count, life.waiting) == (JobStatus.PAUSED, 1, [])


def test_a_failure_of_a_paused_job_never_deactivates_it():
    life = failing(max_retries=0)
    life.apply(pause(life.job, life.waiting, life.now, life.ids))
    life.end(FAILED)
    assert life.job.status is JobStatus.PAUSED


def test_an_attempt_may_end_after_its_job_became_unresolved():
    life = failing()
    life.apply(unresolved(life.job, "gone", life.now))
    life.end(SUCCEEDED)
    assert life.job.status is JobStatus.UNRESOLVED
    assert life.job.last_run == START + DAY


class TestFinishing:
    def test_a_one_off_is_finished_after_its_success(self):
        life = failing("in 1 hour")
        assert (life.job.status, life.job.next_fire) == (JobStatus.ACTIVE, None)
        commit = life.end()
        assert life.job.status is JobStatus.FINISHED
        assert commit.change is not None
        assert commit.change.kind is ChangeKind.FINISHED

    def test_a_waiting_retry_keeps_a_one_off_active(self):
        life = failing("in 1 hour", retry_delay=MINUTE)
        life.end(FAILED)
        assert (life.job.status, life.job.next_run_time) == (JobStatus.ACTIVE, None)
        life.live_until(life.now + MINUTE)
        life.end()
        assert life.job.status is JobStatus.FINISHED

    def test_a_one_off_whose_retries_are_used_up_is_deactivated(self):
        life = failing("in 1 hour", max_retries=0)
        life.end(FAILED)
        assert life.job.status is JobStatus.DEACTIVATED

    def test_a_one_off_that_was_cancelled_is_finished(self):
        life = failing("in 1 hour")
        life.end(CANCELLED)
        assert life.job.status is JobStatus.FINISHED

    def test_a_run_by_hand_that_still_runs_keeps_a_job_active(self):
        job = a_job("in 1 hour", state={"next_fire": None})
        regular = a_row(job, ExecutionStatus.RUNNING)
        commit = settle(job, (), 1, regular, SUCCEEDED, START + HOUR, new_id=Ids())
        assert commit.job is not None
        assert commit.job.status is JobStatus.ACTIVE

    def test_the_last_of_max_runs_finishes_the_job_when_it_ends(self):
        life = failing(max_runs=1)
        assert (life.job.next_fire, life.job.status) == (None, JobStatus.ACTIVE)
        life.end()
        assert life.job.status is JobStatus.FINISHED

    def test_a_paused_job_is_not_finished_by_the_end_of_its_attempt(self):
        life = failing("in 1 hour")
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.end()
        assert life.job.status is JobStatus.PAUSED

    def test_a_run_by_hand_finishes_a_job_that_has_nothing_else_to_do(self):
        life = failing("in 1 hour")
        life.end()
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        life.act()
        life.end()
        assert life.job.status is JobStatus.FINISHED
        assert [row.trigger for row in life.rows.values()] == [Trigger.SCHEDULE, Trigger.MANUAL]


class TestRetryDelay:
    def delay(self, attempt, scheduled=START, **policies):
        row = a_row(a_job(), ExecutionStatus.RUNNING, scheduled=scheduled, attempt=attempt)
        return retry_delay(Policies(**policies), row)

    @pytest.mark.parametrize("attempt", [1, 2, 10, 10**9])
    def test_without_backoff_the_delay_is_always_the_same(self, attempt):
        assert self.delay(attempt, retry_delay=5 * MINUTE) == 5 * MINUTE

    def test_the_default_is_five_minutes(self):
        assert self.delay(1) == 5 * MINUTE

    def test_backoff_multiplies_from_retry_to_retry(self):
        delays = [self.delay(n, retry_delay=MINUTE, retry_backoff=2.0) for n in (1, 2, 3, 4)]
        assert delays == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]

    def test_the_delay_is_never_longer_than_max_retry_delay(self):
        assert self.delay(12, retry_delay=MINUTE, retry_backoff=2.0, max_retry_delay=HOUR) == HOUR
        assert self.delay(1, retry_delay=DAY, max_retry_delay=HOUR) == HOUR

    @pytest.mark.parametrize("backoff", [1.0000001, 1.5, 1000.0])
    @pytest.mark.parametrize("attempt", [1_000, 10**6, 10**15])
    def test_huge_attempt_numbers_do_no_harm(self, attempt, backoff):
        delay = self.delay(attempt, retry_delay=MINUTE, retry_backoff=backoff, max_retry_delay=DAY)
        assert MINUTE <= delay <= DAY

    def test_no_delay_stays_none_however_often_it_is_multiplied(self):
        assert self.delay(10**9, retry_delay=0, retry_backoff=1.0) == 0
        assert self.delay(50, retry_delay=0, retry_backoff=2.0) == 0
        assert 0 <= self.delay(10**9, retry_delay=0, retry_backoff=2.0) <= DAY

    @given(attempt=st.integers(1, 10**6), jitter=st.integers(0, HOUR), scheduled=st.integers(0, START))
    def test_jitter_is_bounded_and_repeatable(self, attempt, jitter, scheduled):
        delays = {self.delay(attempt, scheduled, retry_delay=MINUTE, retry_jitter=jitter) for _ in range(2)}
        assert len(delays) == 1
        assert MINUTE <= delays.pop() <= MINUTE + jitter

    def test_jitter_differs_from_firing_to_firing(self):
        delays = {self.delay(1, START + n * HOUR, retry_delay=MINUTE, retry_jitter=MINUTE) for n in range(20)}
        assert len(delays) > 10

    @given(
        attempt=st.integers(1, 10**9),
        delay=st.integers(0, DAY),
        backoff=st.floats(1.0, 1000.0),
        most=st.integers(0, 10 * DAY),
    )
    def test_the_delay_is_within_its_bounds_whatever_the_policies_say(self, attempt, delay, backoff, most):
        got = self.delay(attempt, retry_delay=delay, retry_backoff=backoff, max_retry_delay=most)
        assert min(delay, most) <= got <= most
