"""What people do to jobs while the engine runs."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from aurora_scheduler import commands
from aurora_scheduler.definition import amended
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus, Trigger
from support.lives import DAY, HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


def begun(world, job):
    """When the job's calls began, in minutes after the start."""
    return [(call.begun - START) // MINUTE for call in world.calls_of(job)]


class TestPausing:
    async def test_a_paused_job_does_not_fire_and_a_resumed_one_goes_on_after_now(self, world):
        job = world.create("pausing", "every 10 minutes", lambda call: None)
        await world.start()
        await world.run(25 * 60)
        assert world.pause(job)
        await world.run(30 * 60)
        assert (world.job(job).status, world.job(job).next_run_time) == (JobStatus.PAUSED, None)
        assert world.resume(job)
        await world.run(30 * 60)
        assert begun(world, job) == [10, 20, 60, 70, 80]

    async def test_pausing_twice_and_resuming_twice_change_nothing(self, world):
        job = world.create("pausing", "every 10 minutes", lambda call: None)
        await world.start()
        assert world.pause(job)
        assert world.pause(job)
        assert world.resume(job)
        assert world.resume(job)
        await world.run(600)
        assert begun(world, job) == [10]

    async def test_a_job_paused_and_resumed_at_one_moment_fires_as_before(self, world):
        job = world.create("flapping", "every 10 minutes", lambda call: None)
        await world.start()
        for _ in range(50):
            world.pause(job)
            world.resume(job)
            await world.run(61)
        assert begun(world, job) == [10, 20, 30, 40, 50]
        world.check_every_instant(job)

    async def test_a_one_off_that_passed_while_paused_is_missed(self, world):
        job = world.create("once", "in 10 minutes", lambda call: None)
        await world.start()
        world.pause(job)
        await world.run(3600)
        assert world.resume(job) is False
        await world.run(60)
        (row,) = world.rows(job)
        assert (row.status, row.reason) == (ExecutionStatus.MISSED, "paused")
        assert world.job(job).status is JobStatus.FINISHED

    @pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
    async def test_a_callback_that_runs_when_its_job_is_paused_finishes(self, world, sync):
        async def sleep(call):
            await trio.sleep(600)

        job = world.create("slow", "every 1 hour", (lambda call: call.sleep(600)) if sync else sleep, sync=sync)
        await world.start()
        await world.run(3600 + 60)
        world.pause(job)
        await world.run(3600)
        (row,) = world.rows(job)
        assert (row.status, row.finished) == (ExecutionStatus.SUCCEEDED, START + 70 * MINUTE)

    async def test_unless_it_is_to_be_cancelled_then_an_async_one_is(self, world):
        job = world.create("slow", "every 1 hour", sleeping(600))
        await world.start()
        await world.run(3660)
        world.pause(job, cancel_running=True)
        await world.run(1)
        (row,) = world.rows(job)
        assert (row.status, row.finished) == (ExecutionStatus.CANCELLED, START + 61 * MINUTE)
        assert row.reason == "cancelled by hand"
        assert world.job(job).retry_count == 0

    async def test_a_thread_cannot_be_cancelled_and_says_so_until_it_returns(self, world):
        job = world.create("slow", "every 1 hour", lambda call: call.sleep(600), sync=True)
        await world.start()
        await world.run(3660)
        world.pause(job, cancel_running=True)
        await world.run(60)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.CANCELLING]
        world.resume(job)
        await world.run(600)
        (row,) = world.rows(job)
        assert (row.status, row.finished) == (ExecutionStatus.CANCELLED, START + 70 * MINUTE)

    async def test_a_thread_that_cannot_be_cancelled_keeps_its_jobs_slot(self, world):
        job = world.create("slow", "every 10 minutes", lambda call: call.sleep(1500), sync=True)
        await world.start()
        await world.run(660)
        world.cancel(world.calls[0].execution_id)
        await world.run(600)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.CANCELLING, ExecutionStatus.SKIPPED]

    async def test_who_pauses_before_the_claim_is_written_finds_nothing_run(self, world):
        job = world.create("racing", "every 1 hour", lambda call: None)
        await world.start()
        await world.run(3599)

        def pause_first():
            world.writer.before_write = lambda: None
            world.pause(job)

        world.writer.before_write = pause_first
        await world.run(2 * 3600)
        assert world.calls == []
        assert world.job(job).status is JobStatus.PAUSED
        assert START + HOUR in [row.scheduled for row in world.rows(job)]

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("cancel", [False, True])
    async def test_who_pauses_just_after_the_claim_is_written_finds_it_running(self, world, cancel, seed):
        world.reorder(seed)
        job = world.create("racing", "every 1 hour", sleeping(60))
        await world.start()
        await world.run(3599)

        def pause_next():
            world.writer.after_write = lambda: None
            world.pause(job, cancel_running=cancel)

        world.writer.after_write = pause_next
        await world.run(3 * 3600)
        (row,) = world.rows(job)
        assert row.status is (ExecutionStatus.CANCELLED if cancel else ExecutionStatus.SUCCEEDED)
        assert len(world.calls) == 1 or cancel
        assert world.job(job).status is JobStatus.PAUSED
        assert world.engine.book.attempts == {}

    async def test_who_deletes_just_after_the_claim_is_written_lets_it_run(self, world):
        job = world.create("racing", "every 1 hour", sleeping(60))
        await world.start()
        await world.run(3599)

        def delete_next():
            world.writer.after_write = lambda: None
            world.delete(job)

        world.writer.after_write = delete_next
        await world.run(3 * 3600)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]
        assert world.engine.book.attempts == {}

    async def test_a_cancel_that_comes_before_the_callback_begins_still_cancels_it(self, world):
        job = world.create("racing", "every 1 hour", sleeping(1800))
        await world.start()
        launch = world.engine.book.launch

        def launch_and_cancel(entry, execution):
            # The engine hears of the cancel in the very tick in which the attempt is launched.
            launch(entry, execution)
            world.cancel(execution.id)
            world.engine.book.attempts[execution.id].cancel("cancelled by hand")

        world.engine.book.launch = launch_and_cancel
        await world.run(3600 + 60)
        (row,) = world.rows(job)
        assert row.status is ExecutionStatus.CANCELLED


