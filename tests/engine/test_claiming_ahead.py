"""A firing is claimed a moment ahead of its instant, so that its callback begins when that comes; and never before."""

from __future__ import annotations

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules import AHEAD
from support.lives import HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio

#: In seconds.
LEAD = 0.02
NOON = START + HOUR


async def just_before(world, instant=NOON):
    """Between the claim and the instant."""
    await world.run_to(instant - SECOND // 100)


async def test_the_claim_stands_before_the_instant_and_the_callback_begins_at_it(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await world.run_to(NOON - SECOND // 40)
    assert world.rows(job) == []
    await just_before(world)
    (row,) = world.rows(job)
    assert (row.status, row.scheduled, row.started) == (ExecutionStatus.RUNNING, NOON, NOON)
    assert world.job(job).next_fire == NOON + HOUR
    assert world.calls == []
    await world.run_to(NOON)
    assert [call.begun for call in world.calls] == [NOON]
    (row,) = world.rows(job)
    assert (row.status, row.started, row.finished) == (ExecutionStatus.SUCCEEDED, NOON, NOON)


@pytest.mark.parametrize("sync", [False, True])
async def test_no_callback_ever_begins_early(world, sync):
    jobs = [world.create(f"job {n}", f"every {n} minutes", lambda call: None, sync=sync) for n in range(1, 20)]
    await world.start(claim_ahead=LEAD)
    await world.run(6 * 3600)
    assert {call.begun - call.scheduled for call in world.calls} == {0}
    for job in jobs:
        world.check_every_instant(job)


async def test_a_run_that_lasts_until_just_before_the_next_instant_does_not_keep_it_from_running(world):
    job = world.create("tight", "every 1 minute", sleeping(59.99), overlap="skip")
    await world.start(claim_ahead=LEAD)
    await world.run(3600)
    begun = [call.begun for call in world.calls]
    assert begun == [START + n * MINUTE for n in range(1, 61)]
    assert {row.status for row in world.rows(job)[:-1]} == {ExecutionStatus.SUCCEEDED}


async def test_a_run_by_hand_asked_for_in_between_comes_after_it(world):
    job = world.create("hourly", "every 1 hour", sleeping(1), overlap="queue_one")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    by_hand = world.run_by_hand(job)
    await world.run(10)
    assert [call.begun for call in world.calls] == [NOON, NOON + SECOND]
    assert world.calls[1].execution_id == by_hand


async def test_a_pause_in_between_comes_after_it(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert world.pause(job)
    await world.run(7200)
    assert [call.begun for call in world.calls] == [NOON]


async def test_a_deletion_in_between_comes_after_it(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert world.delete(job)
    await world.run(7200)
    assert [call.begun for call in world.calls] == [NOON]
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


@pytest.mark.parametrize("sync", [False, True])
async def test_what_is_cancelled_in_between_does_not_begin(world, sync):
    job = world.create("hourly", "every 1 hour", lambda call: None, sync=sync)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert world.cancel(world.rows(job)[0].id)
    await world.run(60)
    assert world.calls == []
    (row,) = world.rows(job)
    assert (row.status, row.reason) == (ExecutionStatus.CANCELLED, "cancelled by hand")


async def test_what_was_claimed_ahead_by_a_process_that_died_is_recovered(world_on_disk):
    world = world_on_disk
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.crash()
    await world.start(claim_ahead=LEAD)
    await world.run(60)
    assert [(row.status, row.attempt) for row in world.rows(job)] == [
        (ExecutionStatus.LOST, 1),
        (ExecutionStatus.SUCCEEDED, 2),
    ]
    assert len(world.calls) == 1


async def test_a_scheduler_that_stops_in_between_runs_it_to_its_end(world):
    job = world.create("hourly", "every 1 hour", sleeping(2))
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.stop()
    assert [call.begun for call in world.calls] == [NOON]
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_one_that_must_stop_at_once_leaves_it_to_the_next_start(world):
    job = world.create("hourly", "every 1 hour", sleeping(2))
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.stop(drain=0)
    assert world.calls == []
    await world.start(claim_ahead=LEAD)
    await world.run(60)
    assert [(row.status, row.attempt) for row in world.rows(job)] == [
        (ExecutionStatus.CANCELLED, 1),
        (ExecutionStatus.SUCCEEDED, 2),
    ]


@pytest.mark.parametrize("by", [-7200, -0.005, 7200])
async def test_a_clock_that_is_set_in_between_holds_it_up_for_a_moment_at_most(world, by):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    before = world.mock.current_time()
    world.clock.set(by)
    await world.run_until(lambda: len(world.calls) == 1)
    assert world.mock.current_time() - before <= 2 * AHEAD / SECOND
    assert [row.scheduled for row in world.rows(job)] == [NOON]


async def test_instants_that_have_their_record_already_are_gone_past(world):
    """The clock is set back over an hour that was missed in one range with others: none of it is claimed again."""
    job = world.create("minutely", "* * * * *", lambda call: None)
    await world.start(claim_ahead=LEAD, watch_clock=True)
    await world.run(90)
    world.clock.set(3600)
    await world.run(90)
    world.clock.set(-3600)
    await world.run(2 * 3600)
    scheduled = [row.scheduled for row in world.rows(job)]
    assert len(scheduled) == len(set(scheduled))
    world.check_every_instant(job)


async def test_where_there_is_something_else_to_decide_nothing_is_claimed_ahead(world):
    late = world.create("late", "every 1 hour", lambda call: None, misfire="skip")
    busy = world.create("busy", "every 1 hour", sleeping(3600.5), overlap="skip")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert [row.job_id for row in world.rows()] == [busy]
    await just_before(world, NOON + HOUR)
    assert len(world.rows(late)) == 1
    assert len(world.rows(busy)) == 1
    await world.run(1)
    assert [row.status for row in world.rows(busy)] == [ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED]
    assert [call.begun for call in world.calls_of(late)] == [NOON, NOON + HOUR]


async def test_of_very_many_that_are_due_at_once_each_begins_at_its_time(world):
    for n in range(2000):
        world.create(f"job {n}", "every 1 hour", sleeping(0.5))
    await world.start(claim_ahead=LEAD, max_concurrent=1500)
    await world.run(3600 + 10)
    begun = sorted(call.begun for call in world.calls)
    assert begun == [NOON] * 1500 + [NOON + SECOND // 2] * 500
