"""How a scheduler is, asked in any state."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aurora_scheduler import CronService, SchedulerManager
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import DEADLINE, eventually, soon


def test_one_that_fires_is_ok_and_says_what_it_looks_after():
    with CronService(":memory:") as cron:
        cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing)
        eventually(lambda: cron.health().jobs == 1)
        health = cron.health()
        assert (health.status, health.reason, health.store, health.overdue) == ("ok", None, "ok", 0)
        assert health.is_ok
        assert health.loop_lag >= 0
        assert str(health) == "ok"


async def _has_started(manager: SchedulerManager) -> bool:
    health = await manager.health()
    assert str(health) in ("standby: it is starting", "ok")
    return health.status == "ok"


async def _lives(manager: SchedulerManager) -> list[str]:
    told = [str(await manager.health())]
    await manager.initialize()
    told.append(str(await manager.health()))
    manager.start()
    await soon(lambda: _has_started(manager))
    told.append(str(await manager.health()))
    await manager.stop()
    told.append(str(await manager.health()))
    return told


@pytest.mark.anyio
async def test_each_state_of_a_life_is_told():
    assert await _lives(SchedulerManager(":memory:")) == [
        "stopped: it was not initialised",
        "stopped: it takes calls, and was not started",
        "ok",
        "stopped: stop was called",
    ]


def test_a_second_one_on_the_same_file_stands_by(tmp_path: Path):
    with CronService(tmp_path / "jobs.db") as first:
        eventually(lambda: first.health().status == "ok")
        with CronService(tmp_path / "jobs.db") as second:
            told = "standby: another scheduler fires the jobs of this database"
            eventually(lambda: str(second.health()) == told)
            assert second.health().is_ok
            first.shutdown()
            eventually(lambda: second.health().status == "ok")


def test_a_loop_that_is_blocked_is_degraded(stage: Stage):
    with CronService(":memory:") as cron:
        job_id = cron.schedule_relative(
            name="blocks",
            relative_time="in 1 hour",
            callback=callbacks.block_the_loop,
            callback_args=stage.args,
        )
        cron.run_job(job_id)
        assert stage.begun.wait(DEADLINE)
        health = cron.health()
        stage.may_end.set()
        assert health.status == "degraded"
        assert "its loop has not answered for 2 s" in (health.reason or "")
        assert "block_the_loop of job 'blocks' blocks it" in (health.reason or "")
        assert not health.is_ok
        eventually(lambda: cron.health().status == "ok")


def test_a_database_that_is_locked_is_told_and_so_is_its_coming_back(tmp_path: Path):
    path = tmp_path / "jobs.db"
    with CronService(path) as cron:
        eventually(lambda: cron.health().status == "ok")
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            eventually(lambda: cron.health().status == "degraded")
            assert "locked" in cron.health().store
        finally:
            other.close()
        eventually(lambda: cron.health().status == "ok")
