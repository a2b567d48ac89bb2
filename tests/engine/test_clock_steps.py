"""A wall clock that is set again and again, by a second or by ten years, while jobs of every kind wait for it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, Trigger
from aurora_scheduler.rules import CORRECTION
from aurora_scheduler.rules.timing import schedule_of

pytestmark = pytest.mark.trio

SEQUENCES = 200
DAY = 86_400.0
STEPS = [1, 2, 30, 600, 3_000, 10_000, 11_000, DAY, 40 * DAY, 365 * DAY, 3650 * DAY]
JOBS = {
    "interval": ("every 50 minutes", {}),
    "cron": ("7 */3 * * *", {}),
    "daily": ("30 4 * * *", {}),
    "once": ("in 45 minutes", {}),
    "shaky": ("every 6 hours", {"retry_delay": "20 minutes"}),
    "shaky once": ("in 100 minutes", {"retry_delay": "1 hour"}),
    "skips": ("every 30 minutes", {"misfire": "skip"}),
    "makes up": ("every 40 minutes", {"misfire": "run_all"}),
}


def plays(call):
    return {"success": not (call.job_name.startswith("shaky") and call.attempt == 1)}


@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_however_the_clock_is_set_no_instant_is_lost_or_invented_or_runs_twice(world, seed, caplog):
    """I1, I2 (`World.check`) and I3; and each step is noticed within a second."""
    caplog.set_level("INFO", "aurora_scheduler.keeper")
    chance = random.Random(seed)
    world.reorder(seed)
    world.clock.tells = seed % 4 > 0  # else it is looked at every second, which takes the test its time
    longest = 10_000 if world.clock.tells else 300
    ids = [world.create(name, schedule, plays, **options) for name, (schedule, options) in JOBS.items()]
    await world.start(watch_clock=True)
    latest, went_far_back = world.now, False
    for _ in range(chance.randint(3, 8)):
        await world.run(chance.uniform(0, longest))
        latest = max(latest, world.now)
        step = chance.choice((-1, 1)) * chance.choice(STEPS) * chance.uniform(1, 1.05)
        went_far_back |= step < -CORRECTION / SECOND
        caplog.clear()
        world.clock.set(step)
        await world.run(1)
        assert f"the wall clock moved by {step:.1f} s against the monotonic one" in caplog.messages
        assert world.engine.book.overdue(SECOND) == 0
        if step < -CORRECTION / SECOND:
            assert all(is_awake(world.job(job_id), world.now) for job_id in ids)
        latest = max(latest, world.now)
    await world.run(longest)
    latest = max(latest, world.now)
    for job_id in ids:
        check_records(world.job(job_id), world.rows(job_id), latest, went_far_back)


def is_awake(job, now):
    """Whether the job goes on soon: with the first instant that no record of the last three hours stands for."""
    return job.next_fire is None or job.next_fire <= schedule_of(job).next_instant(now + CORRECTION)


def check_records(job, rows, latest, went_far_back):
    """Every instant up to the latest that the clock has shown is in a record, and in one only.

    Where the clock was set back by more than three hours, what was missed by the wrong time may come in truth: then
    the record of what was missed stands, and beside it one of what has run, or was missed, by the right time.
    """
    schedule = schedule_of(job)
    firings = [row for row in rows if row.attempt == 1 and row.trigger is Trigger.SCHEDULE]
    covered = job.created
    for row in sorted(firings, key=lambda row: row.scheduled):
        first, last = row.scheduled, row.last_scheduled
        for instant in (first, last):
            assert schedule.next_instant(instant - 1) == instant, f"I3: nobody asked for {row}"
        assert row.count == schedule.count(first - 1, last), f"I3: it counts wrong: {row}"
        assert first <= schedule.next_instant(covered), f"I1: there is no record of what was before {row}"
        assert first > covered or went_far_back, f"I1: in two records: {row}"
        covered = max(covered, last)
    following = schedule.next_instant(covered)
    assert following is None or following > latest, f"I1: there is no record of {following}"
    ran = sorted((row for row in firings if row.status is not ExecutionStatus.MISSED), key=lambda row: row.scheduled)
    for one, other in pairwise(ran):
        assert one.last_scheduled < other.scheduled, f"it ran twice: {one}, {other}"
