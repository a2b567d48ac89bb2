"""The policy `overlap`: what becomes of a firing that comes due while an earlier one runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.model import ExecutionStatus, JobStatus, Outcome, Trigger
from aurora_scheduler.rules import Sleep, request_run, seated
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.rules.overlap import QUEUE
from support.lives import FAILED, HOUR, MINUTE, START, SUCCEEDED, Life, a_job, check_instants, instants_of

RUNNING, WAITING, CANCELLING = ExecutionStatus.RUNNING, ExecutionStatus.WAITING, ExecutionStatus.CANCELLING
SKIPPED = ExecutionStatus.SKIPPED
CANCELLED = Outcome(status=ExecutionStatus.CANCELLED, reason=Reason.SUPERSEDED)


def busy_until(time, overlap, **policies):
    """An hourly job whose first firing has run since 1:00."""
    return Life(overlap=overlap, **policies).live_until(START + time)


def ask(life):
    life.apply(request_run(life.job, life.now + 1, life.now, life.ids())[0])
    life.act()


def test_queue_one_lets_the_first_wait_and_skips_the_others():
    life = busy_until(4 * HOUR, "queue_one")
    assert life.story() == [
        (RUNNING, None, 1, 1),
        (WAITING, Reason.QUEUED, 2, 1),
        (SKIPPED, Reason.OVERLAP, 3, 1),
        (SKIPPED, Reason.OVERLAP, 4, 1),
    ]


def test_what_waits_begins_when_what_runs_has_ended():
    life = busy_until(2 * HOUR + MINUTE, "queue_one")
    life.end()
    life.act()
    assert life.story()[1] == (RUNNING, Reason.QUEUED, 2, 1)
    assert life.job.runs == 2
    life.end()
    assert life.act() == Sleep(START + 3 * HOUR)


def test_queue_all_lets_all_wait_and_runs_them_in_order():
    life = busy_until(4 * HOUR + MINUTE, "queue_all")
    order = []
    while life.running:
        order += [(row.scheduled - START) // HOUR for row in life.running]
        life.end()
        life.act()
    assert order == [1, 2, 3, 4]
    check_instants(life.rows.values(), instants_of(life.job, life.now))


def test_queue_all_holds_a_hundred_and_skips_what_comes_then():
    life = busy_until((QUEUE + 5) * HOUR, "queue_all")
    assert len(life.waiting) == QUEUE == 100
    assert [row.scheduled for row in life.waiting][-1] == START + 101 * HOUR
    assert sum(row.status is SKIPPED for row in life.rows.values()) == 4


def test_what_came_due_at_once_is_queued_up_to_the_places_and_the_rest_is_one_row():
    """The machine slept while an attempt ran."""
    life = busy_until(HOUR, "queue_one").go_to(START + 10 * HOUR)
    life.act()
    _, queued, skipped = life.rows.values()
    assert (queued.status, queued.scheduled) == (WAITING, START + 2 * HOUR)
    assert (skipped.status, skipped.count, skipped.last_scheduled) == (SKIPPED, 8, START + 10 * HOUR)
    check_instants(life.rows.values(), instants_of(life.job, life.now))


def test_allow_runs_them_beside_each_other():
    life = busy_until(5 * HOUR, "allow")
    assert [(row.scheduled - START) // HOUR for row in life.running] == [1, 2, 3, 4, 5]
    assert life.job.runs == 5


def test_allow_runs_at_most_max_instances_and_skips_the_others():
    life = busy_until(5 * HOUR, "allow", max_instances=2)
    assert [(row.scheduled - START) // HOUR for row in life.running] == [1, 2]
    assert {row.reason for row in life.rows.values() if row.status is SKIPPED} == {Reason.OVERLAP}
    life.end(row=life.running[1])
    life.live_until(START + 6 * HOUR)
    assert [(row.scheduled - START) // HOUR for row in life.running] == [1, 6]


def test_cancel_previous_asks_what_runs_to_end_and_waits_for_it():
    life = busy_until(2 * HOUR, "cancel_previous")
    assert life.story() == [(CANCELLING, Reason.SUPERSEDED, 1, 1), (WAITING, Reason.QUEUED, 2, 1)]
    life.end(CANCELLED)
    life.act()
    assert life.story() == [
        (ExecutionStatus.CANCELLED, Reason.SUPERSEDED, 1, 1),
        (RUNNING, Reason.QUEUED, 2, 1),
    ]
    assert life.job.retry_count == 0


def test_while_the_old_one_will_not_end_the_newest_takes_the_place_in_the_queue():
    life = busy_until(4 * HOUR, "cancel_previous")
    assert life.story() == [
        (CANCELLING, Reason.SUPERSEDED, 1, 1),
        (SKIPPED, Reason.SUPERSEDED, 2, 1),
        (SKIPPED, Reason.SUPERSEDED, 3, 1),
        (WAITING, Reason.QUEUED, 4, 1),
    ]


def test_of_several_at_once_cancel_previous_runs_the_latest():
    life = busy_until(HOUR, "cancel_previous").go_to(START + 10 * HOUR)
    life.act()
    _, skipped, queued = life.rows.values()
    assert (skipped.status, skipped.reason, skipped.count) == (SKIPPED, Reason.SUPERSEDED, 8)
    assert (queued.status, queued.scheduled) == (WAITING, START + 10 * HOUR)


@pytest.mark.parametrize("overlap", ["queue_one", "queue_all", "allow"])
def test_a_retry_and_a_newer_firing_both_run(overlap):
    life = Life(overlap=overlap, retry_delay=90 * MINUTE).live_until(START + HOUR)
    life.end(FAILED)
    life.live_until(START + 2 * HOUR)
    life.end(SUCCEEDED)
    life.live_until(START + 3 * HOUR - 1)
    assert life.story() == [
        (ExecutionStatus.FAILED, None, 1, 1),
        (RUNNING, None, 1, 2),
        (ExecutionStatus.SUCCEEDED, None, 2, 1),
    ]


@pytest.mark.parametrize("overlap", ["skip", "cancel_previous"])
def test_else_a_retry_that_waits_gives_way(overlap):
    life = Life(overlap=overlap, retry_delay=90 * MINUTE).live_until(START + HOUR)
    life.end(FAILED)
    life.live_until(START + 2 * HOUR)
    assert life.story()[1:] == [(SKIPPED, Reason.SUPERSEDED, 1, 2), (RUNNING, None, 2, 1)]


def test_a_retry_waits_for_its_turn_among_the_queued_by_the_time_it_is_due():
    life = Life(a_job("every 1 hour", overlap="queue_all", retry_delay=90 * MINUTE)).live_until(START + HOUR)
    life.end(FAILED)  # again at 2:30
    life.live_until(START + 4 * HOUR + MINUTE)  # 2:00 still runs; 3:00 and 4:00 wait
    order = []
    while life.running:
        order += [((row.scheduled - START) // HOUR, row.attempt) for row in life.running]
        life.end()
        life.act()
    assert order == [(2, 1), (1, 2), (3, 1), (4, 1)]


@pytest.mark.parametrize(
    ("overlap", "status", "reason"),
    [
        ("skip", SKIPPED, Reason.OVERLAP),
        ("queue_one", WAITING, Reason.QUEUED),
        ("queue_all", WAITING, Reason.QUEUED),
        ("allow", RUNNING, None),
        ("cancel_previous", WAITING, Reason.QUEUED),
    ],
)
def test_a_run_by_hand_meets_what_runs_as_a_firing_does(overlap, status, reason):
    life = busy_until(HOUR, overlap)
    ask(life)
    first, by_hand = life.rows.values()
    assert (by_hand.trigger, by_hand.status, by_hand.reason) == (Trigger.MANUAL, status, reason)
    assert first.status is (CANCELLING if overlap == "cancel_previous" else RUNNING)
    assert life.job.runs == 1


def test_the_second_run_by_hand_finds_the_one_place_taken():
    life = busy_until(HOUR, "queue_one")
    ask(life)
    life.go_to(life.now + MINUTE)
    ask(life)
    assert [row.status for row in life.rows.values()] == [RUNNING, WAITING, SKIPPED]


def test_the_newer_run_by_hand_takes_over_with_cancel_previous():
    life = busy_until(HOUR, "cancel_previous")
    ask(life)
    life.go_to(life.now + MINUTE)
    ask(life)
    assert [(row.status, row.reason) for row in life.rows.values()] == [
        (CANCELLING, Reason.SUPERSEDED),
        (SKIPPED, Reason.SUPERSEDED),
        (WAITING, Reason.QUEUED),
    ]


def test_a_queued_run_by_hand_runs_on_a_job_that_was_deactivated_meanwhile():
    life = Life(a_job(overlap="queue_one", state={"status": JobStatus.PAUSED}))
    ask(life)
    life.go_to(life.now + MINUTE)
    ask(life)
    life.end()
    life.act()
    assert [row.trigger for row in life.running] == [Trigger.MANUAL]


def test_what_waits_has_its_place_among_max_runs():
    life = busy_until(5 * HOUR, "queue_all", max_runs=3)
    assert len(life.waiting) == 2
    assert life.job.next_fire is None
    for _ in range(3):
        life.end()
        life.act()
    assert (life.job.runs, life.job.status) == (3, JobStatus.FINISHED)


def test_a_firing_whose_place_was_taken_leaves_its_place_among_max_runs():
    life = busy_until(3 * HOUR, "cancel_previous", max_runs=3)
    assert life.job.next_fire == START + 4 * HOUR
    life.end(CANCELLED)
    life.live_until(START + 4 * HOUR)
    assert life.job.next_fire is None


def test_a_run_by_hand_that_takes_the_last_place_among_max_runs_gives_it_back_from_then_on():
    life = busy_until(4 * HOUR + MINUTE, "cancel_previous", max_runs=2)
    assert life.job.next_due is None, "two places are taken: by what runs and by what waits"
    ask(life)
    assert life.job.next_fire == START + 5 * HOUR
    life.end(CANCELLED)
    life.live_until(START + 4 * HOUR + 2 * MINUTE)
    life.end()
    life.live_until(START + 9 * HOUR)
    life.end()
    life.act()
    assert (life.job.runs, life.job.status) == (2, JobStatus.FINISHED)


def test_a_run_by_hand_in_the_queue_takes_no_place_among_max_runs():
    life = busy_until(HOUR, "queue_all", max_runs=2)
    ask(life)
    assert life.job.next_fire == START + 2 * HOUR


@pytest.mark.parametrize("overlap", ["skip", "cancel_previous"])
def test_a_run_by_hand_that_was_asked_for_before_what_runs_began_has_its_turn(overlap):
    life = Life(overlap=overlap)
    for _ in range(2):
        life.go_to(life.now + MINUTE)
        life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.go_to(life.now + MINUTE).act()  # nobody was there before
    assert [(row.status, row.reason) for row in life.rows.values()] == [(RUNNING, None), (WAITING, Reason.QUEUED)]


def test_the_clock_set_back_what_comes_due_is_still_later_than_what_runs():
    life = busy_until(5 * HOUR, "skip")
    (running,) = life.running
    life.now = START + 30 * MINUTE
    life.job = replace(life.job, next_fire=START + 30 * MINUTE)
    ask(life)
    by_hand = list(life.rows.values())[-1]
    assert running.started is not None
    assert running.started > life.now
    assert (by_hand.status, by_hand.reason) == (SKIPPED, Reason.OVERLAP)


def test_a_firing_that_has_its_turn_after_what_runs_takes_the_place_of_a_retry():
    life = Life(max_retries=1, retry_delay=2 * HOUR).live_until(START + HOUR)
    life.end(FAILED)
    life.go_to(START + 2 * HOUR - MINUTE)
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.go_to(START + 2 * HOUR + MINUTE).act()  # it was away until now
    failed, retry, by_hand, firing = life.rows.values()
    assert (failed.status, by_hand.status) == (ExecutionStatus.FAILED, RUNNING)
    assert (retry.attempt, retry.status, retry.reason) == (2, SKIPPED, Reason.SUPERSEDED)
    assert (firing.status, firing.reason) == (WAITING, Reason.QUEUED)


def test_a_job_is_not_finished_while_an_attempt_runs_beside_which_there_is_room():
    life = Life(a_job("in 1 hour", overlap="allow", misfire="skip"))
    life.apply(request_run(life.job, life.now, life.now, life.ids())[0])
    life.act()
    life.go_to(START + 2 * HOUR).act()
    assert [row.status for row in life.rows.values()] == [RUNNING, ExecutionStatus.MISSED]
    assert (life.job.status, life.job.next_fire) == (JobStatus.ACTIVE, None)
    life.end()
    assert life.job.status is JobStatus.FINISHED


def test_an_edited_job_leaves_what_waits_its_places_among_max_runs():
    life = busy_until(2 * HOUR, "queue_one", max_runs=2)
    edited = replace(life.job, next_fire=START + 3 * HOUR)
    assert seated(edited, life.waiting).next_fire is None
    assert seated(edited, ()).next_fire == START + 3 * HOUR
    assert seated(replace(edited, policies=replace(edited.policies, max_runs=3)), life.waiting) == replace(
        edited, policies=replace(edited.policies, max_runs=3)
    )
