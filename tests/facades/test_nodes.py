"""Two schedulers that share the jobs of a PostgreSQL database: whichever is called, who holds the job does it."""

from __future__ import annotations

import time

import psycopg
import pytest
import trio

from aurora_scheduler import (
    CallbackError,
    CronService,
    EventsLost,
    ExecutionEvent,
    JobEvent,
    OptionError,
    SchedulerManager,
    StoreUnavailableError,
)
from facades import callbacks

#: In seconds: until each has its share, on whatever machine.
PATIENCE = 30


def quick() -> str:
    return "done"


def for_most_of_a_second() -> None:
    time.sleep(0.7)


async def endless() -> None:
    await trio.sleep_forever()


@pytest.fixture
def both(url):
    with CronService(url) as one, CronService(url) as two:
        yield one, two


def eventually(question):
    until = time.monotonic() + PATIENCE
    while not (answer := question()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return answer


def make(cron, name, callback=quick, **options):
    return cron.schedule_relative(name=name, relative_time="every 1 hour", callback=callback, job_id=name, **options)


def test_each_comes_to_have_its_share(both):
    one, two = both
    for number in range(10):
        make(one, f"job {number}")
    eventually(lambda: sorted([one.health().jobs, two.health().jobs]) == [5, 5])
    assert one.health().status == two.health().status == "ok"


def test_jobs_that_are_hardly_ever_idle_are_shared_too(both):
    one, two = both
    for number in range(10):
        one.schedule_relative(name=f"job {number}", relative_time="every 1 second", callback=for_most_of_a_second)
    eventually(lambda: sorted([one.health().jobs, two.health().jobs]) == [5, 5])
    rows = one.get_executions(limit=10_000)
    assert {row.status for row in rows} <= {"succeeded", "running"}, (
        "none was left while it ran, or twice, or not at all"
    )


def test_a_run_that_is_asked_for_is_waited_for_wherever_it_runs(both):
    one, two = both
    for number in range(4):
        make(one, f"job {number}")
    eventually(lambda: two.health().jobs == 2)
    for cron in both:
        for number in range(4):
            execution = cron.run_job(f"job {number}", wait=True)
            assert (execution.status, execution.result) == ("succeeded", {"success": True, "message": "done"})
    owners = {row.owner for row in one.get_executions(limit=100)}
    assert len(owners) == 2, "each has run what it holds"


def test_a_job_at_rest_runs_when_that_is_asked_for(both):
    one, two = both
    make(one, "resting")
    two.pause_job("resting")
    assert two.run_job("resting", wait=True).status == "succeeded"


@pytest.mark.parametrize("which", [0, 1], ids=["where it runs, or not", "the other way round"])
def test_what_runs_is_cancelled_from_wherever(both, which):
    cron, other = both[which], both[1 - which]
    make(both[0], "endless", endless)
    execution = cron.run_job("endless")
    eventually(lambda: other.get_executions("endless", "running"))
    assert other.cancel_execution(execution.id)
    eventually(lambda: cron.get_executions("endless", "cancelled"))


def test_a_job_does_not_overlap_with_itself_wherever_runs_of_it_are_asked_for(both):
    one, two = both
    make(one, "endless", endless)
    first = one.run_job("endless")
    eventually(lambda: two.get_executions("endless", "running"))
    second = two.run_job("endless", wait=True)
    assert (second.status, second.reason) == ("skipped", "overlap")
    one.cancel_execution(first.id)


def test_a_paused_job_fires_nowhere(both):
    one, two = both
    one.schedule_relative(name="tick", relative_time="every 1 second", callback=quick, job_id="tick")
    eventually(lambda: one.get_executions("tick", "succeeded"))
    assert two.pause_job("tick")
    time.sleep(0.1)
    count = len(one.get_executions("tick"))
    time.sleep(2)
    assert len(one.get_executions("tick")) == count


def test_what_is_made_by_a_process_that_fires_nothing_is_fired(both, url):
    one, _ = both

    async def make_one():
        manager = SchedulerManager(url)
        await manager.initialize()
        await manager.create_job(name="later", schedule="in 1 second", callback=quick, job_id="later")
        await manager.stop()

    trio.run(make_one)
    eventually(lambda: one.get_job("later").status == "finished")
    assert [row.status for row in one.get_executions("later")] == ["succeeded"]


def test_max_runs_counts_the_runs_of_all(both):
    one, two = both
    one.schedule_relative(name="thrice", relative_time="every 1 second", callback=quick, job_id="thrice", max_runs=3)
    eventually(lambda: two.get_job("thrice").status == "finished")
    assert len(two.get_executions("thrice", "succeeded")) == 3


# Hearing what others do -------------------------------------------------------------------------------------------


def told(event):
    match event:
        case ExecutionEvent(execution):
            return execution.job_id, execution.status.value
        case JobEvent(job_id=job_id, kind=kind):
            return job_id, kind
        case EventsLost():
            raise AssertionError("nothing is lost here")


async def until_heard(events, job_id, last):
    """What is heard of a job, up to this."""
    heard = []
    with trio.fail_after(PATIENCE):
        while last not in heard:
            its, what = told(await anext(events))
            heard += [what] if its == job_id else []
    return heard


async def until_it_hears(events, far, name="probe"):
    """Every second it is looked whether somebody listens: try until that is so."""

    async def try_again():
        number = 0
        while True:
            await far.create_job(name=name, schedule="every 1 hour", callback=quick, job_id=f"{name} {number}")
            number += 1
            await trio.sleep(0.2)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as trying:
            trying.start_soon(try_again)
            while not told(await anext(events))[0].startswith(name):
                pass
            trying.cancel_scope.cancel()


@pytest.mark.trio
async def test_what_one_process_does_is_heard_in_another(url):
    async with SchedulerManager(url) as near, SchedulerManager(url) as far:
        events = near.events()
        await until_it_hears(events, far)
        await far.create_job(name="far", schedule="every 1 hour", callback=quick, job_id="far")
        await far.run_job("far", wait=True)
        await far.delete_job("far")
        heard = await until_heard(events, "far", "deleted")
        # Of two states that an execution has in a moment only the later one may be heard.
        assert [what for what in heard if what not in ("waiting", "running")] == [
            "created", "run_requested", "succeeded", "deleted",
        ]  # fmt: skip
        await near.create_job(name="near", schedule="every 1 hour", callback=quick, job_id="near")
        await near.delete_job("near")
        assert await until_heard(events, "near", "deleted") == ["created", "deleted"], "once, though told by both"


@pytest.mark.trio
async def test_a_process_that_fires_nothing_hears_and_is_heard(url):
    near = SchedulerManager(url)
    await near.initialize()
    events = near.events()
    async with SchedulerManager(url) as far:
        await until_it_hears(events, far)
        await far.create_job(name="far", schedule="every 1 hour", callback=quick, job_id="far")
        await near.run_job("far")
        assert (await until_heard(events, "far", "succeeded"))[-1] == "succeeded"
        own = far.events()
        await until_it_hears(own, near, "another")
        await near.deactivate_job("far")
        assert await until_heard(own, "far", "paused") == ["paused"]
    await near.stop()


@pytest.mark.trio
async def test_who_hears_goes_on_when_the_connection_was_lost(url):
    async with SchedulerManager(url) as near, SchedulerManager(url) as far:
        events = near.events()
        await until_it_hears(events, far)
        with psycopg.connect(url, autocommit=True) as sql:
            sql.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN aurora_news%'"
            )
        await until_it_hears(events, far, "another")
        await far.create_job(name="far", schedule="every 1 hour", callback=quick, job_id="far")
        assert await until_heard(events, "far", "created") == ["created"]


