"""What a job's next step is: the policy of firing."""

from __future__ import annotations

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus, Trigger
from aurora_scheduler.rules import Claim, Record, Rest, Sleep, decide, is_plainly_due, request_run
from aurora_scheduler.rules.firing import Reason
from support.lives import DAY, FAILED, HOUR, MINUTE, OWNER, START, Ids, Life, a_job, a_row


def test_a_job_sleeps_until_its_next_firing():
    assert Life().decide() == Sleep(START + HOUR)


def test_a_microsecond_before_its_instant_a_job_still_sleeps():
    assert Life().go_to(START + HOUR - 1).decide() == Sleep(START + HOUR)


def test_a_due_firing_is_claimed_with_the_next_firing_in_the_same_commit():
    life = Life().go_to(START + HOUR)
    step = life.decide()
    assert isinstance(step, Claim)
    (row,) = step.commit.new
    assert row is step.execution
    assert (row.status, row.scheduled, row.count, row.attempt) == (ExecutionStatus.RUNNING, START + HOUR, 1, 1)
    assert (row.owner, row.started, row.due) == (OWNER, START + HOUR, START + HOUR)
    assert step.commit.job is not None
    assert step.commit.job.next_fire == START + 2 * HOUR
    assert step.commit.job.version == life.job.version + 1
    assert step.commit.job.runs == 1


@pytest.mark.parametrize("late", [0, 1, SECOND - 1])
def test_one_that_has_come_due_just_now_is_plainly_due(late):
    life = Life().go_to(START + HOUR + late)
    assert is_plainly_due(life.job, life.waiting, life.running, life.now)
    assert isinstance(life.decide(), Claim)


@pytest.mark.parametrize("now", [START + HOUR - 1, START + HOUR + SECOND])
def test_one_that_is_to_come_or_comes_late_is_not(now):
    """There may be several of them then."""
    life = Life().go_to(now)
    assert not is_plainly_due(life.job, (), (), now)


def test_nor_is_one_with_anything_else_to_decide():
    job, now = a_job(), START + HOUR
    row = a_row(job, ExecutionStatus.RUNNING)
    assert is_plainly_due(job, (), (), now)
    assert not is_plainly_due(job, (a_row(job, ExecutionStatus.WAITING),), (), now)
    assert not is_plainly_due(job, (), (row,), now), "it is busy"
    assert is_plainly_due(a_job(overlap="allow"), (), (row,), now)
    assert not is_plainly_due(a_job(state={"status": JobStatus.PAUSED}), (), (), now)
    assert not is_plainly_due(a_job(state={"next_fire": None}), (), (), now)
    assert not is_plainly_due(a_job(misfire="skip"), (), (), now), "it may be too late already"


def test_deciding_is_pure():
    life = Life().go_to(START + 5 * HOUR)
    same = [decide(life.job, (), (), life.now, owner=OWNER, new_id=Ids()) for _ in range(2)]
    assert same[0] == same[1]


@pytest.mark.parametrize("late", [1, SECOND, 59 * MINUTE, HOUR - 1])
def test_a_single_late_firing_runs_however_late_it_is(late):
    life = Life().go_to(START + HOUR + late)
    life.act()
    (row,) = life.rows.values()
    assert (row.scheduled, row.started, row.status) == (START + HOUR, life.now, ExecutionStatus.RUNNING)
    assert life.job.next_fire == START + 2 * HOUR


def test_of_a_backlog_the_latest_runs_and_the_rest_is_one_missed_row():
    life = Life().go_to(START + 10 * HOUR + MINUTE)
    life.act()
    missed, ran = life.rows.values()
    assert (missed.status, missed.reason) == (ExecutionStatus.MISSED, Reason.MISFIRE)
    assert (missed.scheduled, missed.last_scheduled, missed.count) == (START + HOUR, START + 9 * HOUR, 9)
    assert missed.finished == life.now
    assert missed.started is None
    assert (ran.scheduled, ran.status, ran.count) == (START + 10 * HOUR, ExecutionStatus.RUNNING, 1)
    assert life.job.next_fire == START + 11 * HOUR
    assert life.job.runs == 1


def test_a_backlog_of_two_is_a_missed_row_of_one():
    life = Life().go_to(START + 2 * HOUR)
    life.act()
    missed, ran = life.rows.values()
    assert (missed.scheduled, missed.last_scheduled, missed.count) == (START + HOUR, START + HOUR, 1)
    assert ran.scheduled == START + 2 * HOUR


