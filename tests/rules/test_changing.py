"""What a person's call does to a job, and what a failed import does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.model import ChangeKind, Commit, ExecutionStatus, Job, JobStatus, Trigger
from aurora_scheduler.rules import (
    cancel_waiting,
    decide,
    pass_over,
    pause,
    recover,
    request_cancel,
    request_run,
    resolved,
    resume,
    settle,
    unresolved,
)
from aurora_scheduler.rules.firing import Reason, row_of
from support.lives import DAY, FAILED, HOUR, MINUTE, START, Ids, Life, a_job, a_row, check_instants, instants_of

KINDS = {
    "pausing": lambda job, row: pause(job, [row], START, Ids()),
    "resuming": lambda job, row: resume(replace(job, status=JobStatus.PAUSED), [row], 0, START, "id"),
    "running by hand": lambda job, row: request_run(job, START, START, "id")[0],
    "cancelling what waits": lambda job, row: cancel_waiting(job, row, 0, 0, START),
    "cancelling what runs": lambda job, row: request_cancel(job, a_row(job, ExecutionStatus.RUNNING), START),
    "unresolved": lambda job, row: unresolved(job, "gone", START),
    "resolved": lambda job, row: resolved(replace(job, status=JobStatus.UNRESOLVED), (), START),
    "passing over": lambda job, row: pass_over(job, (), START, Ids()),
    "settling": lambda job, row: settle(
        job, [], 0, a_row(job, ExecutionStatus.RUNNING), FAILED, START, new_id=Ids()
    ),
    "recovering": lambda job, row: recover(job, [], 0, a_row(job, ExecutionStatus.RUNNING), 0, START, new_id=Ids()),
    "claiming": lambda job, row: decide(job, [], [], START + HOUR, owner="o", new_id=Ids()).commit,
}  # fmt: skip


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
def test_every_commit_is_one_version_on(make):
    job = replace(a_job(), version=41)
    commit: Commit = make(job, a_row(job, ExecutionStatus.WAITING))
    assert commit.job is not None
    assert commit.job.version == 42
    assert (commit.job.id, commit.job.generation) == (job.id, job.generation)


class TestPausing:
    def test_a_paused_job_fires_no_more_and_keeps_its_next_instant_to_itself(self):
        life = Life()
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        assert (life.job.status, life.job.next_run_time, life.job.is_active) == (JobStatus.PAUSED, None, False)
        life.live_until(START + DAY)
        assert life.rows == {}
        assert [change.kind for change in life.changes] == [ChangeKind.PAUSED]

    def test_pausing_cancels_what_waits_and_lets_run_what_runs(self):
        life = Life(a_job("every 1 day", retry_delay=HOUR)).live_until(START + DAY)
        life.end(FAILED)
        life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
        life.act()
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        assert life.waiting == []
        assert len(life.running) == 1
        cancelled = next(row for row in life.rows.values() if row.attempt == 2)
        assert (cancelled.status, cancelled.reason) == (ExecutionStatus.CANCELLED, Reason.PAUSED)
        assert cancelled.finished == life.now

    @pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.FINISHED])
    def test_there_is_nothing_to_pause_about_a_job_that_is_paused_or_finished(self, status):
        assert pause(a_job(state={"status": status}), (), START, Ids()) is None

    @pytest.mark.parametrize("status", [JobStatus.DEACTIVATED, JobStatus.UNRESOLVED])
    def test_a_job_put_to_rest_by_the_scheduler_can_be_paused_by_a_person(self, status):
        commit = pause(a_job(state={"status": status, "status_reason": "why"}), (), START, Ids())
        assert commit is not None
        assert commit.job is not None
        assert (commit.job.status, commit.job.status_reason) == (JobStatus.PAUSED, None)

    def test_an_instant_that_fell_due_before_the_pause_is_on_record(self):
        # The scheduler was down at 1:00; at 1:30 the job was paused, at 3:30 resumed.
        life = Life().go_to(START + 90 * MINUTE)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + 210 * MINUTE)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        life.act()
        assert START + HOUR in [row.scheduled for row in life.rows.values()]


class TestResuming:
    def test_the_next_firing_is_after_now_and_the_time_off_is_no_misfire(self):
        life = Life()
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + 10 * HOUR + MINUTE)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert (life.job.status, life.job.next_fire, life.rows) == (JobStatus.ACTIVE, START + 11 * HOUR, {})
        life.act()
        assert life.rows == {}
        assert [change.kind for change in life.changes] == [ChangeKind.PAUSED, ChangeKind.RESUMED]

    def test_of_a_recurring_job_that_is_over_nothing_is_missed_by_the_pause(self):
        """Only a one-off's instant is: one row for the first of many would not be true."""
        life = Life(ends=START + 3 * HOUR)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + 10 * HOUR)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert (life.job.status, life.rows) == (JobStatus.FINISHED, {})

    def test_an_instant_that_is_this_very_moment_belongs_to_the_pause(self):
        life = Life()
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + HOUR)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert life.job.next_fire == START + 2 * HOUR

    def test_a_pause_between_two_firings_changes_nothing(self):
        life = Life()
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + MINUTE)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert life.job.next_fire == START + HOUR

    def test_a_one_off_whose_instant_passed_is_missed_and_finished(self):
        life = Life(a_job("in 1 hour"))
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + DAY)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        (row,) = life.rows.values()
        assert (row.status, row.reason, row.scheduled) == (ExecutionStatus.MISSED, Reason.PAUSED, START + HOUR)
        assert row.finished == START + DAY
        assert (life.job.status, life.job.next_fire) == (JobStatus.FINISHED, None)

    def test_a_one_off_that_is_still_to_come_goes_on(self):
        life = Life(a_job("in 1 hour"))
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        life.live_until(START + HOUR)
        assert len(life.running) == 1

    def test_a_one_off_that_ran_already_is_finished_without_a_row(self):
        life = Life(a_job("in 1 hour", retry_delay=DAY)).live_until(START + HOUR)
        life.end(FAILED)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.apply(resume(life.job, life.waiting, 0, life.now + MINUTE, life.ids()))
        assert life.job.status is JobStatus.FINISHED
        assert [status for status, *_ in life.story()] == [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED]

    def test_a_job_whose_attempt_still_runs_is_not_finished_by_resuming_it(self):
        life = Life(a_job("in 1 hour")).live_until(START + HOUR)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.apply(resume(life.job, life.waiting, len(life.running), life.now + MINUTE, life.ids()))
        assert life.job.is_active
        life.end()
        assert life.job.status is JobStatus.FINISHED

    def test_a_job_whose_end_passed_meanwhile_is_finished(self):
        life = Life(ends=START + 3 * HOUR)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.go_to(START + DAY)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert life.job.status is JobStatus.FINISHED

    def test_a_deactivated_job_begins_a_new_streak(self):
        life = Life(a_job("every 1 day", max_retries=0)).live_until(START + DAY)
        life.end(FAILED)
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert (life.job.status, life.job.status_reason, life.job.retry_count) == (JobStatus.ACTIVE, None, 0)
        assert life.job.next_fire == START + 2 * DAY

    def test_a_paused_job_keeps_its_streak(self):
        life = Life(a_job("every 1 day")).live_until(START + DAY)
        life.end(FAILED)
        life.apply(pause(life.job, life.waiting, life.now, life.ids))
        life.apply(resume(life.job, life.waiting, 0, life.now, life.ids()))
        assert life.job.retry_count == 1

    @pytest.mark.parametrize("status", [JobStatus.ACTIVE, JobStatus.UNRESOLVED, JobStatus.FINISHED])
    def test_there_is_nothing_to_resume_about_a_job_that_does_not_rest(self, status):
        assert resume(a_job(state={"status": status}), (), 0, START, "id") is None


