"""A scheduler in virtual time, used as users do: from any event loop, and from none."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import anyio
import pytest
import sniffio
import trio

from aurora_scheduler import (
    ExecutionStatus,
    JobEvent,
    JobStatus,
    OptionError,
    ScheduleError,
    SchedulerManager,
    SchedulerStopped,
)
from aurora_scheduler.testing import Simulation, simulated
from simulation import callbacks

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """No calls of the test before; and what its callbacks hold up is let go."""
    callbacks.calls.clear()
    yield
    while callbacks.deaf:
        token, over = callbacks.deaf.pop()
        token.run_sync_soon(over.set)
    for thread in threading.enumerate():
        if thread.name == "aurora-scheduler":
            thread.join(10)
            assert not thread.is_alive()


def statuses(rows):
    return [row.status for row in rows]


class TestTime:
    async def test_a_year_of_a_daily_job_with_both_nights_on_which_clocks_change(self, anyio_backend):
        assert sniffio.current_async_library() == anyio_backend
        async with simulated(start="2030-03-30", timezone="Europe/Berlin") as sim:
            job = await sim.create_job(name="daily", schedule="30 2 * * *", callback=callbacks.note)
            await sim.run_for("1 year")
            assert sim.now.isoformat() == "2031-03-30T00:00:00+01:00"
            rows = await sim.history(job)
        assert statuses(rows) == [ExecutionStatus.SUCCEEDED] * 365
        walls = [row.scheduled_for.strftime("%m-%d %H:%M %Z") for row in rows]
        assert walls[:3] == ["03-30 02:30 CET", "03-31 03:00 CEST", "04-01 02:30 CEST"]
        assert "10-27 02:30 CEST" in walls
        assert "10-27 02:30 CET" not in walls
        assert [when for _, when in callbacks.calls] == [row.scheduled_for for row in rows]
        assert all(row.lateness == timedelta(0) for row in rows)

    async def test_the_clock_stands_still_until_time_is_let_pass(self):
        async with simulated() as sim:
            await sim.create_job(name="often", schedule="every 1 second", callback=callbacks.note)
            assert sim.now == sim.now == datetime(2030, 1, 1, tzinfo=UTC)
            assert await sim.history() == []
            await sim.run_for(2.5)
            assert len(await sim.history()) == 2
            assert sim.now == datetime(2030, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("said", "until"),
        [
            ("1 month", "2031-02-28T00:00:00+00:00"),
            ("2 months", "2031-03-31T00:00:00+00:00"),
            ("a year", "2032-01-31T00:00:00+00:00"),
            ("90 minutes", "2031-01-31T01:30:00+00:00"),
            (timedelta(days=1), "2031-02-01T00:00:00+00:00"),
            (0, "2031-01-31T00:00:00+00:00"),
        ],
    )
    async def test_time_is_said_in_seconds_in_words_or_by_the_calendar(self, said, until):
        async with simulated(start="2031-01-31") as sim:
            await sim.run_for(said)
            assert sim.now.isoformat() == until

    async def test_time_passes_until_the_clock_shows_a_moment(self):
        async with simulated(timezone="Asia/Tokyo") as sim:
            await sim.run_until("2030-01-02 08:00")
            assert sim.now.isoformat() == "2030-01-02T08:00:00+09:00"
            with pytest.raises(OptionError, match=r"when=.*2030-01-02 07:59.*must be a time that is not past"):
                await sim.run_until("2030-01-02 07:59")

    @pytest.mark.parametrize("wrong", ["soon", -1, None, True, "1.5 years", float("nan"), "90000 years"])
    async def test_what_is_no_duration_is_refused_by_name(self, wrong):
        async with simulated() as sim:
            with pytest.raises(OptionError, match="time"):
                await sim.run_for(wrong)
            await sim.run_for(1)

    @pytest.mark.parametrize(
        "wrong", [{"start": "soon"}, {"start": None}, {"seed": -1}, {"seed": "x"}, {"poll": 1}, {"database": None}]
    )
    async def test_what_is_no_argument_is_refused_by_name(self, wrong):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            simulated(**wrong)
        with pytest.raises(ScheduleError, match="Mars"):
            simulated(timezone="Mars")

    async def test_async_callbacks_take_the_virtual_time_that_they_sleep(self):
        async with simulated() as sim:
            job = await sim.create_job(
                name="long", schedule="in 1 hour", callback=callbacks.sleep, callback_args={"seconds": 5400}
            )
            await sim.run_for("2 hours")
            assert statuses(await sim.history()) == [ExecutionStatus.RUNNING]
            await sim.run_for("1 hour")
            (row,) = await sim.history(job)
            assert row.finished_at - row.started_at == timedelta(hours=1, minutes=30)
            assert (await sim.get_job(job)).status is JobStatus.FINISHED

    async def test_who_waits_for_a_run_by_hand_lets_time_pass(self):
        async with simulated() as sim:
            job = await sim.create_job(
                name="long", schedule="in 9 hours", callback=callbacks.sleep, callback_args={"seconds": 60}
            )
            ended = await sim.run_job(job, wait=True)
            assert ended.status is ExecutionStatus.SUCCEEDED
            assert sim.now == datetime(2030, 1, 1, 0, 1, tzinfo=UTC)

    async def test_stopping_gives_callbacks_their_virtual_drain(self):
        sim = simulated(database=":memory:")
        async with sim:
            short = await sim.create_job(
                name="short", schedule="in 1 second", callback=callbacks.sleep, callback_args={"seconds": 20}
            )
            endless = await sim.create_job(
                name="endless", schedule="in 1 second", callback=callbacks.sleep, callback_args={"seconds": 10**6}
            )
            await sim.run_for(1)
        assert sim.now == datetime(2030, 1, 1, 0, 0, 31, tzinfo=UTC)
        await sim.restart()
        assert statuses(await sim.history(short)) == [ExecutionStatus.SUCCEEDED]
        assert statuses(await sim.history(endless)) == [ExecutionStatus.CANCELLED, ExecutionStatus.RUNNING]
        await sim.stop(drain=0)

    async def test_a_callback_that_will_not_end_is_let_go_of_as_in_reality(self):
        sim = simulated()
        async with sim:
            await sim.create_job(name="deaf", schedule="in 1 hour", callback=callbacks.never_end)
            await sim.run_for("2 hours")
        assert sim.now == datetime(2030, 1, 1, 2, 0, 40, tzinfo=UTC)
        with pytest.raises(SchedulerStopped, match="would not end"):
            await sim.restart()

    async def test_a_callback_whose_end_cannot_be_written_is_over_when_stop_returns(self):
        sim = simulated()
        async with sim:
            job = await sim.create_job(
                name="long", schedule="in 1 hour", callback=callbacks.sleep, callback_args={"seconds": 60}
            )
            await sim.run_for("1 hour")
            sim.fail_writes(10**6)
            await sim.run_for("2 minutes")
        await sim.restart()
        assert statuses(await sim.history(job)) == [ExecutionStatus.LOST, ExecutionStatus.RUNNING]
        await sim.stop()

    async def test_retries_and_timeouts_are_virtual_too(self):
        async with simulated() as sim:
            shaky = await sim.create_job(
                name="shaky", schedule="in 1 hour", callback=callbacks.fail_until, callback_args={"good": 3},
                retry_delay="6 hours", retry_backoff=2.0,
            )  # fmt: skip
            slow = await sim.create_job(
                name="slow", schedule="in 1 hour", callback=callbacks.sleep, callback_args={"seconds": 10**6},
                timeout="10 minutes", max_retries=0,
            )  # fmt: skip
            await sim.run_for("4 days")
            rows = await sim.history(shaky)
            assert statuses(rows) == [ExecutionStatus.FAILED, ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]
            started = [row.started_at for row in rows]
            assert [after - before for before, after in pairwise(started)] == [timedelta(hours=6), timedelta(hours=12)]
            (row,) = await sim.history(slow)
            assert (row.status, row.finished_at - row.started_at) == (ExecutionStatus.TIMED_OUT, timedelta(minutes=10))

    async def test_while_a_callback_runs_on_the_applications_loop_the_clock_stands_still(self, anyio_backend):
        if anyio_backend == "trio":
            pytest.skip("asyncio's own callback")
        async with simulated() as sim:
            job = await sim.create_job(
                name="at home", schedule="every 1 hour", callback=callbacks.sleep_at_home,
                callback_args={"seconds": 0.01}, runner="app",
            )  # fmt: skip
            await sim.run_for("3 hours")
            rows = await sim.history(job)
            assert [(row.status, row.result) for row in rows] == [
                (ExecutionStatus.SUCCEEDED, {"success": True, "message": "awake"})
            ] * 3
            assert all(row.finished_at == row.started_at == row.scheduled_for for row in rows)


class TestWaiting:
    def test_plain_calls_let_time_pass_too(self):
        with simulated() as sim:
            job = sim.cron.schedule_relative(
                name="long", relative_time="in 1 hour", callback=callbacks.sleep, callback_args={"seconds": 60}
            )
            assert sim.cron.run_job(job, wait=True).status is ExecutionStatus.SUCCEEDED
            assert sim.now == datetime(2030, 1, 1, 0, 1, tzinfo=UTC)
            sim.advance("59 minutes 30 seconds")
            sim.cron.shutdown()
            assert sim.now == datetime(2030, 1, 1, 1, 1, 0, tzinfo=UTC)
            sim.cron.start()
            sim.advance("1 minute")
            assert statuses(sim.cron.get_executions(job))[0] is ExecutionStatus.SUCCEEDED

    @pytest.mark.parametrize(
        ("callback", "options"),
        [(callbacks.advance, {}), (callbacks.run_for, {}), (callbacks.run_for, {"runner": "app"})],
    )
    async def test_a_callback_cannot_let_time_pass_for_that_waits_for_its_end(self, callback, options):
        async with simulated() as sim:
            callbacks.simulations.append(sim)
            job = await sim.create_job(name="hasty", schedule="in 1 hour", callback=callback, max_retries=0, **options)
            await sim.run_for("2 hours")
            (row,) = await sim.history(job)
            assert row.status is ExecutionStatus.FAILED
            assert "time passes by sleeping" in row.error

    async def test_while_a_callback_waits_for_the_network_the_clock_stands_still(self):
        async with simulated() as sim:
            job = await sim.create_job(name="talk", schedule="every 1 hour", callback=callbacks.talk, timeout=1)
            await sim.run_for("3 hours")
            rows = await sim.history(job)
            assert [(row.status, row.result["message"]) for row in rows if row.result] == [
                (ExecutionStatus.SUCCEEDED, "hello")
            ] * 3
            assert all(row.finished_at == row.scheduled_for for row in rows)

    async def test_who_is_cancelled_does_not_let_time_pass_any_more(self):
        async with simulated() as sim:
            await sim.create_job(name="often", schedule="every 1 second", callback=callbacks.note)
            with anyio.move_on_after(0.05):
                await sim.run_for("1000 days")
            await sim.run_for(0)
            assert sim.now < datetime(2032, 1, 1, tzinfo=UTC)
            seen = sim.now
            await sim.run_for(1)
            assert sim.now == seen + timedelta(seconds=1)


class TestFaults:
    @pytest.mark.parametrize("in_file", [False, True])
    async def test_after_a_crash_what_ran_is_lost_and_runs_again(self, tmp_path, in_file):
        sim = simulated(database=tmp_path / "jobs.db" if in_file else ":memory:")
        async with sim:
            job = await sim.create_job(
                name="long", schedule="every 1 hour", callback=callbacks.sleep, callback_args={"seconds": 600}
            )
            await sim.run_for("65 minutes")
            await sim.crash()
            with pytest.raises(SchedulerStopped):
                await sim.get_job(job)
            await sim.run_for("3 hours")
            await sim.restart()
            await sim.run_for("30 minutes")
            rows = [(row.status, row.attempt, row.count) for row in await sim.history(job)]
            assert rows == [
                (ExecutionStatus.LOST, 1, 1),
                (ExecutionStatus.SUCCEEDED, 2, 1),
                (ExecutionStatus.MISSED, 1, 2),
                (ExecutionStatus.SUCCEEDED, 1, 1),
            ]

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    async def test_a_crash_at_any_transaction_loses_no_firing(self, number, after):
        async with simulated(database=":memory:") as sim:
            job = await sim.create_job(name="steady", schedule="every 1 hour", callback=callbacks.note)
            sim.crash_at_write(number, after=after)
            await sim.run_for("150 minutes")
            assert sim.has_crashed
            assert sim.now == datetime(2030, 1, 1, 2, 30, tzinfo=UTC)
            await sim.restart()
            await sim.run_for("1 hour")
            rows = await sim.history(job)
            assert {row.scheduled_for.hour for row in rows} == {1, 2, 3}
            assert rows[-1].status is ExecutionStatus.SUCCEEDED
            assert all(row.status.is_final for row in rows)

    async def test_a_crash_while_the_store_is_away_is_one_too(self):
        """Whoever waits for the store shields itself from being cancelled; the dead do not wait, and take no time."""
        async with simulated() as sim:
            job = await sim.create_job(
                name="long", schedule="in 1 hour", callback=callbacks.sleep, callback_args={"seconds": 60}
            )
            await sim.run_for("1 hour")
            sim.fail_writes(10**6)
            await sim.run_for("10 minutes")
            await sim.crash()
            assert sim.now == datetime(2030, 1, 1, 1, 10, tzinfo=UTC)
            await sim.restart()
            assert statuses(await sim.history(job)) == [ExecutionStatus.LOST, ExecutionStatus.RUNNING]

    async def test_a_crash_takes_a_callback_along_that_would_not_end(self):
        sim = simulated()
        async with sim:
            await sim.create_job(name="deaf", schedule="in 1 hour", callback=callbacks.never_end)
            await sim.run_for("2 hours")
            await sim.crash()
            assert sim.has_crashed
            with pytest.raises(SchedulerStopped, match="would not end"):
                await sim.restart()

    async def test_while_the_store_is_away_nothing_runs_and_then_it_does(self):
        async with simulated() as sim:
            job = await sim.create_job(name="steady", schedule="every 1 minute", callback=callbacks.note)
            sim.fail_writes(5)
            await sim.run_for("1 minute")
            assert callbacks.calls == []
            assert (await sim.health()).status == "degraded"
            await sim.run_for("10 seconds")
            assert statuses(await sim.history(job)) == [ExecutionStatus.SUCCEEDED]
            assert (await sim.health()).status == "ok"

    async def test_a_commit_that_took_effect_and_seemed_to_fail_loses_and_doubles_nothing(self):
        async with simulated() as sim:
            job = await sim.create_job(name="steady", schedule="every 1 minute", callback=callbacks.note)
            for _ in range(10):
                sim.lose_answers(1)
                await sim.run_for("1 minute")
            await sim.run_for("10 seconds")
            rows = await sim.history(job)
            assert statuses(rows) == [ExecutionStatus.SUCCEEDED] * 10
            assert len(callbacks.calls) == 10

    async def test_reads_can_fail_too(self):
        async with simulated() as sim:
            sim.fail_reads(1)
            with pytest.raises(Exception, match="away"):
                await sim.get_all_jobs()
            assert await sim.get_all_jobs() == []

    async def test_nobody_can_break_what_is_stopped(self):
        sim = simulated()
        with pytest.raises(SchedulerStopped):
            sim.fail_writes(1)


class TestClock:
    async def test_a_clock_that_is_set_forward_finds_what_it_passed_late(self):
        async with simulated() as sim:
            job = await sim.create_job(name="steady", schedule="every 1 hour", callback=callbacks.note)
            await sim.run_for("90 minutes")
            sim.step_clock("5 hours")
            await sim.run_for(0)
            rows = [(row.status, row.count) for row in await sim.history(job)]
            assert rows == [(ExecutionStatus.SUCCEEDED, 1), (ExecutionStatus.MISSED, 4), (ExecutionStatus.SUCCEEDED, 1)]

    async def test_a_clock_that_is_set_back_a_little_makes_jobs_wait(self):
        async with simulated() as sim:
            job = await sim.create_job(name="steady", schedule="every 1 hour", callback=callbacks.note)
            await sim.run_for("90 minutes")
            sim.step_clock("-1 hour")
            assert sim.now == datetime(2030, 1, 1, 0, 30, tzinfo=UTC)
            await sim.run_for("1 hour")
            assert len(await sim.history(job)) == 1
            await sim.run_for("1 hour")
            assert [row.scheduled_for.hour for row in await sim.history(job)] == [1, 2]

    @pytest.mark.parametrize("years", [1, 10])
    async def test_a_clock_that_was_wrong_by_years_for_a_minute_costs_no_firing_in_truth(self, years):
        async with simulated() as sim:
            job = await sim.create_job(name="steady", schedule="every 1 hour", callback=callbacks.note)
            await sim.run_for("90 minutes")
            sim.step_clock(timedelta(days=365 * years))
            await sim.run_for("1 minute")
            sim.step_clock(timedelta(days=-365 * years))
            await sim.run_for("1 day")
            ran = [row for row in await sim.history(job) if row.status is ExecutionStatus.SUCCEEDED]
            in_truth = [row.scheduled_for for row in ran if row.scheduled_for.year == 2030]
            # The second one is the first of those that were missed by the wrong clock: its record stands.
            hours = [1, *range(3, 26)]
            assert in_truth == [datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours]

    async def test_it_can_be_set_while_nobody_is_there(self):
        async with simulated() as sim:
            await sim.crash()
            sim.step_clock(3600)
            await sim.restart()
            assert sim.now == datetime(2030, 1, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize("wrong", ["soon", "--1 hour", None, float("inf")])
    async def test_what_is_no_step_is_refused_by_name(self, wrong):
        with pytest.raises(OptionError, match="by"):
            simulated().step_clock(wrong)


class TestSeed:
    async def fingerprint(self, seed):
        callbacks.calls.clear()
        async with simulated(seed=seed) as sim:
            for n in range(20):
                await sim.create_job(
                    name=f"job {n}", schedule=f"every {n % 3 + 1} hours", callback=callbacks.sleep,
                    callback_args={"seconds": n}, overlap="queue_one", max_retries=0,
                )  # fmt: skip
            await sim.run_for("12 hours")
            sim.fail_writes(3)
            await sim.run_for("6 hours")
            await sim.crash()
            await sim.restart()
            await sim.run_for("6 hours")
            return await sim.fingerprint(), list(callbacks.calls)

    async def test_the_same_seed_gives_the_same_history_and_another_one_another_order(self):
        one, order = await self.fingerprint(7)
        assert (one, order) == await self.fingerprint(7)
        other, other_order = await self.fingerprint(8)
        assert one != other
        assert order != other_order
        assert sorted(order) == sorted(other_order)

    async def test_the_applications_own_loop_does_not_draw_from_the_simulations_chance(self, anyio_backend):
        quiet, _ = await self.fingerprint(7)
        noisy: list[str] = []

        async def make_noise():
            while not noisy:
                await trio.lowlevel.checkpoint()

        if anyio_backend == "asyncio":
            pytest.skip("only Trio draws")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_noise)
            nursery.start_soon(make_noise)
            noisy.append((await self.fingerprint(7))[0])
        assert noisy == [quiet]


class TestFacades:
    async def test_it_is_a_manager(self):
        async with simulated() as sim:
            assert isinstance(sim, SchedulerManager)
            assert sim.manager is sim
            assert repr(sim) == "<Simulation started at 2030-01-01 00:00:00+00:00>"

    async def test_jobs_that_are_declared_are_there(self):
        sim = simulated()

        @sim.job("every 1 hour")
        def declared():
            pass

        with pytest.raises(Exception, match="declared"):
            await sim.initialize()

    async def test_events_are_told_in_virtual_time(self):
        async with simulated() as sim:
            events = sim.events()
            await sim.create_job(name="once", schedule="in 1 hour", callback=callbacks.note)
            await sim.run_for("2 hours")
        seen = [event.kind if isinstance(event, JobEvent) else event.execution.status async for event in events]
        assert seen == ["created", "running", "finished", "succeeded"]

    async def test_nothing_is_left_behind(self):
        before = set(threading.enumerate())
        async with simulated() as sim:
            await sim.run_for(1)
        assert set(threading.enumerate()) - before == set()


def test_without_an_event_loop():
    with simulated(start="2030-05-01 08:00") as sim:
        job = sim.cron.schedule_from_text(name="daily", schedule_text="every day at 9am", callback=callbacks.note)
        sim.advance("1 week")
        assert len(sim.cron.get_executions(job)) == 7
        with pytest.raises(OptionError, match="time"):
            sim.advance("a while")


def test_the_fixture_is_a_simulation_that_is_started(aurora):
    assert isinstance(aurora, Simulation)
    aurora.cron.schedule_relative(name="often", relative_time="every 1 minute", callback=callbacks.note)
    aurora.advance("1 hour")
    assert len(callbacks.calls) == 60


async def test_the_fixture_runs_callbacks_on_the_loop_of_the_test(aurora, anyio_backend):
    if anyio_backend == "trio":
        pytest.skip("asyncio's own callback")
    job = await aurora.create_job(
        name="at home", schedule="every 1 hour", callback=callbacks.sleep_at_home, callback_args={"seconds": 0.01},
        runner="app",
    )  # fmt: skip
    await aurora.run_for("2 hours")
    assert statuses(await aurora.history(job)) == [ExecutionStatus.SUCCEEDED] * 2


@pytest.mark.aurora("2031-05-05", timezone="Asia/Tokyo")
class TestMarks:
    @pytest.mark.aurora(timezone="Europe/Berlin")
    def test_what_the_mark_of_a_test_does_not_say_that_of_its_class_may(self, aurora):
        assert aurora.now.isoformat() == "2031-05-05T00:00:00+02:00"


@pytest.mark.aurora("2030-03-31", timezone="Europe/Berlin", seed=3)
def test_the_fixtures_mark_says_how_it_is_made(aurora):
    assert aurora.now.isoformat() == "2030-03-31T00:00:00+01:00"


async def test_the_fixture_works_in_async_tests(aurora):
    await aurora.create_job(name="often", schedule="every 1 minute", callback=callbacks.note_async)
    await aurora.run_for("1 hour")
    assert len(callbacks.calls) == 60
