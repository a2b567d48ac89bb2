"""A wall clock that is set, and history that grows old."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus
from support.lives import DAY, HOUR, MINUTE, START, check_attempts
from support.virtual import sleeping

pytestmark = pytest.mark.trio


class TestClock:
    @pytest.mark.parametrize("back", [1, 59, 600, 1800, 2 * 3600])
    async def test_set_back_nothing_fires_twice_and_jobs_wait(self, world, back):
        job = world.create("steady", "every 10 minutes", lambda call: None)
        await world.start(watch_clock=True)
        await world.run(2 * 3600 + 30)
        world.clock.set(-back)
        await world.run(4 * 3600)
        scheduled = [call.scheduled for call in world.calls_of(job)]
        assert len(scheduled) == len(set(scheduled))
        world.check_every_instant(job)

    async def test_recorded_instants_never_run_twice_though_the_next_firing_was_computed_anew(self, world):
        job = world.create("steady", "*/10 * * * *", lambda call: None)
        await world.start()
        await world.run(2 * 3600 + 30)
        world.clock.set(-3600)
        after = world.edit(job, schedule="0,10,20,30,40,50 * * * *")  # the same, in other words
        assert after.next_fire == START + 70 * MINUTE
        await world.run(3 * 3600)
        scheduled = [call.scheduled for call in world.calls_of(job)]
        assert scheduled == [START + n * 10 * MINUTE for n in range(1, 25)]
        assert len(world.rows(job)) == 24

    async def test_set_back_across_a_restart_nothing_fires_twice(self, world):
        job = world.create("steady", "every 10 minutes", lambda call: None)
        await world.start()
        await world.run(2 * 3600 + 30)
        await world.stop()
        world.clock.set(-3600)
        await world.start()
        await world.run(3 * 3600)
        world.check_every_instant(job)

    async def test_set_back_by_more_than_three_hours_the_next_firing_is_computed_anew(self, world):
        await world.start(watch_clock=True)
        world.clock.set(30 * 86_400)  # somebody set the wrong month
        job = world.create("daily", "0 9 * * *", lambda call: None)
        await world.run(60)
        world.clock.set(-30 * 86_400)  # and set it right again
        await world.run(60)
        assert world.job(job).next_fire == START + 9 * HOUR

    async def test_set_back_by_far_while_nobody_was_here_the_next_firing_is_computed_anew(self, world):
        world.clock.set(3650 * 86_400)
        daily = world.create("daily", "0 9 * * *", lambda call: None)
        hourly = world.create("hourly", "0 * * * *", lambda call: None)
        await world.start()
        await world.run(3 * 3600)
        await world.stop()
        world.clock.set(-3650 * 86_400)
        await world.start()
        assert world.job(daily).next_fire == START + 9 * HOUR
        assert world.job(hourly).next_fire == START + 4 * HOUR

    async def test_set_back_by_far_a_job_that_rested_meanwhile_goes_on_with_its_next_instant_too(self, world):
        world.clock.set(3650 * 86_400)
        job = world.create("daily", "0 9 * * *", lambda call: None)
        await world.start(watch_clock=True)
        await world.run(60)
        world.pause(job)
        world.clock.set(-3650 * 86_400)
        await world.run(60)
        world.resume(job)
        assert world.job(job).next_fire == START + 9 * HOUR

    async def test_set_back_by_far_a_retry_still_waits_its_delay_and_no_more(self, world):
        once = world.create("once", "in 1 hour", lambda call: {"success": call.attempt > 1}, retry_delay=1800)
        await world.start(watch_clock=True)
        await world.run(3660)
        world.clock.set(-3650 * 86_400)
        await world.run(1900)
        assert [row.status for row in world.rows(once)] == [ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]
        assert world.job(once).status is JobStatus.FINISHED

    async def test_set_forward_what_was_passed_is_noticed_within_a_second(self, world):
        job = world.create("steady", "every 1 hour", lambda call: None)
        await world.start(watch_clock=True)
        await world.run(600)
        world.clock.set(5 * 3600)
        await world.run(2)
        missed, ran = world.rows(job)
        assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 4)
        assert ran.scheduled == START + 5 * HOUR
        assert ran.started - START - 5 * HOUR - 10 * MINUTE <= SECOND
        await world.run(3600)
        world.check_every_instant(job)

    @pytest.mark.parametrize("tells", [False, True], ids=["looked at", "told"])
    async def test_a_small_step_is_no_matter_until_they_add_up(self, world, caplog, tells):
        caplog.set_level("INFO")
        job = world.create("steady", "every 1 minute", lambda call: None)
        world.clock.tells = tells
        await world.start(watch_clock=True)
        for _ in range(10):
            await world.run(59.9)
            world.clock.set(0.1)
        await world.run(60)
        world.check_every_instant(job)
        told = [record.getMessage() for record in caplog.records if "wall clock" in record.getMessage()]
        assert told == ["the wall clock moved by 0.6 s against the monotonic one"]

    async def test_a_retry_waits_by_the_wall_clock_too(self, world):
        job = world.create("shaky", "every 3 hours", lambda call: {"success": call.attempt > 1}, retry_delay=3600)
        await world.start(watch_clock=True)
        await world.run(3 * 3600 + 60)
        world.clock.set(-1800)
        await world.run(3600)
        assert len(world.calls_of(job)) == 1
        await world.run(1800)
        assert len(world.calls_of(job)) == 2


class TestRetention:
    async def test_of_each_job_the_newest_executions_are_kept(self, world):
        world.is_pruned = True
        busy = world.create("busy", "every 1 minute", lambda call: None)
        calm = world.create("calm", "every 10 minutes", lambda call: None)
        await world.start(prune_every=60.0, keep_executions=20)
        await world.run(10 * 3600 + 1)
        newest = [START + n * MINUTE for n in range(581, 601)]
        assert [row.scheduled for row in world.rows(busy)][-20:] == newest
        assert len(world.rows(busy)) <= 21
        assert len(world.rows(calm)) <= 21
        assert world.job(busy).runs == 600

    async def test_a_large_backlog_of_history_goes_in_small_bits(self, world):
        world.is_pruned = True
        job = world.create("busy", "every 1 second", lambda call: None)
        await world.start()
        await world.run(900)
        await world.stop()
        writes = []
        world.writer.after_write = lambda: writes.append(len(world.rows(job)))
        await world.start(prune_every=3600.0, keep_executions=10)
        assert len(world.rows(job)) == 10
        assert max(before - after for before, after in pairwise(writes)) <= 200

    async def test_old_days_go_and_open_rows_and_young_ones_stay(self, world):
        world.is_pruned = True
        job = world.create("daily", "every 1 day", lambda call: None)
        endless = world.create("endless", "in 1 hour", sleeping(math.inf))
        shaky = world.create(
            "shaky", "in 1 hour", lambda call: {"success": False}, retry_delay="50 days", max_retry_delay="50 days"
        )
        once = world.create("once", "in 1 hour", lambda call: None)
        await world.start(prune_every=3600.0, keep_days=10)
        await world.run(30.5 * 86_400)
        assert [(row.scheduled - START) // DAY for row in world.rows(job)] == list(range(21, 31))
        assert [row.status for row in world.rows(endless)] == [ExecutionStatus.RUNNING]
        assert [row.status for row in world.rows(shaky)] == [ExecutionStatus.WAITING]
        assert world.rows(once) == []
        assert world.store.job(once) is None
        assert world.job(job).runs == 30
        assert world.job(endless).status is JobStatus.ACTIVE
        changes = world.store._connection.execute("SELECT min(at) FROM aurora_job_changes").fetchone()[0]
        assert changes is None or changes >= START + 20 * DAY

    async def test_a_finished_job_is_kept_as_long_as_its_last_run_is_young(self, world):
        once = world.create("once", "in 30 days", lambda call: None)
        await world.start(prune_every=3600.0, keep_days=10)
        await world.run(35 * 86_400)
        assert world.job(once).status is JobStatus.FINISHED
        assert len(world.rows(once)) == 1

    async def test_pruned_instants_are_not_run_again(self, world):
        world.is_pruned = True
        job = world.create("busy", "every 1 minute", lambda call: None)
        await world.start(prune_every=60.0, keep_executions=5)
        await world.run(3600)
        await world.crash()
        await world.start(prune_every=60.0, keep_executions=5)
        await world.run(3600)
        assert [call.scheduled for call in world.calls_of(job)] == [START + n * MINUTE for n in range(1, 121)]

    async def test_without_retention_everything_is_kept(self, world):
        job = world.create("busy", "every 1 minute", lambda call: None)
        await world.start()
        await world.run(3 * 3600)
        assert len(world.rows(job)) == 180
        check_attempts(world.rows(job))