class TestRunningByHand:
    def test_a_request_is_a_waiting_row_and_a_line_of_history(self):
        job = a_job()
        commit, row = request_run(job, START + 7, START + 5, "the id")
        assert commit.new == (row,)
        assert (row.id, row.scheduled, row.due, row.attempt) == ("the id", START + 7, START + 7, 1)
        assert (row.status, row.trigger) == (ExecutionStatus.WAITING, Trigger.MANUAL)
        assert commit.change is not None
        assert (commit.change.kind, commit.change.detail, commit.change.at) == (
            ChangeKind.RUN_REQUESTED, "the id", START + 5,
        )  # fmt: skip

    @pytest.mark.parametrize("status", list(JobStatus))
    def test_it_touches_neither_schedule_nor_state_nor_max_runs(self, status):
        job = a_job(max_runs=1, state={"status": status})
        commit, _ = request_run(job, START, START, "id")
        assert commit.job == replace(job, version=job.version + 1)
        life = Life(job)
        life.apply(commit)
        life.act()
        life.end()
        assert (life.job.runs, life.job.next_fire, life.job.status) == (0, START + HOUR, status)


class TestCancelling:
    def test_an_attempt_that_waits_is_cancelled_on_the_spot(self):
        life = Life(a_job("every 1 day")).live_until(START + DAY)
        life.end(FAILED)
        life.apply(cancel_waiting(life.job, life.waiting[0], 0, 0, life.now))
        row = list(life.rows.values())[1]
        assert (row.status, row.reason, row.finished) == (ExecutionStatus.CANCELLED, Reason.BY_HAND, life.now)
        assert life.job.status is JobStatus.ACTIVE
        assert life.changes[-1].kind is ChangeKind.CANCEL_REQUESTED

    def test_cancelling_the_last_retry_of_a_one_off_finishes_it(self):
        life = Life(a_job("in 1 hour")).live_until(START + HOUR)
        life.end(FAILED)
        life.apply(cancel_waiting(life.job, life.waiting[0], 0, 0, life.now))
        assert life.job.status is JobStatus.FINISHED

    @pytest.mark.parametrize(("waiting", "running"), [(1, 0), (0, 1)])
    def test_not_while_something_else_of_it_is_open(self, waiting, running):
        job = a_job(state={"next_fire": None})
        commit = cancel_waiting(job, a_row(job, ExecutionStatus.WAITING), waiting, running, START)
        assert commit.job is not None
        assert commit.job.status is JobStatus.ACTIVE

    def test_an_attempt_that_runs_is_marked(self):
        job = a_job()
        row = a_row(job, ExecutionStatus.RUNNING)
        commit = request_cancel(job, row, START)
        assert commit.moved == (replace(row, status=ExecutionStatus.CANCELLING, reason=Reason.BY_HAND),)
        assert commit.change is not None
        assert (commit.change.kind, commit.change.detail) == (ChangeKind.CANCEL_REQUESTED, row.id)

    @pytest.mark.parametrize("status", [ExecutionStatus.WAITING, ExecutionStatus.RUNNING])
    def test_an_attempt_of_a_deleted_job_can_be_cancelled_too(self, status):
        row = a_row(a_job(), status)
        waits = status is ExecutionStatus.WAITING
        commit = cancel_waiting(None, row, 0, 0, START) if waits else request_cancel(None, row, START)
        assert commit.job is None
        assert commit.moved[0].status is (ExecutionStatus.CANCELLED if waits else ExecutionStatus.CANCELLING)


