"""What becomes of the attempts of an owner that died."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.model import ExecutionStatus, JobStatus, Trigger
from aurora_scheduler.rules import pause, recover, request_cancel, request_run, resume, unresolved
from aurora_scheduler.rules.firing import Reason
from support.lives import DAY, FAILED, HOUR, MINUTE, START, Ids, Life, a_job, a_row


def dying(schedule="every 1 hour", **policies):
    """A life whose first firing runs at this moment."""
    life = Life(a_job(schedule, **policies))
    assert life.job.next_fire is not None
    return life.live_until(life.job.next_fire)


def test_the_attempt_is_lost_and_its_firing_waits_first_in_line():
    life = dying()
    life.go_to(START + HOUR + MINUTE).die()
    lost, again = life.rows.values()
    assert (lost.status, lost.finished) == (ExecutionStatus.LOST, life.now)
    assert (again.status, again.reason, again.attempt) == (ExecutionStatus.WAITING, Reason.RECOVERED, 2)
    assert (again.scheduled, again.due) == (lost.scheduled, life.now)
    assert (again.started, again.finished, again.owner) == (None, None, None)


def test_a_lost_attempt_does_not_count():
    life = dying()
    life.die()
    assert (life.job.retry_count, life.job.last_run) == (0, None)


def test_the_recovered_attempt_runs_at_once():
    life = dying()
    life.go_to(START + HOUR + MINUTE).die()
    life.act()
    (row,) = life.running
    assert (row.attempt, row.started, row.owner) == (2, life.now, life.owner)


def test_the_recovered_attempt_goes_before_the_schedule_which_then_waits_behind_it():
    life = dying()
    life.go_to(START + 5 * HOUR + MINUTE).die()
    life.act()
    assert [(status, hour, attempt) for status, _, hour, attempt in life.story()] == [
        (ExecutionStatus.LOST, 1, 1),
        (ExecutionStatus.RUNNING, 1, 2),
        (ExecutionStatus.MISSED, 2, 1),
        (ExecutionStatus.WAITING, 5, 1),
    ]
    assert [row.reason for row in life.waiting] == [Reason.QUEUED]
    life.end()
    life.act()
    assert [(row.scheduled, row.attempt) for row in life.running] == [(START + 5 * HOUR, 1)]


def test_a_recovered_attempt_is_never_superseded():
    life = Life()
    for status, scheduled, reason in (
        (ExecutionStatus.WAITING, START + MINUTE, Reason.RECOVERED),
        (ExecutionStatus.RUNNING, START + 2 * MINUTE, None),
    ):
        row = a_row(life.job, status, scheduled=scheduled, reason=reason)
        life.rows[row.id] = row
    life.live_until(START + 3 * HOUR)
    life.end()
    life.act()
    assert [(row.scheduled, row.reason) for row in life.running] == [(START + MINUTE, Reason.RECOVERED)]


def test_a_recovered_attempt_goes_before_a_run_by_hand_which_then_has_its_turn():
    life = dying()
    life.go_to(life.now + MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.go_to(life.now + MINUTE).die()
    life.act()
    assert [(row.scheduled, row.attempt) for row in life.running] == [(START + HOUR, 2)]
    assert [(row.trigger, row.reason) for row in life.waiting] == [(Trigger.MANUAL, Reason.QUEUED)]
    life.end()
    life.act()
    assert [row.trigger for row in life.running] == [Trigger.MANUAL]


def test_on_a_paused_job_a_lost_run_by_hand_goes_before_a_new_one():
    life = Life(a_job(state={"status": JobStatus.PAUSED}))
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    life.go_to(life.now + MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.go_to(life.now + MINUTE).die()
    life.act()
    assert [row.attempt for row in life.running] == [2]
    life.end()
    life.act()
    assert [(row.scheduled, row.attempt) for row in life.running] == [(START + MINUTE, 1)]


def test_several_recovered_attempts_run_in_their_order():
    job = a_job("every 1 day")
    life = Life(job)
    for n in (3, 1, 2):
        row = a_row(
            job, ExecutionStatus.WAITING, scheduled=START + n * MINUTE, reason=Reason.RECOVERED, attempt=2,
            due=START + HOUR,
        )  # fmt: skip
        life.rows[row.id] = row
    ran = []
    life.go_to(START + HOUR)
    for _ in range(3):
        life.act()
        ran.append((life.running[0].scheduled - START) // MINUTE)
        life.end()
    assert ran == [1, 2, 3]


def test_a_recovered_attempt_goes_before_a_queued_firing():
    job = a_job("every 1 day")
    life = Life(job)
    for n, reason in ((1, Reason.QUEUED), (2, Reason.RECOVERED)):
        row = a_row(job, ExecutionStatus.WAITING, scheduled=START + n * MINUTE, reason=reason)
        life.rows[row.id] = row
    life.go_to(START + HOUR).act()
    assert life.running[0].scheduled == START + 2 * MINUTE


def test_the_second_death_is_recovered_like_the_first():
    life = dying()
    life.die()
    life.act()
    life.die()
    life.act()
    assert [row.attempt for row in life.running] == [3]
    assert life.job.retry_count == 0


def test_the_third_death_is_one_failure_and_the_firing_is_not_run_again():
    life = dying(max_retries=3)
    for _ in range(3):
        life.act()
        life.die()
    assert [row.status for row in life.rows.values()] == [ExecutionStatus.LOST] * 3
    assert (life.job.retry_count, life.waiting, life.job.status) == (1, [], JobStatus.ACTIVE)
    last = list(life.rows.values())[-1]
    assert last.reason == "the process died 3 times"
    assert life.job.last_run_result == {"success": False, "error": "the process died 3 times"}
    assert life.job.last_run == last.started
    life.live_until(START + 2 * HOUR)
    assert [(row.scheduled, row.attempt) for row in life.running] == [(START + 2 * HOUR, 1)]


def test_the_third_death_deactivates_a_job_that_has_no_failure_left():
    life = dying(max_retries=0)
    for _ in range(3):
        life.act()
        life.die()
    assert life.job.status is JobStatus.DEACTIVATED
    assert life.job.status_reason is not None
    assert "the process died 3 times" in life.job.status_reason


def test_the_third_death_of_a_one_off_finishes_it():
    life = dying("in 1 hour")
    for _ in range(3):
        life.act()
        life.die()
    assert (life.job.status, life.job.retry_count) == (JobStatus.FINISHED, 1)


def test_the_deaths_of_a_firing_count_over_failures_in_between():
    life = dying("every 1 day", retry_delay=MINUTE)
    for deaths in (1, 2):
        life.die()
        life.act()
        life.end(FAILED)
        assert life.job.retry_count == deaths
        life.live_until(life.now + MINUTE)
    life.die()
    assert life.waiting == []
    assert life.job.retry_count == 3


def test_another_firing_has_deaths_of_its_own():
    life = dying()
    for hour in (1, 2, 3, 4):
        life.live_until(START + hour * HOUR)
        life.die()
        life.act()
        life.end()
    assert life.job.retry_count == 0
    assert [row.attempt for row in life.rows.values()] == [1, 2] * 4


def test_an_attempt_that_was_being_cancelled_is_lost_too_and_is_not_wanted_any_more():
    life = dying()
    life.apply(request_cancel(life.job, life.running[0], life.now))
    life.die()
    assert [row.status for row in life.rows.values()] == [ExecutionStatus.LOST]


def test_a_paused_jobs_firing_is_lost_and_does_not_run_again():
    life = dying()
    life.apply(pause(life.job, life.waiting, life.now, life.ids))
    life.die()
    assert (life.waiting, life.job.status) == ([], JobStatus.PAUSED)


def test_a_run_by_hand_of_a_paused_job_runs_again_while_the_job_is_paused():
    life = Life(a_job(state={"status": JobStatus.PAUSED}))
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    life.die()
    (again,) = life.waiting
    assert (again.trigger, again.reason, again.attempt) == (Trigger.MANUAL, Reason.RECOVERED, 2)
    life.act()
    assert [row.attempt for row in life.running] == [2]


def test_firings_queued_behind_recovered_attempts_are_never_more_than_max_runs():
    life = dying(max_runs=2)
    for _ in range(2):  # at each death another instant has come, and queues behind the attempt that is recovered
        life.go_to(life.now + HOUR).die()
        life.act()
    while life.running:
        life.end()
        life.act()
    assert life.job.runs == 2
    assert life.job.status is JobStatus.FINISHED


def test_an_unresolved_jobs_firing_waits_until_the_callback_is_there():
    life = dying()
    life.apply(unresolved(life.job, "gone", life.now))
    life.die()
    assert [(row.reason, row.attempt) for row in life.waiting] == [(Reason.RECOVERED, 2)]


def test_a_one_off_whose_attempt_was_lost_stays_active():
    life = dying("in 1 hour")
    life.die()
    assert life.job.is_active
    life.act()
    life.end()
    assert life.job.status is JobStatus.FINISHED


def test_the_attempt_of_a_deleted_job_is_lost_and_that_is_all():
    row = a_row(a_job(), ExecutionStatus.RUNNING)
    commit = recover(None, (), 0, row, 0, START + HOUR, new_id=Ids())
    assert (commit.job, commit.new, commit.change) == (None, (), None)
    assert [moved.status for moved in commit.moved] == [ExecutionStatus.LOST]


@pytest.mark.parametrize("hours", [1, 25])
def test_resuming_after_a_lost_firing_does_not_bring_it_back(hours):
    life = dying("every 1 day")
    life.apply(pause(life.job, life.waiting, life.now, life.ids))
    life.die()
    life.go_to(life.now + hours * HOUR)
    life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
    life.act()
    assert life.running == []
    assert life.job.next_fire == START + (2 if hours == 1 else 3) * DAY


@pytest.mark.parametrize("reason", [Reason.BY_HAND, Reason.SUPERSEDED])
def test_an_attempt_that_was_cancelled_and_died_before_it_heard_of_it_is_lost_and_not_run_again(reason):
    life = Life().live_until(START + HOUR)
    row = life.running[0]
    life.rows[row.id] = replace(row, status=ExecutionStatus.CANCELLING, reason=reason)
    life.die()
    assert [row.status for row in life.rows.values()] == [ExecutionStatus.LOST]


def test_an_attempt_that_ran_too_long_and_died_runs_again():
    life = Life().live_until(START + HOUR)
    row = life.running[0]
    life.rows[row.id] = replace(row, status=ExecutionStatus.CANCELLING, reason=Reason.TIMEOUT)
    life.die()
    assert [row.status for row in life.rows.values()] == [ExecutionStatus.LOST, ExecutionStatus.WAITING]