class TestCancelling:
    async def test_a_cancelled_execution_is_recorded_and_the_job_goes_on(self, world):
        job = world.create("slow", "every 1 hour", sleeping(1800))
        await world.start()
        await world.run(3660)
        assert world.cancel(world.calls[0].execution_id)
        await world.run(7200)
        assert [row.status for row in world.rows(job)] == [
            ExecutionStatus.CANCELLED,
            ExecutionStatus.SUCCEEDED,
            ExecutionStatus.RUNNING,
        ]

    async def test_a_waiting_retry_can_be_cancelled(self, world):
        job = world.create("shaky", "every 1 day", lambda call: {"success": False}, retry_delay=600)
        await world.start()
        await world.run(86_400 + 60)
        assert world.cancel(world.rows(job)[-1].id)
        await world.run(3600)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED, ExecutionStatus.CANCELLED]
        assert len(world.calls) == 1

    async def test_what_is_over_cannot_be_cancelled(self, world):
        world.create("quick", "every 1 hour", lambda call: None)
        await world.start()
        await world.run(3600)
        assert world.cancel(world.calls[0].execution_id) is False
        assert world.cancel("no such execution") is False

    async def test_an_execution_of_a_deleted_job_can_be_cancelled(self, world):
        job = world.create("slow", "every 1 hour", sleeping(1800))
        await world.start()
        await world.run(3660)
        world.delete(job)
        await world.run(60)
        assert world.cancel(world.calls[0].execution_id)
        await world.run(60)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.CANCELLED]


