"""Two schedulers that share the jobs of a PostgreSQL database: whichever is called, who holds the job does it."""

from __future__ import annotations

import time

import pytest
import trio

from aurora_scheduler import CronService, SchedulerManager

#: In seconds: until each has its share, on whatever machine.
PATIENCE = 30


def quick() -> str:
    return "done"


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
