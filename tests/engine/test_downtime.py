"""A scheduler that was away for long, or is never up for long."""

from __future__ import annotations

import pytest

from aurora_scheduler.model import ExecutionStatus
from support.lives import DAY, HOUR, MINUTE, START

pytestmark = pytest.mark.trio

WEEK = 7 * DAY


@pytest.mark.parametrize(
    ("misfire", "missed", "ran"), [("run_once", 20_159, 1), ("skip", 20_160, 0), ("run_all", 20_060, 100)]
)
async def test_two_weeks_of_a_minutely_job_are_counted_exactly(world, misfire, missed, ran):
    job = world.create("minutely", "every 1 minute", lambda call: None, misfire=misfire, misfire_grace=10)
    await world.run(14 * 86_400 + 30)
    await world.start()
    rows = world.rows(job)
    assert sum(row.count for row in rows if row.status is ExecutionStatus.MISSED) == missed
    assert sum(row.status is ExecutionStatus.SUCCEEDED for row in rows) == ran
    world.check_every_instant(job)
    assert world.job(job).next_fire == START + 14 * DAY + MINUTE


async def test_two_weeks_of_a_calendar_job_are_counted_exactly(world):
    job = world.create("minutely", "* * * * *", lambda call: None, timezone="Europe/Berlin")
    await world.run(14 * 86_400 + 30)
    await world.start()
    assert [row.count for row in world.rows(job, ExecutionStatus.MISSED)] == [20_159]


async def test_a_weekly_job_in_a_process_that_is_restarted_every_hour_fires_every_week(world_on_disk):
    world = world_on_disk
    interval = world.create("interval", "every 1 week", lambda call: None)
    cron = world.create("cron", "30 4 * * 1", lambda call: None)
    for _ in range(5 * 7 * 24 + 1):
        await world.start()
        await world.run(3590)
        await world.crash()
        await world.run(10)
    assert [call.scheduled for call in world.calls_of(interval)] == [START + n * WEEK for n in range(1, 6)]
    assert [call.scheduled for call in world.calls_of(cron)] == [
        START + n * WEEK + 4 * HOUR + 30 * MINUTE for n in range(5)
    ]
    assert {row.status for row in world.rows()} == {ExecutionStatus.SUCCEEDED}
    world.check_every_instant(interval)
