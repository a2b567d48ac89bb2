"""Two processes on one file: what is asked for in the one that stands by, the other one does, within a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import CronService, Execution, ExecutionEvent, JobEvent, SchedulerManager
from facades import alone, callbacks
from facades.callbacks import Stage
from facades.scripts import Script
from facades.waiting import DEADLINE, eventually, finishes
from faults.settings import PATIENCE

#: What is promised within a second, on a machine that has nothing else to do.
SOON = timedelta(seconds=1) * PATIENCE

OWNER = """
from aurora_scheduler import CronService
from facades import alone, callbacks
from facades.callbacks import Stage

with CronService(timezone="UTC") as cron:
    job_id = cron.schedule_relative(
        name="owner", job_id="owner", relative_time="every 1 hour", callback=alone.nothing, tags=["the owner's"])
    cron.run_job(job_id, wait=True)
    alone.say("fires")
    alone.hear()
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("standby")


@pytest.fixture(scope="module")
def owner(directory: Path) -> Iterator[str]:
    """A scheduler in another process, which fires; by what it is known."""
    program = Script(directory, OWNER)
    program.says("fires")
    try:
        with CronService(directory / "jobs.db") as standby:
            (first,) = standby.get_executions("owner")
        assert first.owner is not None
        yield first.owner
        program.hears()
        program.ends(0)
    finally:
        if program.process.returncode is None:
            program.is_killed()


@pytest.fixture
def standby(directory: Path, owner: str) -> Iterator[CronService]:
    cron = CronService(directory / "jobs.db", timezone="UTC")
    cron.start()
    eventually(lambda: str(cron.health()) == "standby: another scheduler fires the jobs of this database")
    yield cron
    cron.shutdown()


@pytest.fixture
def make(standby: CronService) -> Callable[..., str]:
    """Have the standby create a job."""
    return lambda **more: standby.schedule_relative(
        **{"name": "x", "relative_time": "every 1 hour", "callback": alone.nothing} | more
    )


def succeeded(standby: CronService, job_id: str) -> list[Execution]:
    """Wait until the job has succeeded: these executions."""
    return eventually(lambda: standby.get_executions(job_id, "succeeded"))


def late(execution: Execution) -> timedelta:
    assert execution.started_at is not None
    return execution.started_at - execution.scheduled_for


def test_what_it_creates_the_owner_fires_on_time(standby: CronService, make: Callable[..., str], owner: str):
    (row,) = succeeded(standby, make(relative_time="in 1 second"))
    assert row.owner == owner
    assert late(row) < SOON


def test_what_it_edits_the_owner_fires_by_the_new_schedule(standby: CronService, make: Callable[..., str], owner: str):
    job_id = make(job_id="edited", relative_time="every 1 hour")
    succeeded_by_hand(standby, job_id)  # the owner knows it
    asked = datetime.now(UTC)
    assert make(job_id="edited", if_exists="update", relative_time="every 1 second", max_runs=1) == job_id
    rows = eventually(lambda: [row for row in standby.get_executions(job_id) if row.trigger == "schedule"])
    assert rows[0].owner == owner
    assert rows[0].started_at is not None
    assert rows[0].started_at - asked < timedelta(seconds=1) + SOON


def test_what_it_pauses_is_not_begun_any_more_and_what_it_resumes_is(
    standby: CronService, make: Callable[..., str], owner: str
):
    job_id = make(relative_time="every 1 second")
    succeeded(standby, job_id)
    assert standby.pause_job(job_id)
    paused = datetime.now(UTC)
    succeeded_by_hand(standby, job_id)
    begun = [row for row in standby.get_executions(job_id) if row.trigger == "schedule"]
    assert all(row.started_at is not None and row.started_at <= paused for row in begun)
    assert standby.resume_job(job_id)
    resumed = datetime.now(UTC)
    again = eventually(
        lambda: [row for row in standby.get_executions(job_id, "succeeded") if row.scheduled_for > resumed]
    )
    assert again[-1].owner == owner
    assert late(again[-1]) < SOON


def test_what_it_deletes_is_not_begun_any_more(standby: CronService, make: Callable[..., str]):
    job_id = make(relative_time="every 1 second")
    succeeded(standby, job_id)
    assert standby.cancel_job(job_id)
    deleted = datetime.now(UTC)
    succeeded(standby, make(relative_time="in 1 second"))  # by the time this one is fired, so would be the other
    assert all(row.started_at is not None and row.started_at <= deleted for row in standby.get_executions(job_id))


def succeeded_by_hand(standby: CronService, job_id: str) -> Execution:
    execution = finishes(lambda: standby.run_job(job_id, wait=True))
    assert execution.status == "succeeded"
    return execution


def test_a_run_that_it_asks_for_and_waits_for_is_the_owners_and_begins_soon(
    standby: CronService, make: Callable[..., str], owner: str
):
    job_id = make()
    rows = [succeeded_by_hand(standby, job_id) for _ in range(3)]
    assert {row.owner for row in rows} == {owner}
    assert max(late(row) for row in rows) < SOON


def test_a_run_that_it_cancels_ends_soon(standby: CronService, make: Callable[..., str], directory: Path, owner: str):
    job_id = make(callback=alone.stuck_once_async, callback_args={"file": str(directory / "stuck")})
    asked = standby.run_job(job_id)
    eventually(lambda: standby.get_executions(job_id, "running"))
    assert standby.cancel_execution(asked.id)
    then = datetime.now(UTC)
    (row,) = eventually(lambda: standby.get_executions(job_id, "cancelled"))
    assert (row.id, row.owner) == (asked.id, owner)
    assert row.finished_at is not None
    assert row.finished_at - then < SOON


@pytest.mark.anyio
async def test_its_events_tell_what_it_asked_for_and_not_what_the_owner_does(directory: Path, owner: str):
    async with SchedulerManager(directory / "jobs.db", timezone="UTC") as manager:
        events = manager.events()
        job_id = await manager.create_job(name="x", schedule="every 1 hour", callback=alone.nothing)
        ended = await manager.run_job(job_id, wait=True)
        assert (ended.status, ended.owner) == ("succeeded", owner)
        await manager.update_job(job_id, name="y")
    told: list[Any] = [event async for event in events]
    assert [each.kind for each in told if isinstance(each, JobEvent)] == ["created", "run_requested", "updated"]
    assert [each.execution.status for each in told if isinstance(each, ExecutionEvent)] == ["waiting"]


def test_an_owner_that_stops_is_the_owner_until_its_callbacks_have_ended(
    cron: CronService, database: Path, stage: Stage
):
    waits = cron.schedule_relative(
        name="waits", relative_time="every 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    cron.run_job(waits)
    assert stage.begun.wait(DEADLINE)
    with CronService(database) as other:
        stopping = threading.Thread(target=cron.shutdown)
        stopping.start()
        eventually(lambda: cron.health().status == "stopped")
        due = other.schedule_relative(name="due", relative_time="in 1 second", callback=alone.nothing)
        time.sleep(1.2)  # not for anything to happen: for what must not happen, that two are owners
        assert other.get_executions(due) == []
        assert str(other.health()) == "standby: another scheduler fires the jobs of this database"
        stage.may_end.set()
        stopping.join()
        (row,) = succeeded(other, due)
        (ended,) = other.get_executions(waits)
        assert ended.status == "succeeded"
        assert ended.owner != row.owner