class TestRunningByHand:
    @pytest.mark.parametrize("paused", [False, True])
    async def test_a_run_by_hand_runs_at_once_and_leaves_the_schedule_alone(self, world, paused):
        job = world.create("by hand", "every 1 hour", lambda call: None, max_runs=2)
        await world.start()
        if paused:
            world.pause(job)
        await world.run(1000)
        execution = world.run_by_hand(job)
        await world.run(1)
        row = world.row(execution)
        assert (row.trigger, row.status, row.started) == (
            Trigger.MANUAL,
            ExecutionStatus.SUCCEEDED,
            START + 1000 * SECOND,
        )
        assert (world.job(job).runs, world.job(job).next_fire) == (0, START + HOUR)
        await world.run(3600)
        assert len(world.calls_of(job)) == (1 if paused else 2)

    async def test_a_run_by_hand_of_a_finished_job_runs_too(self, world):
        job = world.create("once", "in 1 minute", lambda call: None)
        await world.start()
        await world.run(120)
        execution = world.run_by_hand(job)
        await world.run(1)
        assert world.row(execution).status is ExecutionStatus.SUCCEEDED
        assert world.job(job).status is JobStatus.FINISHED

    async def test_a_run_by_hand_while_the_job_runs_is_skipped(self, world):
        job = world.create("slow", "every 1 hour", sleeping(600))
        await world.start()
        await world.run(3660)
        execution = world.run_by_hand(job)
        await world.run(1)
        assert (world.row(execution).status, world.row(execution).reason) == (ExecutionStatus.SKIPPED, "overlap")

    async def test_runs_asked_for_at_one_moment_are_firings_of_their_own(self, world):
        job = world.create("by hand", "every 1 day", sleeping(10))
        await world.start()
        asked = [world.run_by_hand(job) for _ in range(3)]
        await world.run(20)
        assert sorted(world.row(each).scheduled - START for each in asked) == [0, 1, 2]
        assert sorted(world.row(each).status for each in asked) == [
            ExecutionStatus.SKIPPED, ExecutionStatus.SKIPPED, ExecutionStatus.SUCCEEDED,
        ]  # fmt: skip

    async def test_a_run_by_hand_that_was_asked_for_while_the_scheduler_was_down_runs_when_it_is_up(self, world):
        job = world.create("by hand", "every 1 day", lambda call: None)
        execution = world.run_by_hand(job)
        world.mock.jump(600)
        await world.start()
        await world.run(1)
        assert world.row(execution).started == START + 600 * SECOND

    async def test_a_run_by_hand_at_the_very_instant_of_a_firing_takes_nothing_from_it(self, world):
        job = world.create("by hand", "every 1 hour", lambda call: None)
        world.mock.jump(3600)
        world.run_by_hand(job)
        await world.start()
        await world.run(60)
        world.check_every_instant(job)

    async def test_a_failed_run_by_hand_of_a_paused_job_is_not_retried(self, world):
        job = world.create("by hand", "every 1 day", lambda call: {"success": False}, retry_delay=60)
        await world.start()
        world.pause(job)
        world.run_by_hand(job)
        await world.run(3600)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED]


