"""`aliases`: a job that is declared under another id, since its function was renamed, goes on with its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler import (
    CronService,
    Job,
    JobEvent,
    NewJob,
    OptionError,
    ScheduleError,
    SchedulerManager,
    UnknownOptionError,
)
from aurora_scheduler.events import Listener
from facades import alone, callbacks
from facades.scripts import Script
from facades.waiting import eventually, soon

pytestmark = pytest.mark.anyio

OLD, NEW = "facades.callbacks:nothing_async", "facades.callbacks:nothing"
HOURLY: dict[str, Any] = {"name": "x", "schedule": "every 1 hour", "callback": callbacks.nothing}
PLAINLY: dict[str, Any] = {"name": "x", "schedule_text": "every 1 hour", "callback": callbacks.nothing}
IT_IS_NEW: dict[str, Any] = {"job_id": "new", "if_exists": "update", "aliases": ["old"]}
AS_NEW = HOURLY | IT_IS_NEW


def declaring(database: Path, function: Callable[..., Any], **options: Any) -> SchedulerManager:
    """The program with one job, as it is started."""
    manager = SchedulerManager(database)
    manager.job("every 1 hour", **options)(function)
    return manager


async def the_job(manager: SchedulerManager, job_id: str) -> Job:
    job = await manager.get_job(job_id)
    assert job is not None
    return job


async def next_of_jobs(events: Listener) -> tuple[str, str, str | None]:
    """The next that happens to a job, whatever happens to executions meanwhile."""
    while not isinstance(event := await anext(events), JobEvent):
        pass
    return event.job_id, event.kind, event.detail


# -- jobs declared in code --------------------------------------------------------------------------------------


async def test_a_renamed_function_keeps_its_jobs_history(database: Path):
    async with declaring(database, callbacks.nothing_async, name="tidy") as manager:
        ended = await manager.run_job(OLD, wait=True)
        before = await the_job(manager, OLD)
    for _ in range(2):
        async with declaring(database, callbacks.nothing, name="tidy", aliases=[OLD]) as manager:
            (after,) = await manager.get_all_jobs()
            (kept,) = await manager.get_executions(NEW)
            assert (after.id, after.callback_function) == (NEW, "nothing")
            assert (after.created_at, after.next_run_time) == (before.created_at, before.next_run_time)
            assert (after.last_run_time, after.last_run_result) == (before.last_run_time, before.last_run_result)
            assert (kept.id, kept.status, kept.scheduled_for) == (ended.id, "succeeded", ended.scheduled_for)
            assert await manager.get_executions(OLD) == []


async def test_to_declare_it_a_second_time_changes_nothing(database: Path):
    async with declaring(database, callbacks.nothing_async):
        pass
    seen = []
    for _ in range(2):
        async with declaring(database, callbacks.nothing, aliases=[OLD]) as manager:
            seen.append((await manager.get_all_jobs(), await manager.get_executions()))
    assert seen[0] == seen[1]


async def test_a_paused_job_stays_paused(database: Path):
    async with declaring(database, callbacks.nothing_async) as manager:
        await manager.deactivate_job(OLD)
    async with declaring(database, callbacks.nothing, aliases=[OLD]) as manager:
        assert (await the_job(manager, NEW)).status == "paused"


async def test_it_is_made_as_it_is_declared_now(database: Path):
    async with declaring(database, callbacks.nothing_async, tags=["old"]) as manager:
        await manager.run_job(OLD, wait=True)
    manager = SchedulerManager(database)
    manager.job("every 2 hours", tags=["new"], aliases=[OLD])(callbacks.nothing)
    async with manager:
        job = await the_job(manager, NEW)
        assert (job.schedule_value, job.tags, job.name) == ("every 2 hours", ("new",), "nothing")
        assert len(await manager.get_executions(NEW)) == 1


async def test_a_job_whose_old_function_is_gone_already_is_active_again(
    database: Path, monkeypatch: pytest.MonkeyPatch
):
    async with declaring(database, callbacks.nothing_async):
        pass
    monkeypatch.delattr(callbacks, "nothing_async")
    async with SchedulerManager(database) as manager:
        await soon(lambda: manager.get_all_jobs("unresolved"))
    async with declaring(database, callbacks.nothing, aliases=[OLD]) as manager:
        assert [(job.id, job.status) for job in await manager.get_all_jobs()] == [(NEW, "active")]


# -- which job it is --------------------------------------------------------------------------------------------


async def test_where_no_alias_is_there_it_is_created_as_usual(manager: SchedulerManager):
    assert await manager.create_job(**AS_NEW) == "new"
    (job,) = await manager.get_all_jobs()
    assert job.generation == 1


async def test_the_first_alias_that_is_there_becomes_it_and_the_others_are_deleted(manager: SchedulerManager):
    for number in (2, 1):
        await manager.create_job(**HOURLY, job_id=f"old {number}", tags=[str(number)])
        await manager.run_job(f"old {number}", wait=True)
    said = AS_NEW | {"aliases": ["never there", "old 1", "old 2"]}
    await manager.create_job(**said, tags=["new"])
    assert [job.id for job in await manager.get_all_jobs()] == ["new"]
    (kept,) = await manager.get_executions("new")
    (left,) = await manager.get_executions("old 2")
    assert await manager.get_executions("old 1") == []
    assert kept.id > left.id  # it is the one of old 1, which ran last


async def test_where_both_are_there_the_new_one_stays_and_the_old_one_is_deleted(manager: SchedulerManager):
    for job_id in ("old", "new"):
        await manager.create_job(**HOURLY, job_id=job_id)
        await manager.run_job(job_id, wait=True)
    before = await manager.get_job("new")
    events = manager.events()
    await manager.create_job(**AS_NEW)
    assert await manager.get_all_jobs() == [before]
    assert (len(await manager.get_executions("old")), len(await manager.get_executions("new"))) == (1, 1)
    assert await next_of_jobs(events) == ("old", "deleted", None)


async def test_keep_changes_the_id_alone(manager: SchedulerManager):
    await manager.create_job(**HOURLY, job_id="old", tags=["kept"])
    before = await the_job(manager, "old")
    await manager.create_job(**AS_NEW | {"if_exists": "keep", "schedule": "every 2 hours"})
    after = await the_job(manager, "new")
    assert (after.schedule_value, after.tags, after.next_run_time) == ("every 1 hour", ("kept",), before.next_run_time)


async def test_an_id_that_had_a_job_before_has_that_ones_history_too(manager: SchedulerManager):
    for job_id in ("new", "old"):
        await manager.create_job(**HOURLY, job_id=job_id)
        await manager.run_job(job_id, wait=True)
    await manager.delete_job("new")
    await manager.create_job(**AS_NEW)
    assert (await the_job(manager, "new")).generation == 2
    assert len(await manager.get_executions("new")) == 2


async def test_renamed_again_and_back_it_is_still_the_same_job(manager: SchedulerManager):
    await manager.create_job(**HOURLY, job_id="a")
    await manager.run_job("a", wait=True)
    for job_id, alias in (("b", "a"), ("c", "b"), ("a", "c")):
        await manager.create_job(**AS_NEW | {"job_id": job_id, "aliases": [alias]})
        (job,) = await manager.get_all_jobs()
        (row,) = await manager.get_executions(job_id)
        assert (job.id, row.status) == (job_id, "succeeded")


async def test_where_one_of_many_is_refused_no_job_is_renamed(manager: SchedulerManager):
    await manager.create_job(**HOURLY, job_id="old")
    before = await manager.get_all_jobs()
    never = NewJob(**HOURLY | {"schedule": "2020-01-01 00:00"}, job_id="past", if_exists="update")
    with pytest.raises(ScheduleError):
        await manager.create_jobs([NewJob(**AS_NEW), never])
    assert await manager.get_all_jobs() == before


async def test_several_of_one_call_may_have_aliases(manager: SchedulerManager):
    ids = [str(number) for number in range(5)]
    for each in ids[:3]:
        await manager.create_job(**HOURLY, job_id=f"old {each}")
    said = [NewJob(**AS_NEW | {"job_id": each, "aliases": [f"old {each}"]}) for each in ids]
    plain = [NewJob(**HOURLY, job_id=ids[4], if_exists="update"), NewJob(**HOURLY, job_id="plain")]
    assert await manager.create_jobs([*said, *plain]) == [*ids, ids[4], "plain"]
    assert {job.id for job in await manager.get_all_jobs()} == {*ids, "plain"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CronService]:
    """One scheduler for all examples of a property."""
    with CronService(tmp_path_factory.mktemp("renaming") / "jobs.db") as cron:
        yield cron


@given(
    there=st.lists(st.sampled_from("abcd"), unique=True),
    job_id=st.sampled_from("abcd"),
    aliases=st.lists(st.sampled_from("abcd"), max_size=5),
    if_exists=st.sampled_from(["update", "keep"]),
)
def test_of_an_id_and_its_aliases_one_job_is_left_and_it_has_the_id(bench, there, job_id, aliases, if_exists):
    """And whose it was is decided by the order in which they are said; all the others are as they were."""
    aliases = [alias for alias in aliases if alias != job_id]
    for job in bench.get_all_jobs():
        bench.cancel_job(job.id)
    for each in there:
        bench.schedule_from_text(**PLAINLY, job_id=each, tags=[each])
    said = {"job_id": job_id, "aliases": aliases, "if_exists": if_exists, "tags": ["now"]}
    for _ in range(2):
        bench.schedule_from_text(**PLAINLY, **said)
        known = [each for each in (job_id, *aliases) if each in there]
        expected = ["now"] if if_exists == "update" or not known else [known[0]]
        left = {each: [each] for each in there if each not in known} | {job_id: expected}
        assert {job.id: list(job.tags) for job in bench.get_all_jobs()} == left


# -- what is told of it -----------------------------------------------------------------------------------------


async def test_events_tell_both_ids(manager: SchedulerManager):
    await manager.create_job(**HOURLY, job_id="old")
    events = manager.events()
    await manager.create_job(**AS_NEW)
    assert await next_of_jobs(events) == ("old", "renamed", "new")
    assert await next_of_jobs(events) == ("new", "renamed", "old")


async def test_why_it_did_not_run_is_still_known(manager: SchedulerManager):
    await manager.create_job(**HOURLY, job_id="old")
    ended = await manager.run_job("old", wait=True)
    await manager.deactivate_job("old")
    await manager.create_job(**AS_NEW)
    assert (await manager.explain("new", ended.scheduled_for)).verdict == "succeeded"
    to_come = (await the_job(manager, "new")).created_at + timedelta(hours=1)
    assert (await manager.explain("new", to_come)).verdict == "paused"


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ("old", "must be a list of ids"),
        (None, "must be a list of ids"),
        ({"old"}, "must be a list of ids"),
        ([""], "must not be empty"),
        (["old", 5], "must be text, not int"),
        (["a\nb"], "control characters"),
        (["x" * 300], "at most 255"),
        (["old", "new"], "and not the one it has"),
        ([str(number) for number in range(101)], "at most 100"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_aliases_that_cannot_be(manager: SchedulerManager, aliases, said: str):
    with pytest.raises(OptionError, match=said) as refused:
        await manager.create_job(**AS_NEW | {"aliases": aliases})
    assert refused.value.option == "aliases"
    assert await manager.get_all_jobs() == []


@pytest.mark.parametrize("lacks", ["job_id", "if_exists"])
async def test_aliases_need_an_id_and_what_shall_be_if_it_exists(manager: SchedulerManager, lacks: str):
    said = {option: value for option, value in AS_NEW.items() if option not in ("if_exists", lacks)}
    with pytest.raises(OptionError, match="needs a job_id, and if_exists") as refused:
        await manager.create_job(**said)
    assert refused.value.option == "aliases"


async def test_an_empty_list_says_nothing(manager: SchedulerManager):
    assert await manager.create_job(**HOURLY, aliases=[])


async def test_an_alias_of_one_job_is_not_the_id_of_another(database: Path):
    manager = declaring(database, callbacks.nothing, aliases=[OLD])
    manager.job("every 1 hour")(callbacks.nothing_async)
    with pytest.raises(OptionError, match="is the id of another job"):
        await manager.initialize()


async def test_two_jobs_cannot_have_been_the_same(manager: SchedulerManager):
    with pytest.raises(OptionError, match="is an alias of job 'new', too"):
        await manager.create_jobs([NewJob(**AS_NEW), NewJob(**AS_NEW | {"job_id": "newer"})])
    assert await manager.get_all_jobs() == []


async def test_a_job_that_is_there_is_given_no_aliases(manager: SchedulerManager):
    job_id = await manager.create_job(**HOURLY)
    with pytest.raises(UnknownOptionError, match="keeps its id"):
        await manager.update_job(job_id, aliases=["old"])


# -- two processes ----------------------------------------------------------------------------------------------

FIRING = """
    from aurora_scheduler import CronService
    from facades import alone

    with CronService() as cron:
        cron.schedule_relative(
            name="x", relative_time="every 1 second", callback=alone.nothing, job_id="old",
            misfire="run_all", overlap="queue_all")
        cron.run_job("old", wait=True)
        alone.say("it fires")
        alone.hear()
    """


def test_renamed_by_another_process_than_fires_it_it_misses_nothing_and_runs_nothing_twice(
    script: Callable[[str], Script], database: Path
):
    firing = script(FIRING)
    firing.says("it fires")
    with CronService(database) as cron:
        eventually(lambda: len(cron.get_executions("old", "succeeded")) >= 2)
        cron.schedule_from_text(
            name="x",
            schedule_text="every 1 second",
            callback=alone.nothing,
            misfire="run_all",
            overlap="queue_all",
            **IT_IS_NEW,
        )
        before = len(cron.get_executions("new"))
        eventually(lambda: len(cron.get_executions("new", "succeeded")) >= before + 2)
        assert cron.health().status == "standby"
        cron.pause_job("new")
        eventually(lambda: all(row.status.is_final for row in cron.get_executions()))
        rows = [row for row in cron.get_executions() if row.trigger == "schedule" and row.reason != "paused"]
    firing.hears()
    firing.ends(0)
    assert {(row.job_id, row.status, row.attempt) for row in rows} == {("new", "succeeded", 1)}
    instants = sorted(row.scheduled_for for row in rows)
    assert instants == [instants[0] + timedelta(seconds=number) for number in range(len(rows))]


def test_what_runs_in_a_process_that_is_killed_runs_again_in_the_next_under_the_new_id(
    script: Callable[[str], Script], database: Path, tmp_path: Path
):
    program = script(
        """
        from aurora_scheduler import CronService
        from facades import alone

        with CronService() as cron:
            cron.schedule_relative(
                name="x", relative_time="every 1 hour", job_id="old",
                callback=alone.stuck_once, callback_args={"file": alone.here("begun")})
            cron.run_job("old", wait=True)
        """
    )
    program.says("begun")
    with CronService(database) as cron:
        cron.schedule_from_text(
            name="x",
            schedule_text="every 1 hour",
            callback=alone.stuck_once,
            callback_args={"file": str(tmp_path / "begun")},
            **IT_IS_NEW,
        )
        (running,) = cron.get_executions("new")
        assert running.status == "running"
        program.is_killed()
        eventually(lambda: cron.get_executions("new", "succeeded"))
        assert [(row.attempt, row.status) for row in cron.get_executions("new")] == [(2, "succeeded"), (1, "lost")]
        assert cron.get_executions("old") == []