# A server that does not let us in ----------------------------------------------------------------------------------


def test_a_server_that_lets_nobody_in_for_a_while_is_waited_for(url):
    own = psycopg.conninfo.conninfo_to_dict(url)
    name = own.pop("dbname")
    with CronService(url) as cron, psycopg.connect(**own, dbname="postgres", autocommit=True) as sql:
        make(cron, "job")
        eventually(lambda: cron.health().status == "ok")
        sql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        sql.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
        sql.execute(f"ALTER DATABASE {name} RENAME TO {name}_away".encode())  # there is none of this name now
        eventually(lambda: cron.health().status == "degraded")
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            cron.get_all_jobs()
        sql.execute(f"ALTER DATABASE {name}_away RENAME TO {name}".encode())
        sql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        eventually(lambda: cron.health().status == "ok")
        assert [job.id for job in cron.get_all_jobs()] == ["job"]


# What only some can fire ------------------------------------------------------------------------------------------


def test_a_callback_that_one_process_cannot_call_is_called_by_the_other(url):
    with CronService(url, allow_callbacks=["facades.callbacks.*"]) as narrow:
        make(narrow, "its own", callbacks.nothing)
        with CronService(url) as wide:
            for number in range(6):
                wide.schedule_relative(
                    name="tick", relative_time="every 1 second", callback=quick, job_id=f"tick-{number}"
                )
            eventually(lambda: all(len(wide.get_executions(f"tick-{number}", "succeeded")) > 2 for number in range(6)))
            assert {job.status for job in wide.get_all_jobs()} == {"active"}
            assert narrow.health().jobs == 1
        eventually(lambda: narrow.get_all_jobs("unresolved"))
        jobs = narrow.get_all_jobs("unresolved")
        assert "facades.test_nodes" in jobs[0].status_reason
        with CronService(url):
            eventually(lambda: not narrow.get_all_jobs("unresolved"))