class TestDeleting:
    async def test_a_deleted_job_fires_no_more_and_its_history_stays(self, world):
        job = world.create("deleted", "every 10 minutes", lambda call: None)
        await world.start()
        await world.run(1500)
        assert world.delete(job)
        assert not world.delete(job)
        await world.run(3600)
        assert begun(world, job) == [10, 20]
        assert len(world.rows(job)) == 2
        assert world.store.job(job) is None
        assert len(world.engine.book) == 0

    async def test_a_job_deleted_while_it_runs_finishes_its_attempt_and_has_no_retry(self, world):
        async def fail(call):
            await trio.sleep(600)
            raise RuntimeError("too late to matter")

        job = world.create("deleted", "every 1 hour", fail)
        await world.start()
        await world.run(3660)
        world.delete(job)
        await world.run(3600)
        (row,) = world.rows(job)
        assert (row.status, row.finished) == (ExecutionStatus.FAILED, START + 70 * MINUTE)

    async def test_a_retry_that_waits_is_cancelled_with_its_job(self, world):
        job = world.create("shaky", "every 1 day", lambda call: {"success": False}, retry_delay=600)
        await world.start()
        await world.run(86_400 + 60)
        world.delete(job)
        await world.run(3600)
        assert [(row.status, row.reason) for row in world.rows(job)][1] == (ExecutionStatus.CANCELLED, "deleted")
        assert len(world.calls) == 1

    async def test_a_job_created_again_under_its_id_is_another_job(self, world):
        first = world.create("first", "every 1 hour", sleeping(1800), job_id="the id")
        await world.start()
        await world.run(3600 + 60)
        world.delete(first)
        second = world.create("second", "every 10 minutes", lambda call: None, job_id="the id")
        await world.run(3600)
        assert (first, world.job(second).generation) == (second, 2)
        by_generation = {1: [], 2: []}
        for row in world.rows(second):
            by_generation[row.generation].append(row)
        assert [row.status for row in by_generation[1]] == [ExecutionStatus.SUCCEEDED]
        assert [(row.scheduled - START) // MINUTE for row in by_generation[2]] == [71, 81, 91, 101, 111, 121]
        assert world.job(second).last_run_result is not None
        assert world.job(second).runs == 6

    async def test_deleted_and_created_again_in_one_moment_it_fires_by_its_new_schedule(self, world):
        world.create("old", "every 10 minutes", lambda call: None, job_id="the id")
        await world.start()
        await world.run(60)
        world.delete("the id")
        world.create("new", "every 1 hour", lambda call: None, job_id="the id")
        await world.run(3600)
        assert begun(world, "the id") == [61]
        assert world.calls[0].job_name == "new"


class TestEditing:
    async def test_a_changed_schedule_starts_after_now(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start()
        await world.run(30 * 60)
        world.edit(job, schedule="every 20 minutes")
        await world.run(3600)
        assert begun(world, job) == [50, 70, 90]

    async def test_what_does_not_change_the_schedule_keeps_the_next_firing(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start()
        await world.run(30 * 60)
        before = world.job(job)
        after = world.edit(job, name="renamed", tags=["new"], retry_delay=1)
        assert (after.next_fire, after.anchor, after.version) == (before.next_fire, before.anchor, before.version + 1)
        await world.run(3600)
        assert begun(world, job) == [60]
        assert world.calls[0].job_name == "renamed"

    async def test_an_edit_that_changes_nothing_writes_nothing(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start()
        assert world.edit(job, schedule="every 1 hour", max_retries=3).version == 1

    @pytest.mark.parametrize("before", [1, 2])
    @pytest.mark.parametrize("after", [1, 2, 3])
    async def test_an_edit_that_is_written_late_leaves_no_instant_without_its_record(self, world, before, after):
        job = world.create("edited", f"every {before} minutes", lambda call: None, start_at="2026-03-02 00:01")
        said = amended(world.job(job), {"schedule": f"every {after} minutes"}, now=world.now)
        await world.run(4.5 * 60)  # meanwhile nobody can write
        world.write(lambda store: commands.replace_job(store, world.clock, store.job(job), said))
        await world.start()
        await world.run(10 * 60)
        recorded = Counter()
        for row in world.rows(job):
            every = before if row.reason == "edited" else after
            recorded.update(range((row.scheduled - START) // MINUTE, (row.last_scheduled - START) // MINUTE + 1, every))
        old, new = range(1, 5, before), [minute for minute in range(1, 15, after) if minute > 4]
        assert recorded == Counter([*old, *new])

    async def test_a_one_off_that_comes_due_before_its_edit_is_written_still_fires(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        said = amended(world.job(job), {"schedule": "in 1 minute"}, now=world.now)
        await world.run(2 * 60)
        world.write(lambda store: commands.replace_job(store, world.clock, store.job(job), said))
        await world.start()
        await world.run(60)
        assert [(row.scheduled, row.status) for row in world.rows(job)] == [(START + MINUTE, ExecutionStatus.SUCCEEDED)]

    async def test_an_edited_job_keeps_its_waiting_retry(self, world):
        job = world.create("shaky", "every 1 day", lambda call: {"success": call.attempt > 1}, retry_delay=600)
        await world.start()
        await world.run(86_400 + 60)
        world.edit(job, schedule="every 2 days")
        await world.run(3600)
        assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]
        assert world.job(job).next_fire == START + 3 * DAY + MINUTE

    async def test_an_edit_while_the_job_runs_does_not_disturb_the_attempt(self, world):
        job = world.create("edited", "every 1 hour", sleeping(600))
        await world.start()
        await world.run(3660)
        world.edit(job, schedule="every 20 minutes", max_retries=0)
        await world.run(3600)
        assert begun(world, job) == [60, 81, 101, 121]
        assert world.rows(job)[0].status is ExecutionStatus.SUCCEEDED

    async def test_an_edit_just_before_the_claim_makes_the_engine_decide_anew(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start()
        await world.run(3599)

        def edit_first():
            world.writer.before_write = lambda: None
            world.edit(job, name="renamed")

        world.writer.before_write = edit_first
        await world.run(60)
        assert [(call.job_name, call.begun) for call in world.calls] == [("renamed", START + HOUR)]

    async def test_a_finished_job_with_a_new_schedule_is_active_again(self, world):
        job = world.create("once", "in 1 minute", lambda call: None)
        await world.start()
        await world.run(600)
        world.edit(job, schedule="in 5 minutes")
        await world.run(600)
        assert begun(world, job) == [1, 15]
        assert world.job(job).status is JobStatus.FINISHED

    async def test_a_paused_job_that_is_edited_stays_paused(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start()
        world.pause(job)
        world.edit(job, schedule="every 1 minute")
        await world.run(3600)
        assert world.calls == []
        world.resume(job)
        await world.run(60)
        assert len(world.calls) == 1

    async def test_an_edit_made_elsewhere_is_seen_by_the_poll(self, world):
        job = world.create("edited", "every 1 hour", lambda call: None)
        await world.start(poll=0.5)
        await world.run(60)
        with world.elsewhere():
            world.edit(job, schedule="every 5 minutes")
        await world.run(660)
        assert begun(world, job) == [6, 11]


class TestFromInside:
    async def test_a_callback_creates_jobs(self, world):
        def breed(call):
            world.create(f"child of {call.run_of_job}", "in 1 minute", lambda call: None)

        job = world.create("parent", "every 1 hour", breed, max_runs=3)
        await world.start()
        await world.run(4 * 3600)
        assert [call.job_name for call in world.calls if call.job_id != job] == [
            "child of 1", "child of 2", "child of 3",
        ]  # fmt: skip

    async def test_a_callback_deletes_another_job_in_the_moment_it_is_due(self, world):
        victims = []
        world.create("killer", "in 1 minute", lambda call: [world.delete(victim) for victim in victims])
        victims += [world.create(f"victim {n}", "in 2 minutes", lambda call: None) for n in range(5)]
        await world.start()
        await world.run(600)
        assert [call.job_name for call in world.calls] == ["killer"]

    @pytest.mark.parametrize("how", ["delete", "pause", "cancel", "delete and create"])
    async def test_a_callback_does_it_to_itself(self, world, how):
        async def do(call):
            match how:
                case "delete":
                    world.delete(call.job_id)
                case "pause":
                    world.pause(call.job_id, cancel_running=True)
                case "cancel":
                    world.cancel(call.execution_id)
                case "delete and create":
                    world.delete(call.job_id)
                    world.create("itself", "in 10 minutes", lambda call: None, job_id=call.job_id)
            await trio.sleep(60)

        job = world.create("itself", "every 1 hour", do, max_runs=1)
        await world.start()
        await world.run(2 * 3600)
        first = world.row(world.calls[0].execution_id)
        expected = ExecutionStatus.CANCELLED if how in ("pause", "cancel") else ExecutionStatus.SUCCEEDED
        assert (first.status, len(world.calls)) == (expected, 2 if how == "delete and create" else 1)
        assert (world.store.job(job) is None) == (how == "delete")

    async def test_a_thread_calls_the_scheduler_from_where_it_is(self, world):
        def breed(call):
            trio.from_thread.run_sync(world.create, "child", "in 1 minute", lambda call: None)
            trio.from_thread.run_sync(world.delete, call.job_id)

        world.create("parent", "every 1 hour", breed, sync=True)
        await world.start()
        await world.run(2 * 3600)
        assert [call.job_name for call in world.calls] == ["parent", "child"]

    async def test_a_callback_asks_for_a_run_of_its_own_job_which_overlaps_and_is_skipped(self, world):
        async def ask(call):
            asked.append(world.run_by_hand(call.job_id))
            await trio.sleep(60)

        asked = []
        world.create("itself", "every 1 hour", ask, max_runs=1)
        await world.start()
        await world.run(3700)
        assert [world.row(each).status for each in asked] == [ExecutionStatus.SKIPPED]


async def test_a_job_that_is_declared_again_keeps_its_next_firing_unless_its_schedule_changed(world):
    await world.start()
    for schedule in ("every 10 minutes", "every 10 minutes", "every 20 minutes"):
        world.create("declared", schedule, lambda call: None, job_id="the id", if_exists="update")
        await world.run(11 * 60)
    await world.run(10 * 60)
    assert begun(world, "the id") == [10, 20, 42]
