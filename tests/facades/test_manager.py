"""`SchedulerManager`, from asyncio and from Trio: each test runs on both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sniffio

from aurora_scheduler import (
    ArgumentsError,
    ExecutionStatus,
    JobExistsError,
    JobNotFoundError,
    JobStatus,
    NewJob,
    OptionError,
    ScheduleError,
    SchedulerManager,
    SchedulerStopped,
    UnknownOptionError,
)
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import soon

pytestmark = pytest.mark.anyio

HOURLY = {"schedule": "every 1 hour", "callback": callbacks.nothing}


async def test_the_test_runs_on_the_loop_it_says(anyio_backend: str, manager: SchedulerManager):
    assert sniffio.current_async_library() == anyio_backend
    await manager.get_all_jobs()
    assert sniffio.current_async_library() == anyio_backend


# -- creating ---------------------------------------------------------------------------------------------------


async def test_a_relative_job_fires_once_and_is_finished(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_relative_job(
        name="reminder",
        relative_time="in 1 second",
        callback_module="facades.callbacks",
        callback_function="note",
        callback_args={**stage.args, "text": "remember"},
    )
    job = await manager.get_job(job_id)
    assert job is not None
    assert (job.schedule_type, job.schedule_value) == ("relative", "in 1 second")
    assert job.next_run_time == job.created_at + timedelta(seconds=1)
    await soon(lambda: manager.get_all_jobs("finished"))
    assert stage.notes == ["remember"]
    (execution,) = await manager.get_executions(job_id)
    assert (execution.status, execution.trigger) == ("succeeded", "schedule")
    assert execution.scheduled_for == job.next_run_time
    after = await manager.get_job(job_id)
    assert after is not None
    assert (after.is_active, after.next_run_time) == (False, None)


async def test_a_relative_job_fires_again_and_again_on_its_anchor(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_relative_job(
        name="pulse",
        relative_time="every 1 second",
        callback_module="facades.callbacks",
        callback_function="note",
        callback_args=stage.args,
    )
    job = await manager.get_job(job_id)
    assert job is not None
    await soon(lambda: _all_of(manager, job_id, 2))
    for execution in await manager.get_executions(job_id):
        distance = execution.scheduled_for - job.created_at
        assert distance >= timedelta(seconds=1)
        assert distance % timedelta(seconds=1) == timedelta(0)


async def _all_of(manager: SchedulerManager, job_id: str, least: int) -> bool:
    return len(await manager.get_executions(job_id, "succeeded")) >= least


async def test_an_absolute_job_fires_at_its_time(manager: SchedulerManager, stage: Stage):
    when = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    job_id = await manager.create_absolute_job(
        name="appointment",
        absolute_time=when,
        callback_module="facades.callbacks",
        callback_function="note",
        callback_args=stage.args,
    )
    await soon(lambda: _all_of(manager, job_id, 1))
    (execution,) = await manager.get_executions(job_id)
    assert execution.scheduled_for == datetime.fromisoformat(when)


async def test_an_absolute_time_is_read_in_the_time_zone_of_the_job(manager: SchedulerManager):
    job_id = await manager.create_absolute_job(
        name="appointment",
        absolute_time="2099-05-28 09:00:00",
        callback_module="facades.callbacks",
        callback_function="nothing",
        timezone="Europe/Berlin",
    )
    job = await manager.get_job(job_id)
    assert job is not None
    assert (job.schedule_type, job.schedule_value) == ("absolute", "2099-05-28 09:00:00")
    assert str(job.next_run_time) == "2099-05-28 09:00:00+02:00"


async def test_a_cron_job_keeps_its_expression(manager: SchedulerManager):
    job_id = await manager.create_cron_job(
        name="weekly",
        cron_expression="0 2 * * 0",
        callback_module="facades.callbacks",
        callback_function="nothing",
        timezone="UTC",
    )
    job = await manager.get_job(job_id)
    assert job is not None
    assert (job.schedule_type, job.schedule_value) == ("cron", "0 2 * * 0")
    assert job.next_run_time is not None
    assert (job.next_run_time.isoweekday(), job.next_run_time.hour, job.next_run_time.minute) == (7, 2, 0)


@pytest.mark.parametrize(
    "callback", [callbacks.note, "facades.callbacks.note", "facades.callbacks:note", "facades.callbacks:Shelf.note"]
)
async def test_a_callback_is_a_function_or_its_name(manager: SchedulerManager, callback, stage: Stage):
    job_id = await manager.create_job(name="x", schedule="in 1 hour", callback=callback, callback_args=stage.args)
    assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
    assert len(stage.notes) == 1


async def test_many_jobs_are_created_in_one_transaction(manager: SchedulerManager):
    ids = await manager.create_jobs(NewJob(name=f"job {n}", **HOURLY) for n in range(100))
    assert [job.id for job in await manager.get_all_jobs()] == ids
    assert [job.name for job in await manager.get_all_jobs()] == [f"job {n}" for n in range(100)]


async def test_where_one_of_many_is_refused_none_is_created(manager: SchedulerManager):
    good = NewJob(name="good", **HOURLY)
    with pytest.raises(ScheduleError):
        await manager.create_jobs([good, NewJob(name="bad", schedule="every 5 parsecs", callback=callbacks.nothing)])
    with pytest.raises(JobExistsError):
        await manager.create_jobs(
            [NewJob(name="one", job_id="same", **HOURLY), NewJob(name="two", job_id="same", **HOURLY)]
        )
    assert await manager.get_all_jobs() == []


async def test_of_many_some_may_be_there_already(manager: SchedulerManager):
    await manager.create_job(name="before", job_id="2", **HOURLY)
    await manager.create_job(name="gone", job_id="4", **HOURLY)
    await manager.delete_job("4")
    jobs = [NewJob(name=f"job {n}", job_id=str(n), if_exists="update", **HOURLY) for n in (1, 2, 3, 4, 1)]
    assert await manager.create_jobs(jobs) == ["1", "2", "3", "4", "1"]
    known = {job.id: (job.name, job.generation) for job in await manager.get_all_jobs()}
    assert known == {"1": ("job 1", 1), "2": ("job 2", 1), "3": ("job 3", 1), "4": ("job 4", 2)}


async def test_many_jobs_that_say_the_same_are_each_checked(manager: SchedulerManager):
    wrong = NewJob(name="9", schedule="every 1 hour", callback=callbacks.note, callback_args={"no_such": 1})
    right = [NewJob(name=str(n), schedule="every 1 hour", callback=callbacks.nothing) for n in range(9)]
    with pytest.raises(ArgumentsError, match="no_such"):
        await manager.create_jobs([*right, wrong])
    await manager.create_jobs(right)
    assert len({job.next_run_time for job in await manager.get_all_jobs()}) == 1, "all as of the same instant"


async def test_no_jobs_are_created_of_no_jobs(manager: SchedulerManager):
    assert await manager.create_jobs([]) == []


async def test_a_new_job_shows_what_it_was_given():
    new = NewJob(name="report", schedule="every 1 hour", callback="reports.send", max_retries=1)
    assert repr(new) == "NewJob(name='report', schedule='every 1 hour', callback='reports.send', max_retries=1)"


async def test_names_need_not_be_unique(manager: SchedulerManager):
    ids = {await manager.create_job(name="same", **HOURLY) for _ in range(3)}
    assert len(ids) == 3


async def test_the_time_zone_of_the_manager_is_the_default_of_its_jobs(database: Path):
    async with SchedulerManager(database, timezone="Asia/Tokyo") as manager:
        own = await manager.create_job(name="x", schedule="0 9 * * *", callback=callbacks.nothing)
        other = await manager.create_job(name="x", schedule="0 9 * * *", callback=callbacks.nothing, timezone="UTC")
        jobs = [await manager.get_job(own), await manager.get_job(other)]
    assert [(job.timezone, job.next_run_time.hour) for job in jobs] == [("Asia/Tokyo", 9), ("UTC", 9)]
    assert jobs[0].next_run_time.utcoffset() == timedelta(hours=9)


async def test_a_start_is_the_anchor_of_an_interval_and_fires_itself(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY, start_at="2099-01-01 00:30", timezone="UTC")
    job = await manager.get_job(job_id)
    assert job is not None
    assert str(job.next_run_time) == "2099-01-01 00:30:00+00:00"


async def test_a_job_ends_after_its_last_run(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 second", callback=callbacks.note, callback_args=stage.args, max_runs=1
    )
    await soon(lambda: manager.get_all_jobs("finished"))
    assert len(stage.notes) == 1
    assert len(await manager.get_executions(job_id)) == 1


# -- an id that is taken ----------------------------------------------------------------------------------------


async def test_a_taken_id_is_refused(manager: SchedulerManager):
    assert await manager.create_job(name="first", job_id="nightly", **HOURLY) == "nightly"
    with pytest.raises(JobExistsError, match="nightly") as refused:
        await manager.create_job(name="second", job_id="nightly", **HOURLY)
    assert refused.value.job_id == "nightly"
    assert [job.name for job in await manager.get_all_jobs()] == ["first"]


async def test_keep_leaves_what_is_there(manager: SchedulerManager):
    await manager.create_job(name="first", job_id="nightly", **HOURLY)
    before = await manager.get_job("nightly")
    again = await manager.create_job(
        name="second", job_id="nightly", schedule="every 2 hours", callback=callbacks.nothing, if_exists="keep"
    )
    assert again == "nightly"
    assert await manager.get_all_jobs() == [before]


async def test_update_of_an_unchanged_job_keeps_its_anchor_and_next_firing(manager: SchedulerManager):
    await manager.create_job(name="first", job_id="nightly", **HOURLY)
    before = await manager.get_job("nightly")
    await manager.create_job(name="first", job_id="nightly", if_exists="update", **HOURLY)
    assert await manager.get_all_jobs() == [before]


async def test_update_of_all_but_the_schedule_keeps_the_next_firing(manager: SchedulerManager):
    await manager.create_job(name="first", job_id="nightly", **HOURLY)
    before = await manager.get_job("nightly")
    await manager.create_job(name="second", job_id="nightly", if_exists="update", tags=["new"], **HOURLY)
    (after,) = await manager.get_all_jobs()
    assert before is not None
    assert (after.name, after.tags) == ("second", ("new",))
    assert (after.next_run_time, after.created_at) == (before.next_run_time, before.created_at)
    assert after.updated_at > before.updated_at


async def test_update_with_another_schedule_starts_after_now(manager: SchedulerManager):
    await manager.create_job(name="first", job_id="nightly", **HOURLY)
    before = await manager.get_job("nightly")
    said = datetime.now(UTC)
    await manager.create_job(
        name="first", job_id="nightly", schedule="every 2 hours", callback=callbacks.nothing, if_exists="update"
    )
    (after,) = await manager.get_all_jobs()
    assert before is not None
    assert after.schedule_value == "every 2 hours"
    assert said + timedelta(hours=2) <= after.next_run_time <= datetime.now(UTC) + timedelta(hours=2)
    assert after.created_at == before.created_at


@pytest.mark.parametrize("if_exists", ["update", "keep"])
async def test_a_new_id_is_created_whatever_shall_be_if_it_exists(manager: SchedulerManager, if_exists):
    assert await manager.create_job(name="x", job_id="new", if_exists=if_exists, **HOURLY) == "new"


async def test_a_time_that_passed_is_taken_where_its_job_is_declared_again(manager: SchedulerManager, stage: Stage):
    said = {
        "name": "once",
        "job_id": "once",
        "schedule": (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
        "callback": callbacks.note,
        "callback_args": stage.args,
        "if_exists": "update",
    }
    await manager.create_job(**said)
    await soon(lambda: manager.get_all_jobs("finished"))
    (before,) = await manager.get_all_jobs()
    await manager.create_job(**said)
    assert await manager.get_all_jobs() == [before]
    assert len(stage.notes) == 1
    with pytest.raises(ScheduleError, match="past"):
        await manager.create_job(**said | {"job_id": "another"})


async def test_what_shall_be_if_it_exists_needs_an_id(manager: SchedulerManager):
    with pytest.raises(OptionError, match="job_id"):
        await manager.create_job(name="x", if_exists="update", **HOURLY)
    assert await manager.get_all_jobs() == []


# -- jobs declared in code --------------------------------------------------------------------------------------


async def test_a_declared_job_is_created_at_the_start_and_kept_at_the_next(database: Path):
    for _ in range(2):
        manager = SchedulerManager(database)
        decorated = manager.job("every 5 minutes", max_retries=1)(callbacks.nothing)
        assert decorated is callbacks.nothing
        async with manager:
            (job,) = await manager.get_all_jobs()
            assert (job.id, job.name, job.max_retries) == ("facades.callbacks:nothing", "nothing", 1)
            created = job.created_at
            assert created == job.updated_at
    async with SchedulerManager(database) as manager:
        (job,) = await manager.get_all_jobs()
        assert job.created_at == created


async def test_a_job_that_is_declared_otherwise_is_made_so(database: Path):
    for schedule in ("every 5 minutes", "every 6 minutes"):
        manager = SchedulerManager(database)
        manager.job(schedule, name="other", tags=["code"])(callbacks.nothing)
        async with manager:
            (job,) = await manager.get_all_jobs()
            assert (job.schedule_value, job.name, job.tags) == (schedule, "other", ("code",))


async def test_a_wrong_declaration_raises_from_initialize_and_leaves_nothing_behind(database: Path):
    manager = SchedulerManager(database)
    manager.job("every 5 parsecs")(callbacks.nothing)
    with pytest.raises(ScheduleError, match="parsecs"):
        await manager.initialize()
    with pytest.raises(SchedulerStopped):
        await manager.get_all_jobs()


async def test_jobs_are_declared_before_the_manager_is_initialised(manager: SchedulerManager):
    with pytest.raises(SchedulerStopped, match="before"):
        manager.job("every 5 minutes")


# -- changing ---------------------------------------------------------------------------------------------------


async def test_an_edit_keeps_what_it_does_not_name(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args, tags=["a"]
    )
    await manager.run_job(job_id, wait=True)
    before = await manager.get_job(job_id)
    assert before is not None
    after = await manager.update_job(job_id, name="y", max_retries=7, callback_args={**stage.args, "text": "new"})
    assert after == await manager.get_job(job_id)
    assert (after.name, after.max_retries, after.tags) == ("y", 7, ("a",))
    assert after.next_run_time == before.next_run_time
    assert after.last_run_result == before.last_run_result
    assert after.updated_at > before.updated_at
    await manager.run_job(job_id, wait=True)
    assert stage.notes == ["called", "new"]
    assert len(await manager.get_executions(job_id)) == 2


async def test_an_edited_schedule_starts_after_now_and_fires(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    said = datetime.now(UTC)
    after = await manager.update_job(job_id, schedule="in 1 second")
    assert after.schedule_value == "in 1 second"
    assert after.next_run_time is not None
    assert after.next_run_time >= said + timedelta(seconds=1)
    await soon(lambda: _all_of(manager, job_id, 1))


@pytest.mark.anyio
async def test_a_delay_that_is_said_again_is_from_now(manager: SchedulerManager, stage: Stage):
    """Also where it is over: "remind me in 10 minutes" is said a second time."""
    options = {"name": "x", "callback": callbacks.note, "callback_args": stage.args}
    job_id = await manager.create_job(schedule="in 1 second", **options)
    await soon(lambda: manager.get_all_jobs("finished"))
    again = await manager.update_job(job_id, schedule="in 1 second")
    assert again.status == "active"
    await soon(lambda: manager.get_all_jobs("finished"))
    assert len(await manager.get_executions(job_id, "succeeded")) == 2
    waiting = await manager.create_job(schedule="in 1 hour", **options)
    before = await manager.get_job(waiting)
    after = await manager.update_job(waiting, schedule="in 1 hour")
    assert after.next_run_time > before.next_run_time
    assert (await manager.update_job(waiting, name="y")).next_run_time == after.next_run_time


async def test_the_callback_tags_and_time_zone_can_be_edited(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", schedule="0 9 * * *", callback=callbacks.nothing, timezone="UTC")
    after = await manager.update_job(
        job_id, callback="facades.callbacks.nothing_async", tags=["b"], timezone="Asia/Tokyo"
    )
    assert (after.callback_function, after.tags, after.timezone) == ("nothing_async", ("b",), "Asia/Tokyo")
    assert after.next_run_time is not None
    assert (after.next_run_time.hour, after.next_run_time.utcoffset()) == (9, timedelta(hours=9))


async def test_an_edit_that_changes_nothing_writes_nothing(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY)
    before = await manager.get_job(job_id)
    assert await manager.update_job(job_id, name="x", schedule="every 1 hour") == before
    assert await manager.update_job(job_id) == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": ""}, OptionError),
        ({"schedule": "every 5 parsecs"}, ScheduleError),
        ({"schedule": "2001-01-01"}, ScheduleError),
        ({"timezone": "Mars/Olympus"}, ScheduleError),
        ({"max_retries": -1}, OptionError),
        ({"callback": "facades.callbacks.missing"}, ValueError),
        ({"callback_args": {"unknown": 1}}, ValueError),
        ({"tags": "one"}, OptionError),
        ({"retires": 1}, UnknownOptionError),
        ({"job_id": "another"}, TypeError),
        ({"if_exists": "keep"}, UnknownOptionError),
    ],
    ids=str,
)
async def test_a_wrong_edit_changes_nothing(manager: SchedulerManager, changes, error):
    job_id = await manager.create_job(name="x", **HOURLY)
    before = await manager.get_job(job_id)
    with pytest.raises(error):
        await manager.update_job(job_id, **changes)
    assert await manager.get_all_jobs() == [before]


async def test_a_paused_job_does_not_fire_until_it_is_activated(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 second", callback=callbacks.note, callback_args=stage.args
    )
    assert await manager.deactivate_job(job_id)
    assert await manager.deactivate_job(job_id), "pausing what is paused is no error"
    paused = await manager.get_job(job_id)
    assert paused is not None
    assert (paused.status, paused.is_active, paused.next_run_time) == (JobStatus.PAUSED, False, None)
    said = datetime.now(UTC)
    assert await manager.activate_job(job_id)
    assert await manager.activate_job(job_id), "it is active"
    await soon(lambda: _all_of(manager, job_id, 1))
    assert (await manager.get_executions(job_id, "succeeded"))[-1].scheduled_for > said


async def test_a_paused_job_can_be_run_by_hand(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    await manager.deactivate_job(job_id)
    assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
    job = await manager.get_job(job_id)
    assert job is not None
    assert job.status == "paused"


async def test_pausing_can_cancel_what_runs(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.wait_async, callback_args=stage.args
    )
    await manager.run_job(job_id)
    await stage.has_begun()
    assert await manager.deactivate_job(job_id, cancel_running=True)
    await soon(lambda: manager.get_executions(job_id, "cancelled"))
    assert stage.notes == ["Cancelled"]


async def test_a_deleted_job_is_gone_and_its_history_stays(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY)
    await manager.run_job(job_id, wait=True)
    assert await manager.delete_job(job_id)
    assert await manager.get_job(job_id) is None
    assert await manager.get_all_jobs() == []
    assert [row.status for row in await manager.get_executions(job_id)] == ["succeeded"]
    assert not await manager.delete_job(job_id)


async def test_an_id_can_be_used_again_after_it_was_deleted(manager: SchedulerManager):
    for _ in range(3):
        await manager.create_job(name="x", job_id="again", **HOURLY)
        await manager.run_job("again", wait=True)
        await manager.delete_job("again")
    assert len(await manager.get_executions("again", "succeeded")) == 3


# -- running and looking ----------------------------------------------------------------------------------------


async def test_a_run_by_hand_answers_at_once_or_at_its_end(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    before = await manager.get_job(job_id)
    asked = await manager.run_job(job_id)
    assert (asked.status, asked.trigger, asked.attempt) == ("waiting", "manual", 1)
    await stage.has_begun()
    await soon(lambda: _all_of(manager, job_id, 1))
    ended = await manager.run_job(job_id, wait=True)
    assert (ended.status, ended.trigger) == ("succeeded", "manual")
    after = await manager.get_job(job_id)
    assert before is not None
    assert after is not None
    assert after.next_run_time == before.next_run_time, "a run by hand does not move the schedule"


async def test_a_run_beside_one_that_runs_is_skipped(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    first = await manager.run_job(job_id)
    await stage.has_begun()
    assert (await manager.run_job(job_id, wait=True)).status == "skipped"
    stage.may_end.set()
    await soon(lambda: manager.get_executions(job_id, "succeeded"))
    assert [row.id for row in await manager.get_executions(job_id, "succeeded")] == [first.id]


async def test_a_failure_is_tried_again_as_the_options_say(manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x",
        schedule="every 1 hour",
        callback=callbacks.fail_once,
        callback_args=stage.args,
        retry_delay=0,
    )
    failed = await manager.run_job(job_id, wait=True)
    assert (failed.status, failed.error) == ("failed", "OSError: not the first time")
    await soon(lambda: _all_of(manager, job_id, 1))
    second, first = await manager.get_executions(job_id)
    assert (first.attempt, second.attempt, stage.notes) == (1, 2, [1, 2])
    assert first.scheduled_for == second.scheduled_for
    job = await manager.get_job(job_id)
    assert job is not None
    assert job.retry_count == 0


async def test_a_job_whose_retries_are_used_up_is_deactivated_with_the_reason(manager: SchedulerManager):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.fail, max_retries=1, retry_delay=0
    )
    await manager.run_job(job_id)
    await soon(lambda: manager.get_all_jobs("deactivated"))
    (job,) = await manager.get_all_jobs()
    assert job.status_reason == "failed 2 times in a row: OSError: no such host"
    assert (job.retry_count, job.next_run_time) == (2, None)
    assert await manager.activate_job(job_id)
    (job,) = await manager.get_all_jobs()
    assert (job.status, job.status_reason, job.retry_count) == ("active", None, 0)


@pytest.mark.parametrize("status", [JobStatus.PAUSED, "paused"])
async def test_jobs_are_found_by_status_as_enum_or_text(manager: SchedulerManager, status):
    ids = await manager.create_jobs([NewJob(name=str(n), **HOURLY) for n in range(3)])
    await manager.deactivate_job(ids[1])
    assert [job.id for job in await manager.get_all_jobs(status=status)] == [ids[1]]
    assert [job.id for job in await manager.get_all_jobs("active")] == [ids[0], ids[2]]


async def test_jobs_are_found_by_tag(manager: SchedulerManager):
    one = await manager.create_job(name="1", tags=["mail", "night"], **HOURLY)
    two = await manager.create_job(name="2", tags=("night",), **HOURLY)
    await manager.create_job(name="3", **HOURLY)
    assert [job.id for job in await manager.get_all_jobs(tag="night")] == [one, two]
    assert [job.id for job in await manager.get_all_jobs(tag="mail", status="active")] == [one]
    assert await manager.get_all_jobs(tag="nigh") == []
    assert await manager.get_all_jobs(tag="%") == []


@pytest.mark.parametrize("status", [ExecutionStatus.FAILED, "failed"])
async def test_executions_are_found_by_status_as_enum_or_text(manager: SchedulerManager, status):
    good = await manager.create_job(name="good", **HOURLY)
    bad = await manager.create_job(name="bad", schedule="every 1 hour", callback=callbacks.fail, max_retries=0)
    await manager.run_job(good, wait=True)
    await manager.run_job(bad, wait=True)
    assert [row.job_id for row in await manager.get_executions(status=status)] == [bad]
    assert [row.job_id for row in await manager.get_executions()] == [bad, good]
    assert await manager.get_executions(good, status) == []


async def test_the_history_is_read_in_pages_newest_first(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY)
    ran = [await manager.run_job(job_id, wait=True) for _ in range(5)]
    ran.reverse()
    assert await manager.get_executions(job_id) == ran
    first = await manager.get_executions(job_id, limit=2)
    assert first == ran[:2]
    assert await manager.get_executions(job_id, limit=2, before=first[-1]) == ran[2:4]
    assert await manager.get_executions(job_id, limit=2, before=first[-1].id) == ran[2:4]
    assert await manager.get_executions(job_id, before=ran[1].scheduled_for) == ran[2:]
    assert await manager.get_executions(job_id, before=ran[-1]) == []


# -- ids that there are not -------------------------------------------------------------------------------------


async def test_asking_for_an_unknown_job_answers_none_or_false(manager: SchedulerManager):
    assert await manager.get_job("nobody") is None
    assert await manager.delete_job("nobody") is False
    assert await manager.deactivate_job("nobody") is False
    assert await manager.activate_job("nobody") is False
    assert await manager.cancel_execution("nobody") is False
    assert await manager.get_executions("nobody") == []


async def test_changing_or_running_an_unknown_job_raises(manager: SchedulerManager):
    with pytest.raises(JobNotFoundError, match="nobody") as missing:
        await manager.update_job("nobody", name="x")
    assert missing.value.job_id == "nobody"
    for wait in (False, True):
        with pytest.raises(JobNotFoundError, match="nobody"):
            await manager.run_job("nobody", wait=wait)


async def test_an_execution_that_is_over_is_not_cancelled(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY)
    execution = await manager.run_job(job_id, wait=True)
    assert await manager.cancel_execution(execution.id) is False
    assert await manager.get_executions(job_id) == [execution]


@pytest.mark.anyio
async def test_jobs_and_executions_as_json_have_the_names_that_they_are_known_by(manager: SchedulerManager):
    job_id = await manager.create_job(
        name="x", schedule="0 9 * * *", callback=callbacks.answer, callback_args={"value": "fine"}, tags=["a"]
    )
    ran = await manager.run_job(job_id, wait=True)
    job = await manager.get_job(job_id)
    told = json.loads(json.dumps(job.as_dict()))
    assert (told["name"], told["status"], told["tags"]) == ("x", "active", ["a"])
    assert told["callback"] == "facades.callbacks:answer"
    assert datetime.fromisoformat(told["next_run_time"]) == job.next_run_time
    assert told["last_run_result"] == {"success": True, "message": "fine"}
    told = json.loads(json.dumps(ran.as_dict()))
    assert (told["job_id"], told["status"], told["trigger"]) == (job_id, "succeeded", "manual")
    assert datetime.fromisoformat(told["started_at"]) == ran.started_at
    assert told["lateness"] == ran.lateness.total_seconds()
    for value, names in ((job, told), (ran, told)):
        assert all(hasattr(type(value), name) or hasattr(value, name) for name in value.as_dict()), names
