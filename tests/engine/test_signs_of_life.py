"""A process that stood still may have been found dead: what it had claimed is begun only if it is still its own."""

from __future__ import annotations

import pytest

from aurora_scheduler import commands
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from support.lives import HOUR, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio

NOON = START + HOUR


async def claimed_just_before_it_stood_still(world, seconds=15, **options):
    """A job with an attempt that is claimed ahead; then nothing here goes on for a while."""
    job = world.create("hourly", "every 1 hour", sleeping(1), job_id="one", **options)
    await world.start(claim_ahead=0.02)
    world.engine.book.signs.note(world.clock.monotonic())
    await world.run_to(NOON - SECOND // 100)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.RUNNING
    world.mock.jump(seconds)
    await world.settle()
    return row


def gives_a_sign(world):
    """Of life, to the others."""
    world.engine.book.signs.note(world.clock.monotonic())


def found_dead(world):
    """By another process."""
    world.write(lambda store: commands.recover_orphans(store, world.clock, "another"))


async def test_what_is_its_own_still_is_begun_after_the_next_sign_of_life(world):
    row = await claimed_just_before_it_stood_still(world)
    await world.run(1)
    assert world.calls == []
    gives_a_sign(world)
    await world.run(1)
    assert [call.execution_id for call in world.calls] == [row.id]


async def test_a_sign_that_was_begun_before_it_stood_still_says_nothing(world):
    await claimed_just_before_it_stood_still(world)
    world.engine.book.signs.note(world.clock.monotonic() - 15)
    await world.run(1)
    assert world.calls == []


async def test_what_was_found_lost_meanwhile_is_not_begun(world):
    row = await claimed_just_before_it_stood_still(world, delivery="at_least_once", max_retries=0)
    found_dead(world)
    gives_a_sign(world)
    await world.run(30)
    assert row.id not in [call.execution_id for call in world.calls]
    assert world.row(row.id).status is ExecutionStatus.LOST
    assert world.engine.book.attempts == {}


async def test_what_waits_for_a_sign_can_be_cancelled(world):
    row = await claimed_just_before_it_stood_still(world)
    world.cancel(row.id)
    await world.run(1)
    assert world.calls == []
    assert world.row(row.id).status is ExecutionStatus.CANCELLED


async def test_a_stop_does_not_wait_for_a_sign(world):
    row = await claimed_just_before_it_stood_still(world)
    await world.stop(drain=1)
    assert world.calls == []
    assert world.row(row.id).status is ExecutionStatus.CANCELLED


async def test_what_is_hardly_late_is_begun_without_asking(world):
    row = await claimed_just_before_it_stood_still(world, seconds=2)
    assert [call.execution_id for call in world.calls] == [row.id]


async def test_where_nobody_shares_the_jobs_nobody_is_asked(world):
    job = world.create("hourly", "every 1 hour", sleeping(1))
    await world.start(claim_ahead=0.02)
    await world.run_to(NOON - SECOND // 100)
    world.mock.jump(3000)
    await world.settle()
    (row,) = world.rows(job)
    assert [call.execution_id for call in world.calls] == [row.id]
