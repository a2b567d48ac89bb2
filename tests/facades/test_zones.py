"""Zones that change or vanish between two processes, as the manager's callers see it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from facades.scripts import Script
from support.zones import zone_file

Run = Callable[[str], Script]

DAY = 86_400_000_000


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the scripts look for zones first."""
    directory = tmp_path / "zoneinfo"
    directory.mkdir()
    monkeypatch.setenv("PYTHONTZPATH", str(directory))
    return directory


def let_be(directory: Path, name: str, like: str) -> Path:
    file = directory / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(zone_file(like))
    return file


def test_next_firings_keep_to_the_clock_of_their_zone_when_its_data_change(script: Run, directory: Path):
    program = """
        import asyncio
        from datetime import timedelta
        from aurora_scheduler import SchedulerManager
        from facades.alone import nothing, say

        async def main():
            async with SchedulerManager() as manager:
                for name, schedule in ("cron", "0 9 * * *"), ("once", "2040-06-01 09:00"), ("rests", "0 9 * * *"):
                    await manager.create_job(
                        name=name, schedule=schedule, callback=nothing, timezone="Europe/Berlin", job_id=name,
                        if_exists="keep")
                await manager.deactivate_job("rests")
                await manager.run_job("cron", wait=True)  # so that it has begun
                await manager.activate_job("rests")
                for job in await manager.get_all_jobs():
                    say(f"{job.name} {job.next_run_time.hour} {job.next_run_time.utcoffset() < timedelta(0)}")

        asyncio.run(main())
        """
    assert script(program).ends().splitlines() == ["cron 9 False", "once 9 False", "rests 9 False"]
    let_be(directory, "Europe/Berlin", "America/New_York")
    assert script(program).ends().splitlines() == ["cron 9 True", "once 9 True", "rests 9 True"]


def test_jobs_of_a_zone_that_vanished_can_be_looked_at_mended_and_dropped_and_all_others_fire(
    script: Run, directory: Path, database: Path
):
    city = let_be(directory, "Aurora/City", "Asia/Tokyo")
    script(
        """
        import asyncio
        from aurora_scheduler import SchedulerManager
        from facades.alone import nothing

        async def main():
            manager = SchedulerManager()
            await manager.initialize()
            for name in "mended", "rests", "deleted", "overdue":
                await manager.create_job(
                    name=name, schedule="every day at 9am in Aurora/City", callback=nothing, job_id=name)
            await manager.create_job(
                name="ticks", schedule="every 1 hour", callback=nothing, timezone="Aurora/City", job_id="ticks")
            await manager.create_job(name="steady", schedule="every 1 second", callback=nothing, job_id="steady")
            await manager.stop()

        asyncio.run(main())
        """
    ).ends()
    city.unlink()
    sql = sqlite3.connect(database)  # two days have passed
    sql.execute("UPDATE aurora_jobs SET next_fire = next_fire - ? WHERE id != 'steady'", (2 * DAY,))
    sql.commit()
    sql.close()
    script(
        """
        import asyncio, logging
        from aurora_scheduler import ScheduleError, SchedulerManager
        from facades.alone import nothing
        from facades.waiting import soon

        logging.getLogger("aurora_scheduler").addHandler(logging.NullHandler())

        async def main():
            async with SchedulerManager(timezone="UTC") as manager:
                async def are_known():
                    return len(await manager.get_all_jobs("unresolved")) == 5

                async def steady_fires_on():
                    return len(await manager.get_executions("steady", "succeeded")) > count

                await soon(are_known)
                for job in await manager.get_all_jobs("unresolved"):
                    assert job.next_run_time is None and "Aurora/City" in job.status_reason, job
                    assert job.created_at.utcoffset().total_seconds() == 0 and job.last_run_time is None
                ran = await manager.run_job("ticks", wait=True)
                assert (ran.status, ran.scheduled_for.tzname()) == ("succeeded", "UTC"), ran

                mended = await manager.update_job("mended", timezone="Europe/Berlin")
                assert mended.is_active and mended.schedule_value == "every day at 09:00", mended
                assert (mended.next_run_time.hour, mended.next_run_time.tzinfo.key) == (9, "Europe/Berlin")

                assert await manager.deactivate_job("rests")
                rests = await manager.get_job("rests")
                assert (rests.status, rests.status_reason) == ("paused", None), rests
                try:
                    await manager.activate_job("rests")
                    raise AssertionError("nobody can tell when")
                except ScheduleError as error:
                    assert "Aurora/City" in str(error)
                assert (await manager.get_job("rests")).status == "paused"
                assert not await manager.activate_job("overdue")

                assert await manager.delete_job("deleted")
                assert await manager.get_job("deleted") is None
                for name, reason in ("mended", "edited"), ("rests", "paused"), ("deleted", "deleted"):
                    (row,) = await manager.get_executions(name)
                    assert (row.status, row.reason, row.count) == ("missed", reason, 1), row
                    assert row.scheduled_for.hour == 0, "nine in Tokyo"
                try:
                    await manager.create_job(name="x", schedule="0 9 * * *", callback=nothing, timezone="Aurora/City")
                    raise AssertionError("it is unknown")
                except ScheduleError:
                    pass
                count = len(await manager.get_executions("steady", "succeeded"))
                await soon(steady_fires_on)
                statuses = {job.id: job.status.value for job in await manager.get_all_jobs()}
                assert statuses == {
                    "mended": "active", "rests": "paused", "overdue": "unresolved", "ticks": "unresolved",
                    "steady": "active"}, statuses

        asyncio.run(main())
        """
    ).ends()
    let_be(directory, "Aurora/City", "Asia/Tokyo")
    script(
        """
        from aurora_scheduler import CronService

        with CronService() as cron:
            assert cron.resume_job("rests")
            job = cron.get_job("rests")
            assert (job.status, job.next_run_time.hour) == ("active", 9), job
            assert job.created_at.utcoffset().total_seconds() == 9 * 3600
        """
    ).ends()
