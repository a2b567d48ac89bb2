"""Plain callbacks in worker threads: each takes one call after the other; what has not begun need not."""

from __future__ import annotations

import contextvars
import threading

import pytest

from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules.firing import Reason

pytestmark = pytest.mark.trio

_variable = contextvars.ContextVar("variable", default="untouched")


async def test_no_more_threads_than_there_may_be_call_all_that_is_due(world):
    threads = set()

    def part(call):
        threads.add(threading.get_ident())
        call.sleep(1)

    for number in range(20):
        world.create(f"job {number}", "in 1 minute", part, sync=True)
    engine = await world.start(max_workers=3)
    await world.run(120)
    assert {row.status for row in world.rows()} == {ExecutionStatus.SUCCEEDED}
    assert len(threads) <= 3
    assert engine.idle_threads <= 3


async def test_each_call_has_a_context_of_its_own(world):
    seen = []

    def part(call):
        seen.append(_variable.get())
        _variable.set(call.job_name)

    for number in range(10):
        world.create(f"job {number}", f"in {number + 1} minutes", part, sync=True)
    await world.start(max_workers=1)
    await world.run(3600)
    assert seen == ["untouched"] * 10


async def test_what_is_cancelled_while_it_waits_for_a_thread_does_not_begin(world):
    for name in ("one", "two"):
        world.create(name, "in 1 minute", lambda call: call.sleep(30), sync=True)
    await world.start(max_workers=1)
    await world.run(70)
    (begun,) = world.calls
    (waits,) = (row for row in world.rows() if row.id != begun.execution_id)
    assert waits.status is ExecutionStatus.RUNNING
    assert world.cancel(waits.id)
    await world.run(60)
    assert world.row(waits.id).status is ExecutionStatus.CANCELLED
    assert world.row(begun.execution_id).status is ExecutionStatus.SUCCEEDED
    assert len(world.calls) == 1


async def test_what_waits_for_a_thread_at_a_stop_does_not_begin_and_is_first_at_the_next_start(world):
    for name in ("one", "two"):
        world.create(name, "in 1 minute", lambda call: call.sleep(10), sync=True)
    await world.start(max_workers=1)
    await world.run(65)
    await world.stop(drain=1)
    (begun,) = world.calls
    assert world.row(begun.execution_id).status is ExecutionStatus.SUCCEEDED
    cancelled, again = (row for row in world.rows() if row.job_id != begun.job_id)
    assert (cancelled.status, cancelled.reason) == (ExecutionStatus.CANCELLED, Reason.STOPPED)
    assert (again.status, again.reason, again.attempt) == (ExecutionStatus.WAITING, Reason.RECOVERED, 2)
    await world.start(max_workers=1)
    await world.run(60)
    assert [call.execution_id for call in world.calls] == [begun.execution_id, again.id]
    assert world.row(again.id).status is ExecutionStatus.SUCCEEDED


async def test_once_the_scheduler_has_let_go_of_a_thread_that_calls_nothing_more(world_on_disk):
    world = world_on_disk
    for name in ("one", "two"):
        world.create(name, "in 1 minute", lambda call: call.sleep(600), sync=True)
    engine = await world.start(max_workers=1)
    await world.run(65)
    await world.stop(drain=1)
    assert engine.abandoned
    world.open()
    await world.run(3600)
    assert len(world.calls) == 1