def test_a_paused_job_that_is_run_by_hand_runs_where_its_callback_can_be_called(url):
    with CronService(url) as cron:
        for number in range(6):
            make(cron, f"job {number}")
            cron.pause_job(f"job {number}")
    with CronService(url, allow_callbacks=["facades.callbacks.*"]) as narrow, CronService(url) as wide:
        for number in range(6):
            narrow.run_job(f"job {number}")
        eventually(lambda: all(not_open(wide, f"job {number}") for number in range(6)))
        assert {wide.get_executions(f"job {number}")[0].status for number in range(6)} == {"succeeded"}
    with CronService(url, allow_callbacks=["facades.callbacks.*"]) as narrow:
        narrow.run_job("job 0")
        eventually(lambda: not_open(narrow, "job 0"))
        run = narrow.get_executions("job 0")[0]
        assert run.status == "failed"
        assert "not allowed" in run.error


def not_open(cron, job_id):
    return all(run.status not in ("waiting", "running") for run in cron.get_executions(job_id))


def test_a_job_with_a_tag_is_fired_by_a_process_with_that_tag(url):
    with CronService(url) as plain:
        plain.schedule_relative(
            name="tick", relative_time="every 1 second", callback=quick, job_id="tick", node_tag="gpu"
        )
        assert plain.get_job("tick").node_tag == "gpu"
        time.sleep(1.5)
        assert plain.get_executions("tick") == []
        with CronService(url, node_tags=["gpu"]):
            eventually(lambda: plain.get_executions("tick", "succeeded"))
        assert plain.run_job("tick").status == "waiting"
    assert plain.health().status == "stopped"


def test_where_one_process_fires_all_jobs_one_with_another_tag_says_that_it_cannot_run(tmp_path):
    with CronService(tmp_path / "jobs.db", node_tags=["big"]) as cron:
        cron.schedule_relative(
            name="tick", relative_time="every 1 second", callback=quick, job_id="gpu", node_tag="gpu"
        )
        cron.schedule_relative(
            name="tick", relative_time="every 1 second", callback=quick, job_id="big", node_tag="big"
        )
        eventually(lambda: cron.get_executions("big", "succeeded"))
        eventually(lambda: cron.get_job("gpu").status == "unresolved")
        reason = cron.get_job("gpu").status_reason
        assert "its job is for processes with the node_tag 'gpu'; the node_tags of this one: 'big'" in reason
    with CronService(tmp_path / "jobs.db", node_tags=["gpu"]) as cron:
        eventually(lambda: cron.get_executions("gpu", "succeeded"))


@pytest.mark.parametrize("tag", ["", "two words", "ü", 5, "-x", 'a"b', "x" * 101, ["gpu"]])
def test_a_tag_that_is_no_word_is_refused_by_its_name(tag):
    with CronService(":memory:") as cron, pytest.raises(OptionError, match=r"node_tag.*must be a word"):
        make(cron, "job", node_tag=tag)
    with pytest.raises(OptionError, match=r"node_tags.*must be"):
        CronService(":memory:", node_tags=[tag])


def test_tags_are_a_list():
    with pytest.raises(OptionError, match="must be a list of texts"):
        CronService(":memory:", node_tags="gpu")


def test_the_callback_of_a_job_for_other_processes_is_not_looked_for_here():
    with CronService(":memory:", node_tags=["small"]) as cron:
        make(cron, "far", "models.train", callback_args={"epochs": 3}, node_tag="gpu", on_failure="models.tell")
        assert cron.get_job("far").callback_function == "train"
        for tag in (None, "small"):
            with pytest.raises(CallbackError, match="models"):
                make(cron, "near", "models.train", node_tag=tag)
    with CronService(":memory:", allow_callbacks=["shop.*"]) as cron, pytest.raises(CallbackError, match="not allowed"):
        make(cron, "far", "models.train", node_tag="gpu")
