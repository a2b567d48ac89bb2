"""The policy `misfire`: what of the instants that are found due runs, and what is missed."""

from __future__ import annotations

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus
from aurora_scheduler.rules import request_run
from aurora_scheduler.rules.backlog import MOST
from aurora_scheduler.rules.firing import Reason
from support.lives import DAY, FAILED, HOUR, MINUTE, START, Life, a_job, check_instants, instants_of

LATE_BY = [0, 1, 60 * SECOND, 60 * SECOND + 1, HOUR - 1]


def found_after(time, **policies):
    life = Life(**policies).go_to(START + time)
    life.act()
    return life


def hours(rows):
    return [(row.scheduled - START) // HOUR for row in rows]


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
def test_a_firing_on_time_is_no_misfire(misfire):
    life = found_after(HOUR, misfire=misfire)
    assert [(row.status, row.reason) for row in life.rows.values()] == [(ExecutionStatus.RUNNING, None)]
    assert life.job.next_fire == START + 2 * HOUR


@pytest.mark.parametrize("late", LATE_BY)
@pytest.mark.parametrize("misfire", ["run_once", "run_all"])
def test_a_single_late_firing_runs_however_late(misfire, late):
    life = found_after(HOUR + late, misfire=misfire)
    assert hours(life.running) == [1]


@pytest.mark.parametrize("late", LATE_BY)
def test_skip_runs_the_latest_only_within_the_grace(late):
    life = found_after(HOUR + late, misfire="skip")
    (row,) = life.rows.values()
    if late <= 60 * SECOND:
        assert row.status is ExecutionStatus.RUNNING
    else:
        assert (row.status, row.reason) == (ExecutionStatus.MISSED, Reason.MISFIRE)
        assert life.job.runs == 0
    assert life.job.next_fire == START + 2 * HOUR


def test_the_grace_can_be_set():
    assert hours(found_after(HOUR + 30 * MINUTE, misfire="skip", misfire_grace=30 * MINUTE).running) == [1]
    assert not found_after(HOUR + 30 * MINUTE + 1, misfire="skip", misfire_grace=30 * MINUTE).running
    assert not found_after(HOUR + 1, misfire="skip", misfire_grace=0).running


def test_skip_makes_one_missed_row_of_the_rest():
    life = found_after(10 * HOUR + MINUTE, misfire="skip")
    missed, ran = life.rows.values()
    assert (missed.status, missed.count, missed.last_scheduled) == (ExecutionStatus.MISSED, 9, START + 9 * HOUR)
    assert (ran.status, ran.scheduled) == (ExecutionStatus.RUNNING, START + 10 * HOUR)


def test_skip_makes_one_missed_row_of_all_when_the_latest_is_too_late():
    life = found_after(10 * HOUR + 2 * MINUTE, misfire="skip")
    (missed,) = life.rows.values()
    assert (missed.count, missed.scheduled, missed.last_scheduled) == (10, START + HOUR, START + 10 * HOUR)
    assert life.job.next_fire == START + 11 * HOUR


def test_a_one_off_that_is_skipped_is_finished_with_its_record():
    life = Life(a_job("in 1 hour", misfire="skip")).go_to(START + 2 * HOUR)
    life.act()
    (missed,) = life.rows.values()
    assert (missed.status, missed.reason) == (ExecutionStatus.MISSED, Reason.MISFIRE)
    assert life.job.status is JobStatus.FINISHED


def test_a_firing_that_is_missed_takes_no_place_of_a_retry_that_waits():
    life = Life(misfire="skip", retry_delay=2 * HOUR).live_until(START + HOUR)
    life.end(FAILED)
    life.go_to(START + 2 * HOUR + 5 * MINUTE).act()
    assert life.story() == [
        (ExecutionStatus.FAILED, None, 1, 1),
        (ExecutionStatus.WAITING, None, 1, 2),
        (ExecutionStatus.MISSED, Reason.MISFIRE, 2, 1),
    ]


def test_run_all_runs_them_all_in_turn_the_oldest_first():
    life = found_after(4 * HOUR + MINUTE, misfire="run_all")
    order = []
    while life.running:
        assert len(life.running) == 1
        order += hours(life.running)
        life.end()
        life.act()
    assert order == [1, 2, 3, 4]
    assert {row.status for row in life.rows.values()} == {ExecutionStatus.SUCCEEDED}
    assert life.job.runs == 4
    assert life.job.next_fire == START + 5 * HOUR


def test_run_all_makes_its_rows_in_the_commit_of_the_first_claim():
    life = Life(misfire="run_all").go_to(START + 4 * HOUR)
    commit = life.decide().commit
    assert [(row.status, row.reason) for row in commit.new] == [
        (ExecutionStatus.RUNNING, Reason.BACKLOG),
        *[(ExecutionStatus.WAITING, Reason.BACKLOG)] * 3,
    ]


def test_run_all_makes_up_for_the_newest_hundred():
    life = Life(a_job("every 1 minute", misfire="run_all")).go_to(START + 14 * DAY)
    life.act()
    missed, *others = life.rows.values()
    assert len(others) == MOST == 100
    assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 14 * 24 * 60 - 100)
    assert missed.last_scheduled == START + 14 * DAY - 100 * MINUTE
    assert others[0].status is ExecutionStatus.RUNNING
    assert others[-1].scheduled == START + 14 * DAY
    check_instants(life.rows.values(), instants_of(life.job, life.now))


def test_run_all_never_runs_more_than_max_runs():
    life = found_after(10 * HOUR, misfire="run_all", max_runs=3)
    ran = []
    while life.running:
        ran += hours(life.running)
        life.end()
        life.act()
    assert ran == [8, 9, 10]
    assert (life.job.runs, life.job.status) == (3, JobStatus.FINISHED)


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "allow", "cancel_previous"])
def test_run_all_runs_in_turn_whatever_overlap_says(overlap):
    life = found_after(3 * HOUR, misfire="run_all", overlap=overlap)
    assert hours(life.running) == [1]
    life.live_until(START + 4 * HOUR)
    assert hours(life.running) == ([1, 4] if overlap == "allow" else [1])
    life.end()
    life.act()
    assert hours(life.running) == ([2, 4] if overlap == "allow" else [2])


@pytest.mark.parametrize(("misfire", "waits"), [("run_once", [4]), ("skip", [4]), ("run_all", [1, 2, 3, 4])])
def test_a_backlog_behind_a_run_by_hand_waits_as_its_policy_says(misfire, waits):
    life = Life(misfire=misfire).go_to(START + 4 * HOUR + 30 * SECOND)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    assert [(row.scheduled - START) // HOUR for row in life.waiting] == waits
    check_instants(life.rows.values(), instants_of(life.job, life.now))


def test_lateness_counts_from_the_jittered_instant():
    life = Life(a_job(misfire="skip", jitter=50 * MINUTE))
    due = life.job.next_due
    assert due is not None
    assert due > START + HOUR + MINUTE, "else this shows nothing"
    life.go_to(due + 60 * SECOND).act()
    assert hours(life.running) == [1]
    assert life.running[0].due == due
