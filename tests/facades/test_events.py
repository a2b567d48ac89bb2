"""What happens, as it happens: typed, bounded, and never in the way."""

from __future__ import annotations

import gc

import anyio
import pytest
import sniffio

from aurora_scheduler import EventsLost, ExecutionEvent, JobEvent, SchedulerManager, SchedulerStopped
from aurora_scheduler.events import KEPT, Feed, Listener
from facades import callbacks

pytestmark = pytest.mark.anyio


async def test_the_life_of_a_job_is_heard_in_order(anyio_backend_name):
    assert sniffio.current_async_library() == anyio_backend_name
    manager = SchedulerManager(":memory:")
    await manager.initialize()
    events = manager.events()
    manager.start()
    job_id = await manager.create_job(name="x", schedule="every 1 hour", callback=callbacks.nothing)
    await manager.run_job(job_id, wait=True)
    await manager.deactivate_job(job_id)
    await manager.delete_job(job_id)
    await manager.stop()
    told = []
    async for event in events:
        match event:
            case JobEvent(job_id=id_, kind=kind, at=at):
                assert id_ == job_id
                assert at.utcoffset() is not None
                told.append(kind)
            case ExecutionEvent(execution):
                assert execution.job_id == job_id
                told.append(execution.status.value)
            case EventsLost():
                raise AssertionError("nothing is lost here")
    assert told == [
        "created", "run_requested", "waiting", "running", "succeeded", "paused", "deleted",
    ]  # fmt: skip


async def test_a_reader_that_waits_is_woken_by_what_happens():
    async with SchedulerManager(":memory:") as manager:
        events = manager.events()
        heard = []

        async def listen() -> None:
            heard.append(await anext(events))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await anyio.lowlevel.checkpoint()
                await manager.create_job(name="x", schedule="every 1 hour", callback=callbacks.nothing)
        assert isinstance(heard[0], JobEvent)


async def test_a_reader_that_was_cancelled_can_go_on():
    async with SchedulerManager(":memory:") as manager:
        events = manager.events()
        with anyio.move_on_after(0.01) as scope:
            await anext(events)
        assert scope.cancelled_caught
        await manager.create_job(name="x", schedule="every 1 hour", callback=callbacks.nothing)
        with anyio.fail_after(30):
            event = await anext(events)
        assert isinstance(event, JobEvent)
        assert event.kind == "created"


async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many():
    listener = Listener(kept=10)
    listener.tell(EventsLost(-number) for number in range(1, 26))
    assert await anext(listener) == EventsLost(15)
    assert [await anext(listener) for _ in range(10)] == [EventsLost(-number) for number in range(16, 26)]
    listener.close()
    with pytest.raises(StopAsyncIteration):
        await anext(listener)


async def test_what_waits_is_read_after_the_end():
    listener = Listener()
    listener.tell([EventsLost(-1)])
    listener.close()
    assert [event async for event in listener] == [EventsLost(-1)]
    assert KEPT == 1000


async def test_who_listens_no_more_is_forgotten():
    feed = Feed()
    kept = feed.listen()
    feed.listen()
    gc.collect()
    assert list(feed._listeners) == [kept]


async def test_a_listener_of_a_feed_that_is_over_ends_at_once():
    feed = Feed()
    feed.close()
    assert [event async for event in feed.listen()] == []


async def test_a_manager_that_is_not_initialised_has_no_events():
    with pytest.raises(SchedulerStopped):
        SchedulerManager(":memory:").events()