def test_a_backlog_of_years_is_counted_without_being_walked_through():
    life = Life(a_job("every 1 second")).go_to(START + 3650 * DAY)
    life.act()
    missed, _ = life.rows.values()
    assert missed.count == 3650 * 86_400 - 1


def test_a_backlog_of_a_calendar_schedule_is_counted_too():
    life = Life(a_job("30 9 * * 1-5")).go_to(START + 7 * DAY)
    life.act()
    missed, ran = life.rows.values()
    assert missed.count == 4
    assert ran.scheduled == START + 4 * DAY + 9 * HOUR + 30 * MINUTE
    assert life.job.next_fire == START + 7 * DAY + 9 * HOUR + 30 * MINUTE


def test_a_firing_that_comes_due_while_the_job_runs_is_skipped():
    life = Life().live_until(START + HOUR)
    life.go_to(START + 2 * HOUR)
    assert life.act() == Sleep(START + 3 * HOUR)
    assert life.story() == [
        (ExecutionStatus.RUNNING, None, 1, 1),
        (ExecutionStatus.SKIPPED, Reason.OVERLAP, 2, 1),
    ]
    skipped = list(life.rows.values())[1]
    assert skipped.finished == life.now
    assert life.job.runs == 1


def test_firings_that_came_due_at_once_while_the_job_ran_are_skipped_as_a_range():
    life = Life().live_until(START + HOUR).go_to(START + 6 * HOUR + MINUTE)
    step = life.decide()
    assert isinstance(step, Record)
    (skipped,) = step.commit.new
    assert (skipped.status, skipped.reason) == (ExecutionStatus.SKIPPED, Reason.OVERLAP)
    assert (skipped.scheduled, skipped.last_scheduled, skipped.count) == (START + 2 * HOUR, START + 6 * HOUR, 5)
    assert step.commit.job is not None
    assert step.commit.job.next_fire == START + 7 * HOUR


