"""Callbacks that cannot be imported: the job is kept, shown, and tried again."""

from __future__ import annotations

import sys

import pytest

from aurora_scheduler.model import ExecutionStatus, JobStatus
from support.lives import HOUR, MINUTE, START

pytestmark = pytest.mark.trio

CODE = """
runs = []
def run(scheduled_for):
    runs.append(scheduled_for)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that can be there, and not be there."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "comes_and_goes.py"

    class Module:
        def come(self, code=CODE):
            file.write_text(code)

        def go(self):
            file.unlink(missing_ok=True)
            sys.modules.pop("comes_and_goes", None)

        @property
        def runs(self):
            return sys.modules["comes_and_goes"].runs

    module = Module()
    module.come()
    yield module
    module.go()


async def test_a_job_whose_callback_is_gone_says_so_and_goes_on_when_it_is_back(world, module):
    job = world.create("unsteady", "every 1 hour", callback="comes_and_goes.run")
    module.go()
    await world.start(unresolved_every=60.0)
    await world.run(60)
    shown = world.job(job)
    assert (shown.status, shown.next_run_time) == (JobStatus.UNRESOLVED, None)
    assert "comes_and_goes" in shown.status_reason
    await world.run(5 * 3600)
    assert world.rows(job) == []

    module.come()
    await world.run(60)
    assert world.job(job).is_active
    assert world.job(job).status_reason is None
    missed, ran = world.rows(job)
    assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 4)
    assert (ran.status, ran.scheduled) == (ExecutionStatus.SUCCEEDED, START + 5 * HOUR)
    assert len(module.runs) == 1
    await world.run(3600)
    world.check_every_instant(job)


async def test_a_module_that_raises_is_tried_again_too(world, module):
    job = world.create("unsteady", "every 1 hour", callback="comes_and_goes.run")
    module.go()
    module.come("raise RuntimeError('half written')")
    await world.start(unresolved_every=60.0)
    await world.run(60)
    assert "half written" in world.job(job).status_reason
    module.come()
    await world.run(60)
    assert world.job(job).is_active


async def test_a_job_of_a_callback_that_is_gone_can_be_paused_deleted_and_given_another(world, module):
    paused, deleted, edited = (
        world.create(name, "every 1 hour", callback="comes_and_goes.run") for name in ("paused", "deleted", "edited")
    )
    module.go()
    await world.start(unresolved_every=60.0)
    await world.run(10)
    assert world.pause(paused)
    assert world.delete(deleted)
    world.edit(edited, callback="support.virtual.act")
    module.come()
    await world.run(3600)
    assert world.job(paused).status is JobStatus.PAUSED
    assert world.store.job(deleted) is None
    assert [call.begun for call in world.calls] == [START + HOUR]
    assert world.job(edited).is_active


async def test_a_run_by_hand_of_an_unresolved_job_fails_and_says_why(world, module):
    job = world.create("unsteady", "every 1 day", callback="comes_and_goes.run")
    module.go()
    await world.start()
    await world.run(10)
    execution = world.run_by_hand(job)
    await world.run(10)
    row = world.row(execution)
    assert (row.status, world.job(job).status) == (ExecutionStatus.FAILED, JobStatus.UNRESOLVED)
    assert "comes_and_goes" in row.error


async def test_other_jobs_do_not_mind(world, module):
    world.create("unsteady", "every 1 minute", callback="comes_and_goes.run")
    other = world.create("steady", "every 1 minute", lambda call: None)
    module.go()
    await world.start(unresolved_every=60.0)
    await world.run(600)
    assert len(world.calls_of(other)) == 10
    world.check_every_instant(other)


async def test_an_unresolved_job_that_is_declared_again_goes_on(world, module):
    """Its callback was found just now."""
    said = {"callback": "comes_and_goes.run", "job_id": "unsteady", "if_exists": "update"}
    job = world.create("unsteady", "every 1 hour", **said)
    module.go()
    await world.start(unresolved_every=3600.0)
    await world.run(10)
    assert world.job(job).status is JobStatus.UNRESOLVED
    module.come()
    world.create("unsteady", "every 1 hour", **said)
    assert world.job(job).is_active
    await world.run_to(START + HOUR + MINUTE)
    assert len(module.runs) == 1


async def test_an_unresolved_job_goes_on_at_once_after_a_restart_that_mended_it(world, module):
    job = world.create("unsteady", "every 1 hour", callback="comes_and_goes.run")
    module.go()
    await world.start()
    await world.run(10)
    await world.stop()
    await world.start(unresolved_every=60.0)
    await world.run(50)
    assert not world.job(job).is_active, "it is not mended yet"
    await world.stop()
    module.come()
    await world.start(unresolved_every=60.0)
    await world.run(0.1)
    assert world.job(job).is_active
    await world.run_to(START + HOUR + MINUTE)
    assert len(module.runs) == 1
