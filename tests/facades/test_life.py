"""The life of a scheduler: initialise, start, stop, in any order and as often as one likes; restarts; two at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from aurora_scheduler import (
    CronService,
    Execution,
    JobNotFoundError,
    OptionError,
    SchedulerManager,
    SchedulerStopped,
    StoreError,
)
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import DEADLINE, eventually, finishes, soon

HOURLY = {"schedule": "every 1 hour", "callback": callbacks.nothing}
NAMED = {"name": "x", "callback_module": "facades.callbacks", "callback_function": "nothing"}

ASYNC_CALLS: dict[str, Callable[[SchedulerManager], Any]] = {
    "create_job": lambda manager: manager.create_job(name="x", **HOURLY),
    "create_jobs": lambda manager: manager.create_jobs([]),
    "create_relative_job": lambda manager: manager.create_relative_job(relative_time="in 1 hour", **NAMED),
    "create_absolute_job": lambda manager: manager.create_absolute_job(absolute_time="2099-01-01", **NAMED),
    "create_cron_job": lambda manager: manager.create_cron_job(cron_expression="0 0 * * *", **NAMED),
    "get_job": lambda manager: manager.get_job("x"),
    "get_all_jobs": lambda manager: manager.get_all_jobs(),
    "update_job": lambda manager: manager.update_job("x", name="y"),
    "deactivate_job": lambda manager: manager.deactivate_job("x"),
    "activate_job": lambda manager: manager.activate_job("x"),
    "delete_job": lambda manager: manager.delete_job("x"),
    "run_job": lambda manager: manager.run_job("x"),
    "run_job and wait": lambda manager: manager.run_job("x", wait=True),
    "cancel_execution": lambda manager: manager.cancel_execution("x"),
    "get_executions": lambda manager: manager.get_executions(),
}
_PLAIN = {"name": "x", "callback": callbacks.nothing}
PLAIN_CALLS: dict[str, Callable[[CronService], Any]] = {
    "schedule_relative": lambda cron: cron.schedule_relative(relative_time="in 1 hour", **_PLAIN),
    "schedule_absolute": lambda cron: cron.schedule_absolute(absolute_time="2099-01-01", **_PLAIN),
    "schedule_cron": lambda cron: cron.schedule_cron(cron_expression="0 0 * * *", **_PLAIN),
    "schedule_from_text": lambda cron: cron.schedule_from_text(schedule_text="in 1 hour", **_PLAIN),
    "get_job": lambda cron: cron.get_job("x"),
    "get_all_jobs": lambda cron: cron.get_all_jobs(),
    "get_job_status": lambda cron: cron.get_job_status("x"),
    "pause_job": lambda cron: cron.pause_job("x"),
    "resume_job": lambda cron: cron.resume_job("x"),
    "cancel_job": lambda cron: cron.cancel_job("x"),
    "run_job": lambda cron: cron.run_job("x"),
    "run_job and wait": lambda cron: cron.run_job("x", wait=True),
    "cancel_execution": lambda cron: cron.cancel_execution("x"),
    "get_executions": lambda cron: cron.get_executions(),
}


# -- initialise, start, stop ------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_before_initialize_and_after_stop_every_call_raises(anyio_backend: str, database: Path):
    manager = SchedulerManager(database)
    with pytest.raises(SchedulerStopped, match="initialize"):
        manager.start()
    for call in ASYNC_CALLS.values():
        with pytest.raises(SchedulerStopped, match="initialize"):
            await call(manager)
    async with manager:
        pass
    with pytest.raises(SchedulerStopped, match="initialize"):
        manager.start()
    for call in ASYNC_CALLS.values():
        with pytest.raises(SchedulerStopped, match="initialize"):
            await call(manager)


def test_before_start_and_after_shutdown_every_plain_call_raises(database: Path):
    cron = CronService(database)
    for call in PLAIN_CALLS.values():
        with pytest.raises(SchedulerStopped, match="initialize"):
            call(cron)
    assert not database.exists(), "nothing is made before the start"
    with cron:
        pass
    for call in PLAIN_CALLS.values():
        with pytest.raises(SchedulerStopped, match="initialize"):
            call(cron)


@pytest.mark.anyio
async def test_initialize_and_start_and_stop_may_be_called_twice(anyio_backend: str, database: Path):
    manager = SchedulerManager(database)
    await manager.stop()
    await manager.initialize()
    await manager.initialize()
    manager.start()
    manager.start()
    await manager.initialize()
    job_id = await manager.create_job(name="x", **HOURLY)
    assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
    await manager.stop()
    await manager.stop()


def test_start_and_shutdown_may_be_called_twice(database: Path):
    cron = CronService(database)
    cron.shutdown()
    cron.start()
    cron.start()
    job_id = cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing)
    assert cron.run_job(job_id, wait=True).status == "succeeded"
    cron.shutdown()
    cron.shutdown()


def test_many_threads_may_start_and_shut_down_at_once(database: Path):
    cron = CronService(database)
    for call in (cron.start, cron.shutdown):
        errors: list[BaseException] = []
        threads = [threading.Thread(target=_noting, args=(errors, call)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert errors == []
        assert not any(thread.is_alive() for thread in threads)
    assert repr(cron) == "<CronService stopped>"


def _noting(errors: list[BaseException], call: Callable[[], object]) -> None:
    try:
        call()
    except BaseException as error:
        errors.append(error)


@pytest.mark.anyio
async def test_between_initialize_and_start_calls_are_taken_and_nothing_fires(
    anyio_backend: str, database: Path, stage: Stage
):
    manager = SchedulerManager(database)
    await manager.initialize()
    assert repr(manager) == "<SchedulerManager open>"
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    asked = await manager.run_job(job_id)
    with pytest.raises(SchedulerStopped, match="start"):
        await manager.run_job(job_id, wait=True)
    assert [row.status for row in await manager.get_executions(job_id)] == ["waiting"]
    manager.start()
    assert repr(manager) == "<SchedulerManager started>"
    await soon(lambda: manager.get_executions(job_id, "succeeded"))
    assert [row.id for row in await manager.get_executions(job_id)] == [asked.id]
    await manager.stop()
    assert repr(manager) == "<SchedulerManager stopped>"


@pytest.mark.anyio
async def test_a_stopped_manager_can_be_initialised_again(anyio_backend: str, database: Path, stage: Stage):
    manager = SchedulerManager(database)
    for turn in range(3):
        await manager.initialize()
        manager.start()
        assert len(await manager.get_all_jobs()) == turn
        job_id = await manager.create_job(
            name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
        )
        assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
        await manager.stop()
    assert stage.notes == ["called"] * 3


def test_after_a_failed_initialize_another_attempt_is_made(anyio_backend: str, database: Path):
    database.mkdir()
    manager = SchedulerManager(database)

    async def fail() -> None:
        with pytest.raises(StoreError, match="directory"):
            await manager.initialize()
        with pytest.raises(SchedulerStopped):
            manager.start()
        with pytest.raises(SchedulerStopped):
            await manager.get_all_jobs()
        await manager.stop()

    async def succeed() -> None:
        async with manager:
            assert await manager.get_all_jobs() == []

    anyio.run(fail, backend=anyio_backend)
    anyio.run(fail, backend=anyio_backend)
    database.rmdir()
    anyio.run(succeed, backend=anyio_backend)


def test_after_a_failed_start_another_attempt_is_made(database: Path):
    database.mkdir()
    cron = CronService(database)
    with pytest.raises(StoreError, match="directory"), cron:
        pytest.fail("the block must not be entered")
    database.rmdir()
    with cron:
        assert cron.get_all_jobs() == []


@pytest.mark.anyio
async def test_an_exception_in_the_block_goes_through_and_stops_the_manager(anyio_backend: str, database: Path):
    manager = SchedulerManager(database)
    with pytest.raises(ZeroDivisionError):
        async with manager:
            raise ZeroDivisionError
    with pytest.raises(SchedulerStopped):
        await manager.get_all_jobs()


@pytest.mark.anyio
async def test_a_cancelled_block_stops_the_manager_all_the_same(anyio_backend: str, database: Path, stage: Stage):
    manager = SchedulerManager(database)
    with anyio.CancelScope() as scope:
        async with manager:
            job_id = await manager.create_job(name="x", **HOURLY)
            await manager.run_job(job_id, wait=True)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert repr(manager) == "<SchedulerManager stopped>"
    with CronService(database) as cron:
        assert len(cron.get_all_jobs()) == 1


def test_no_thread_is_left_after_shutdown(database: Path):
    with CronService(database) as cron:
        job_id = cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing)
        cron.run_job(job_id, wait=True)
        assert _ours()
    assert not _ours()


def _ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "aurora-scheduler"]


@pytest.mark.parametrize("drain", [-1, "soon", None, float("nan"), float("inf"), b"5", True])
def test_a_wrong_drain_is_refused_and_the_service_goes_on(cron: CronService, drain):
    with pytest.raises(OptionError, match="drain"):
        cron.shutdown(drain=drain)
    assert cron.get_all_jobs() == []


@pytest.mark.anyio
async def test_a_manager_may_be_stopped_from_another_thread(anyio_backend: str, database: Path):
    manager = SchedulerManager(database)
    await manager.initialize()
    manager.start()
    await anyio.to_thread.run_sync(partial(finishes, lambda: anyio.run(manager.stop)))
    with pytest.raises(SchedulerStopped):
        await manager.get_all_jobs()
    await manager.stop()


# -- what runs when it is stopped -------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("callback", [callbacks.wait_in_thread, callbacks.wait_async])
async def test_stop_waits_for_what_runs(anyio_backend: str, database: Path, callback, stage: Stage):
    manager = SchedulerManager(database)
    await manager.initialize()
    manager.start()
    job_id = await manager.create_job(name="x", schedule="every 1 hour", callback=callback, callback_args=stage.args)
    await manager.run_job(job_id)
    await stage.has_begun()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.stop)
            await soon(partial(_is_stopped, manager))
            stage.may_end.set()
    async with SchedulerManager(database) as manager:
        assert [row.status for row in await manager.get_executions(job_id)] == ["succeeded"]


async def _is_stopped(manager: SchedulerManager) -> bool:
    try:
        await manager.get_all_jobs()
    except SchedulerStopped:
        return True
    return False


@pytest.mark.anyio
async def test_an_async_callback_that_outlasts_the_drain_is_cancelled_and_runs_again_at_the_next_start(
    anyio_backend: str, database: Path, stage: Stage
):
    async with SchedulerManager(database) as manager:
        job_id = await manager.create_job(
            name="x", schedule="every 1 hour", callback=callbacks.wait_async, callback_args=stage.args
        )
        await manager.run_job(job_id)
        await stage.has_begun()
        await manager.stop(drain=0)
    assert stage.notes == ["Cancelled"]
    stage.may_end.set()
    async with SchedulerManager(database) as manager:
        await soon(lambda: manager.get_executions(job_id, "succeeded"))
        second, first = await manager.get_executions(job_id)
    assert [(first.attempt, first.status, first.reason), (second.attempt, second.status, second.reason)] == [
        (1, "cancelled", "the scheduler stopped"),
        (2, "succeeded", "recovered"),
    ]


def test_whoever_waits_for_an_execution_hears_that_the_scheduler_stopped(
    database: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
):
    monkeypatch.setattr("aurora_scheduler.engine.engine._AFTER_CANCEL", 0.1)
    cron = CronService(database)
    cron.start()
    job_id = cron.schedule_relative(
        name="x", relative_time="in 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    heard: list[BaseException] = []
    waiting = threading.Thread(target=_noting, args=(heard, lambda: cron.run_job(job_id, wait=True)))
    waiting.start()
    assert stage.begun.wait(DEADLINE)
    cron.shutdown(drain=0)
    waiting.join(DEADLINE)
    assert [type(error) for error in heard] == [SchedulerStopped]


def test_a_thread_that_will_not_end_is_let_go_and_its_firing_recovered(
    database: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
):
    monkeypatch.setattr("aurora_scheduler.engine.engine._AFTER_CANCEL", 0.1)
    cron = CronService(database)
    cron.start()
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    cron.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    finishes(lambda: cron.shutdown(drain=0))
    assert not stage.ended.is_set()
    stage.may_end.set()
    with CronService(database) as cron:
        eventually(lambda: cron.get_executions(job_id, "succeeded"))
        second, first = cron.get_executions(job_id)
    assert [(first.attempt, first.status), (second.attempt, second.status)] == [(1, "lost"), (2, "succeeded")]


def test_a_stop_that_lets_a_callback_go_is_no_failure(
    database: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage, caplog: pytest.LogCaptureFixture
):
    """What goes on beside the firing ends with the store; it does not stumble over its being closed."""
    monkeypatch.setattr("aurora_scheduler.engine.engine._AFTER_CANCEL", 0.1)
    cron = CronService(database)
    cron.start()
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.swallow_cancellation, callback_args=stage.args
    )
    cron.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    finishes(lambda: cron.shutdown(drain=0))
    thread = next(thread for thread in threading.enumerate() if thread.name == "aurora-scheduler")
    threading.Event().wait(0.7)  # longer than the keepers sleep: time for them to stumble
    stage.may_end.set()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"] == []


def test_a_run_that_could_not_be_asked_for_is_not_waited_for(database: Path):
    with CronService(database) as cron:
        for _ in range(3):
            with pytest.raises(JobNotFoundError):
                cron.run_job("nobody", wait=True)
        assert cron._scheduler._host is not None
        assert cron._scheduler._host._awaited == {}


def test_shutdown_inside_a_callback_returns_at_once(database: Path, stage: Stage):
    cron = CronService(database)
    cron.start()
    stage.scheduler = cron
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.shut_down_and_note, callback_args=stage.args
    )
    cron.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    assert stage.notes == ["shutdown returned"]
    with pytest.raises(SchedulerStopped):
        cron.get_all_jobs()
    stage.may_end.set()
    finishes(cron.shutdown)
    with CronService(database) as cron:
        assert [row.status for row in cron.get_executions(job_id)] == ["succeeded"]


@pytest.mark.anyio
@pytest.mark.parametrize("runner", ["trio", "app"])
async def test_stop_inside_an_async_callback_returns_at_once(
    anyio_backend: str, database: Path, runner: str, stage: Stage
):
    manager = SchedulerManager(database)
    await manager.initialize()
    manager.start()
    stage.scheduler = manager
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.stop_and_note, callback_args=stage.args, runner=runner
    )
    await manager.run_job(job_id)
    await stage.has_begun()
    assert stage.notes == ["stop returned"]
    stage.may_end.set()
    with anyio.fail_after(DEADLINE):
        await manager.stop()
    async with SchedulerManager(database) as manager:
        assert [row.status for row in await manager.get_executions(job_id)] == ["succeeded"]


# -- restarts, and two at once ----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_jobs_and_history_survive_a_restart(anyio_backend: str, database: Path):
    async with SchedulerManager(database) as manager:
        ids = [await manager.create_job(name=str(n), tags=["a"], **HOURLY) for n in range(5)]
        ran = await manager.run_job(ids[0], wait=True)
        await manager.deactivate_job(ids[1])
        await manager.delete_job(ids[2])
        jobs = await manager.get_all_jobs()
    async with SchedulerManager(database) as manager:
        assert await manager.get_all_jobs() == jobs
        assert await manager.get_executions() == [ran]
        with pytest.raises(JobNotFoundError):
            await manager.run_job(ids[2])


def test_a_firing_that_came_due_while_nothing_ran_is_caught_up_once(database: Path, stage: Stage):
    cron = CronService(database)
    with cron:
        job_id = cron.schedule_relative(
            name="x", relative_time="in 1 second", callback=callbacks.note, callback_args=stage.args
        )
        job = cron.get_job(job_id)
    assert job is not None
    assert stage.notes == []
    due = threading.Event()
    due.wait(1.0)  # until it is past; had it been slower, it would be so all the more
    with cron:
        eventually(lambda: cron.get_all_jobs("finished"))
        (execution,) = cron.get_executions(job_id)
        assert (execution.status, execution.scheduled_for) == ("succeeded", job.next_run_time)
    assert stage.notes == ["called"]


@pytest.fixture
def two(cron: CronService, database: Path):
    """The owner of a database, and a standby."""
    owner = cron.run_job(_job(cron), wait=True).owner
    standby = CronService(database)
    standby.start()
    yield cron, standby, owner
    standby.shutdown(drain=0)


def _job(cron: CronService, **more: Any) -> str:
    return cron.schedule_relative(
        **{"name": "x", "relative_time": "every 1 hour", "callback": callbacks.nothing} | more
    )


def _run(cron: CronService, job_id: str) -> Execution:
    """Have the job run, by whomever; the execution that succeeded."""
    asked = cron.run_job(job_id)
    return eventually(lambda: [row for row in cron.get_executions(job_id, "succeeded") if row.id == asked.id])[0]


def test_what_a_standby_creates_is_fired_by_the_owner(two, stage: Stage):
    _, standby, owner = two
    job_id = _job(standby, relative_time="in 1 second", callback=callbacks.note, callback_args=stage.args)
    (execution,) = eventually(lambda: standby.get_executions(job_id, "succeeded"))
    assert (execution.owner, stage.notes) == (owner, ["called"])


def test_a_standby_sees_pauses_runs_cancels_and_deletes(two, stage: Stage):
    cron, standby, owner = two
    job_id = _job(cron, callback=callbacks.wait_async, callback_args=stage.args)
    assert standby.get_job(job_id) == cron.get_job(job_id)
    asked = standby.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    assert standby.cancel_execution(asked.id)
    (cancelled,) = eventually(lambda: standby.get_executions(job_id, "cancelled"))
    assert (cancelled.id, cancelled.owner, stage.notes) == (asked.id, owner, ["Cancelled"])
    assert standby.pause_job(job_id)
    assert cron.get_job_status(job_id)["status"] == "paused"
    assert standby.cancel_job(job_id)
    assert cron.get_job(job_id) is None


def test_waiting_for_a_run_on_a_standby_answers_when_the_owner_has_ended_it(two):
    _, standby, owner = two
    job_id = _job(standby)
    execution = finishes(lambda: standby.run_job(job_id, wait=True))
    assert (execution.status, execution.owner) == ("succeeded", owner)


def test_a_standby_takes_over_when_the_owner_has_stopped(two, stage: Stage):
    cron, standby, owner = two
    job_id = _job(cron, relative_time="every 1 second", callback=callbacks.note, callback_args=stage.args)
    eventually(lambda: standby.get_executions(job_id, "succeeded"))
    cron.shutdown()
    eventually(lambda: standby.get_executions(job_id, "succeeded")[0].owner != owner)
    history = standby.get_executions(job_id)
    assert all(row.status == "succeeded" for row in history)
    assert len({row.scheduled_for for row in history}) == len(history), "no instant was fired twice"
    assert len(stage.notes) >= len(history)


def test_only_one_of_two_fires(two, stage: Stage):
    cron, standby, owner = two
    job_id = _job(cron, relative_time="every 1 second", callback=callbacks.note, callback_args=stage.args)
    eventually(lambda: len(standby.get_executions(job_id, "succeeded")) >= 2)
    cron.pause_job(job_id)
    assert {row.owner for row in standby.get_executions(job_id)} == {owner}
    assert _run(standby, job_id).owner == owner
    assert len(stage.notes) == len(standby.get_executions(job_id))