class TestUnresolved:
    def test_a_job_that_cannot_run_is_kept_and_says_why(self):
        life = Life()
        life.apply(unresolved(life.job, "no module named nowhere", life.now))
        assert (life.job.status, life.job.status_reason) == (JobStatus.UNRESOLVED, "no module named nowhere")
        assert life.job.next_run_time is None
        assert life.job.next_fire == START + HOUR
        life.live_until(START + DAY)
        assert life.rows == {}

    @pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.ACTIVE])
    def test_only_an_active_job_becomes_unresolved(self, status):
        assert unresolved(a_job(state={"status": status}), "gone", START) is None

    @pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.UNRESOLVED])
    def test_only_an_unresolved_job_is_resolved(self, status):
        assert resolved(a_job(state={"status": status}), (), START) is None

    def test_what_came_due_meanwhile_is_a_backlog(self):
        life = Life()
        life.apply(unresolved(life.job, "gone", life.now))
        life.go_to(START + 5 * HOUR + MINUTE)
        life.apply(resolved(life.job, life.waiting, life.now))
        assert (life.job.status, life.job.status_reason) == (JobStatus.ACTIVE, None)
        life.act()
        missed, ran = life.rows.values()
        assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 4)
        assert (ran.scheduled, ran.status) == (START + 5 * HOUR, ExecutionStatus.RUNNING)
        check_instants(life.rows.values(), instants_of(life.job, life.now))

    def test_waiting_attempts_stay_and_run_when_it_is_resolved(self):
        life = Life(a_job("every 1 day", retry_delay=MINUTE)).live_until(START + DAY)
        life.end(FAILED)
        life.apply(unresolved(life.job, "gone", life.now))
        life.live_until(START + DAY + HOUR)
        assert len(life.waiting) == 1
        life.apply(resolved(life.job, life.waiting, life.now))
        life.act()
        assert [row.attempt for row in life.running] == [2]

    def test_a_next_firing_that_is_not_known_is_the_first_after_now(self):
        job = a_job(state={"status": JobStatus.UNRESOLVED, "next_fire": None})
        commit = resolved(job, (), START + 90 * MINUTE)
        assert commit.job.next_fire == START + 2 * HOUR

    def test_and_there_is_none_where_what_waits_has_the_last_place(self):
        state = {"status": JobStatus.UNRESOLVED, "next_fire": None, "runs": 4}
        job = a_job(max_runs=5, overlap="queue_all", state=state)
        waits = row_of(job, START, "waits", reason=Reason.QUEUED)
        assert resolved(job, (waits,), START + MINUTE).job.next_fire is None
        assert resolved(job, (), START + MINUTE).job.next_fire == START + HOUR


def test_history_lines_carry_the_job_its_generation_and_the_time():
    job: Job = a_job(state={"generation": 7})
    commit = pause(job, (), START + 3, Ids())
    assert commit is not None
    assert commit.change is not None
    assert (commit.change.job_id, commit.change.generation, commit.change.at) == ("job", 7, START + 3)