def test_a_firing_that_was_due_before_the_running_attempt_began_waits_behind_it():
    # The scheduler was down at 1:00; at 1:30 a run was asked for by hand, and goes first.
    life = Life().go_to(START + HOUR + 30 * MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    by_hand, queued = life.rows.values()
    assert (by_hand.trigger, by_hand.status) == (Trigger.MANUAL, ExecutionStatus.RUNNING)
    assert (queued.status, queued.reason, queued.scheduled) == (ExecutionStatus.WAITING, Reason.QUEUED, START + HOUR)
    life.go_to(START + HOUR + 40 * MINUTE).end()
    life.act()
    assert [row.scheduled for row in life.running] == [START + HOUR]
    assert life.job.runs == 1


def test_of_a_backlog_before_the_running_attempt_only_the_latest_waits():
    life = Life().go_to(START + 5 * HOUR + MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    _, missed, queued = life.rows.values()
    assert (missed.status, missed.count, missed.last_scheduled) == (ExecutionStatus.MISSED, 4, START + 4 * HOUR)
    assert (queued.reason, queued.scheduled) == (Reason.QUEUED, START + 5 * HOUR)


def test_a_backlog_on_both_sides_of_the_running_attempts_begin_is_queued_and_skipped():
    life = Life().go_to(START + 2 * HOUR + MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    step = life.decide()
    assert isinstance(step, Claim)
    life.apply(step.commit)
    life.go_to(START + 4 * HOUR).act()
    assert life.story() == [
        (ExecutionStatus.RUNNING, None, 2, 1),
        (ExecutionStatus.MISSED, Reason.MISFIRE, 1, 1),
        (ExecutionStatus.WAITING, Reason.QUEUED, 2, 1),
        (ExecutionStatus.SKIPPED, Reason.OVERLAP, 3, 1),
    ]
    assert list(life.rows.values())[3].count == 2


def test_a_queued_firing_counts_for_max_runs_and_nothing_follows_the_last():
    life = Life(max_runs=1).go_to(START + HOUR + MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    life.end()
    life.act()
    assert life.job.runs == 1
    assert life.job.next_fire is None
    life.end()
    assert life.job.status is JobStatus.FINISHED


def test_while_an_attempt_runs_the_job_sleeps_until_its_next_firing():
    assert Life().live_until(START + HOUR).decide() == Sleep(START + 2 * HOUR)


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.ACTIVE])
def test_a_job_that_is_not_active_rests(status):
    assert Life(a_job(state={"status": status})).go_to(START + 5 * HOUR).decide() == Rest()


def test_an_active_job_with_nothing_to_come_is_recorded_as_finished():
    life = Life(a_job(state={"next_fire": None}))
    step = life.decide()
    assert isinstance(step, Record)
    assert step.commit.job is not None
    assert step.commit.job.status is JobStatus.FINISHED
    assert step.commit.change is not None


class TestBounds:
    def test_with_start_at_the_first_instant_of_an_interval_fires_itself(self):
        starts = START + 90 * MINUTE
        life = Life(starts=starts)
        assert life.decide() == Sleep(starts)
        life.live_until(starts)
        assert [row.scheduled for row in life.running] == [starts]
        assert life.job.next_fire == starts + HOUR

    def test_start_at_holds_for_calendar_schedules_too_and_is_inclusive(self):
        life = Life(a_job("0 9 * * *", starts=START + 2 * DAY + 9 * HOUR))
        assert life.decide() == Sleep(START + 2 * DAY + 9 * HOUR)

    def test_end_at_is_inclusive(self):
        life = Life(ends=START + 2 * HOUR).live_until(START + HOUR)
        life.end()
        assert life.decide() == Sleep(START + 2 * HOUR)
        life.live_until(START + 2 * HOUR)
        assert life.job.next_fire is None
        assert life.job.is_active
        life.end()
        assert life.job.status is JobStatus.FINISHED

    def test_a_microsecond_less_and_the_last_firing_does_not_come(self):
        life = Life(ends=START + 2 * HOUR - 1).live_until(START + HOUR)
        assert life.job.next_fire is None

    def test_a_backlog_ends_with_end_at(self):
        life = Life(ends=START + 3 * HOUR + MINUTE).go_to(START + DAY)
        life.act()
        missed, ran = life.rows.values()
        assert (missed.count, ran.scheduled) == (2, START + 3 * HOUR)
        assert life.job.next_fire is None

    def test_skipped_firings_end_with_end_at(self):
        life = Life(ends=START + 3 * HOUR + MINUTE).live_until(START + HOUR).go_to(START + DAY)
        life.act()
        skipped = list(life.rows.values())[1]
        assert (skipped.count, skipped.last_scheduled) == (2, START + 3 * HOUR)
        life.end()
        assert life.job.status is JobStatus.FINISHED

    def test_max_runs_counts_claimed_firings(self):
        life = Life(max_runs=3)
        for hour in (1, 2, 3):
            life.live_until(START + hour * HOUR)
            life.end()
        assert (life.job.runs, life.job.status, life.job.next_fire) == (3, JobStatus.FINISHED, None)

    def test_max_runs_counts_neither_missed_nor_skipped_firings_nor_retries(self):
        life = Life(max_runs=3, retry_delay=MINUTE).go_to(START + 5 * HOUR)  # four missed, one runs
        life.act()
        life.go_to(START + 6 * HOUR).act()  # one skipped
        life.end(FAILED)
        life.live_until(START + 6 * HOUR + MINUTE)  # the retry
        assert life.running[0].attempt == 2
        life.end()
        assert life.job.runs == 1
        assert life.job.next_fire == START + 7 * HOUR

    def test_a_due_firing_is_the_one_that_was_due_even_if_an_edit_moved_the_end_before_it(self):
        # 1:00 came due while the scheduler was down; then end_at was set to 0:30.
        job = a_job(ends=START + 30 * MINUTE, state={"next_fire": START + HOUR})
        life = Life(job).go_to(START + HOUR + MINUTE)
        life.act()
        assert {row.scheduled for row in life.rows.values()} == {START + HOUR}


class TestRetries:
    def test_a_retry_that_waits_wakes_the_job(self):
        life = Life(a_job("every 1 day", retry_delay=5 * MINUTE)).live_until(START + DAY)
        life.end(FAILED)
        assert life.decide() == Sleep(START + DAY + 5 * MINUTE)

    def test_a_due_retry_is_claimed_and_moves_no_schedule(self):
        life = Life(a_job("every 1 day", retry_delay=5 * MINUTE)).live_until(START + DAY)
        life.end(FAILED)
        life.live_until(START + DAY + 5 * MINUTE)
        (row,) = life.running
        assert (row.attempt, row.scheduled, row.due) == (2, START + DAY, START + DAY + 5 * MINUTE)
        assert (life.job.next_fire, life.job.runs) == (START + 2 * DAY, 1)

    def test_a_regular_firing_supersedes_the_retry_that_waits(self):
        life = Life(retry_delay=2 * HOUR).live_until(START + HOUR)
        life.end(FAILED)
        life.live_until(START + 2 * HOUR)
        assert life.story() == [
            (ExecutionStatus.FAILED, None, 1, 1),
            (ExecutionStatus.SKIPPED, Reason.SUPERSEDED, 1, 2),
            (ExecutionStatus.RUNNING, None, 2, 1),
        ]
        assert life.job.retry_count == 1

    def test_where_both_are_due_the_regular_firing_goes_first(self):
        life = Life(retry_delay=HOUR).live_until(START + HOUR)
        life.end(FAILED)
        life.live_until(START + 2 * HOUR)
        assert [(row.scheduled, row.attempt) for row in life.running] == [(START + 2 * HOUR, 1)]

    def test_a_retry_may_come_after_end_at(self):
        life = Life(a_job(ends=START + HOUR, retry_delay=DAY)).live_until(START + HOUR)
        life.end(FAILED)
        assert life.decide() == Sleep(START + HOUR + DAY)
        life.live_until(START + HOUR + DAY)
        assert life.running[0].attempt == 2

    def test_a_retry_that_comes_due_while_another_attempt_runs_waits_for_its_end(self):
        life = Life(a_job("every 1 day", retry_delay=5 * MINUTE)).live_until(START + DAY)
        life.end(FAILED)
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        life.live_until(START + DAY + HOUR)
        assert [row.trigger for row in life.running] == [Trigger.MANUAL]
        life.end()
        life.act()
        assert [(row.trigger, row.attempt) for row in life.running] == [(Trigger.SCHEDULE, 2)]


class TestRunsByHand:
    def test_a_run_by_hand_is_claimed_before_everything_else(self):
        life = Life().go_to(START + HOUR)
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        step = life.decide()
        assert isinstance(step, Claim)
        assert step.execution.trigger is Trigger.MANUAL
        assert step.commit.job is not None
        assert step.commit.job.next_fire == START + HOUR
        assert step.commit.job.runs == 0

    @pytest.mark.parametrize("status", list(JobStatus))
    def test_a_run_by_hand_is_allowed_in_every_state(self, status):
        life = Life(a_job(state={"status": status}))
        life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
        assert isinstance(life.decide(), Claim)

    def test_a_run_by_hand_obeys_overlap(self):
        life = Life().live_until(START + HOUR)
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        life.act()
        assert life.story()[1][:2] == (ExecutionStatus.SKIPPED, Reason.OVERLAP)

    def test_several_runs_by_hand_are_one_run_and_skipped_ones(self):
        life = Life()
        for n in range(3):
            life.apply(request_run(life.job, life.now + n, life.now, life.ids())[0])
        life.act()
        assert [status for status, *_ in life.story()] == [
            ExecutionStatus.RUNNING,
            ExecutionStatus.SKIPPED,
            ExecutionStatus.SKIPPED,
        ]

    def test_a_regular_firing_does_not_run_beside_a_run_by_hand(self):
        life = Life().go_to(START + 50 * MINUTE)
        life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
        life.live_until(START + HOUR)
        assert len(life.running) == 1
        assert life.story()[1][:2] == (ExecutionStatus.SKIPPED, Reason.OVERLAP)

    def test_a_run_by_hand_leaves_a_waiting_retry_alone(self):
        life = Life(a_job("every 1 day", retry_delay=HOUR)).live_until(START + DAY)
        life.end(FAILED)
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        life.act()
        life.end()
        assert [row.attempt for row in life.waiting] == [2]

    def test_a_failed_run_by_hand_is_retried_like_any_other(self):
        life = Life(a_job("every 1 day", retry_delay=HOUR))
        life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
        life.act()
        life.end(FAILED)
        life.live_until(START + HOUR)
        assert [(row.trigger, row.attempt) for row in life.running] == [(Trigger.MANUAL, 2)]

    def test_the_retry_of_a_run_by_hand_is_no_new_request(self):
        job = a_job("every 1 day")
        row = a_row(job, ExecutionStatus.WAITING, trigger=Trigger.MANUAL, attempt=2, due=START + HOUR)
        assert decide(job, [row], [], START, owner=OWNER, new_id=Ids()) == Sleep(START + HOUR)
