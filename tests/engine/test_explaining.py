"""For every instant there is an answer to "why did it run, or why not"."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from aurora_scheduler import commands
from aurora_scheduler.errors import JobNotFoundError, OptionError
from aurora_scheduler.instants import aware
from support.lives import DAY, HOUR, MINUTE, START, instants_of
from support.virtual import sleeping

pytestmark = pytest.mark.trio


def why(world, job, at):
    moment = aware(at) if isinstance(at, int) else at
    return world.write(lambda store: commands.explain(store, world.clock, job, moment))


def fails(call):
    raise RuntimeError("no such file")


async def test_a_firing_that_ran_is_told_with_its_attempts(world):
    attempts = iter([fails, lambda call: None])
    job = world.create("report", "every 1 hour", lambda call: next(attempts)(call), retry_delay=60)
    await world.start()
    await world.run(3600 + 120)
    told = why(world, job, START + HOUR)
    assert told.verdict == "succeeded"
    assert [row.attempt for row in told.executions] == [1, 2]
    assert told.text.startswith(
        "attempt 1 failed, begun at 2026-03-02 01:00:00+00:00, 0.0 s after it was due: RuntimeError"
    )
    assert "attempt 2 succeeded" in told.text
    assert str(told).startswith("2026-03-02 01:00:00+00:00: attempt 1")


async def test_now_is_the_minute_that_it_is(world):
    job = world.create("report", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(3600 + 42)
    assert why(world, job, "now").verdict == "succeeded"
    await world.run(60)
    assert why(world, job, "now").verdict == "no_instant"


async def test_each_instant_of_a_long_and_eventful_life_has_an_answer(world):
    job = world.create("busy", "every 10 minutes", sleeping(25 * 60), timeout="1 hour")
    await world.start()
    await world.run(3600 + 60)
    world.pause(job)
    await world.run(3600)
    world.resume(job)
    await world.run(1800)
    await world.crash()
    await world.run(7200)
    await world.start()
    await world.run(600)
    told = [why(world, job, instant) for instant in instants_of(world.job(job), world.now)]
    assert {each.verdict for each in told} >= {"succeeded", "skipped", "paused", "lost", "running", "missed"} - {"lost"}
    assert all(each.text for each in told)
    assert not [each for each in told if each.verdict in ("no_instant", "forgotten")]


async def test_what_was_skipped_says_why(world):
    job = world.create("slow", "every 10 minutes", sleeping(25 * 60))
    await world.start()
    await world.run(21 * 60)
    told = why(world, job, START + 20 * MINUTE)
    assert (told.verdict, told.text) == ("skipped", "it was skipped: an earlier attempt of the job still ran")


async def test_an_instant_within_a_missed_range_is_told_with_the_range(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.run(5 * 3600 + 60)
    await world.start()
    told = why(world, job, START + 3 * HOUR)
    assert told.verdict == "missed"
    assert told.text.startswith(
        "it is one of 4 instants from 2026-03-02 01:00:00+00:00 to 2026-03-02 04:00:00+00:00; each was"
    )
    assert told.asked_for == aware(START + 3 * HOUR)
    assert why(world, job, START + 3 * HOUR + 30 * MINUTE).verdict == "no_instant"


@pytest.mark.parametrize(
    ("options", "at", "verdict"),
    [
        ({}, START + 5 * HOUR, "to_come"),
        ({}, START + 5 * HOUR + 1, "no_instant"),
        ({"start_at": aware(START + 3 * HOUR)}, START + 2 * HOUR, "before_start"),
        ({"end_at": aware(START + 3 * HOUR)}, START + 4 * HOUR, "after_end"),
        ({"only_between": ("08:00", "17:00")}, START + 7 * HOUR, "excluded"),
        ({"exclude_dates": ["2026-03-03"]}, START + DAY + HOUR, "excluded"),
    ],
)
async def test_what_is_still_to_come_or_never_will(world, options, at, verdict):
    job = world.create("hourly", "every 1 hour", **options)
    assert why(world, job, at).verdict == verdict


async def test_nothing_was_to_fire_before_the_job_was_created_nor_will_after_its_last_run(world):
    job = world.create("hourly", "0 * * * *", lambda call: None, max_runs=1)
    assert why(world, job, START - HOUR).verdict == "before_created"
    await world.start()
    await world.run(2 * 3600)
    assert why(world, job, START + 2 * HOUR).verdict == "finished"
    assert why(world, job, START + 9 * HOUR).verdict == "finished"


async def test_due_without_a_scheduler(world):
    job = world.create("hourly", "every 1 hour")
    await world.run(3700)
    told = why(world, job, START + HOUR)
    assert (told.verdict, told.text) == ("due", "it is due, and no scheduler has begun it yet: is one started?")


async def test_a_deactivated_job_tells_its_failures(world):
    job = world.create("broken", "every 1 hour", fails, max_retries=0)
    await world.start()
    await world.run(3 * 3600)
    told = why(world, job, START + 2 * HOUR)
    assert told.verdict == "deactivated"
    assert "failed once: RuntimeError: no such file" in told.text
    assert [change.kind for change in told.changes] == ["deactivated"]
    assert why(world, job, START + 9 * HOUR).verdict == "deactivated"


async def test_an_instant_of_the_schedule_before_an_edit_is_told_by_its_record(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(2 * 3600 + 60)
    world.edit(job, schedule="*/7 * * * *")
    assert why(world, job, START + HOUR).verdict == "succeeded"
    told = why(world, job, START + 7 * MINUTE)
    assert told.verdict == "edited"
    assert "the job was changed at 2026-03-02 02:01:00+00:00" in told.text


async def test_who_names_a_minute_or_a_second_means_the_first_firing_in_it(world):
    await world.run(0.25)
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(3601)
    exact = why(world, job, START + HOUR + 250_000)
    assert exact.verdict == "succeeded"
    for text in ("2026-03-02 01:00", "2026-03-02 01:00:00"):
        told = why(world, job, text)
        assert (told.verdict, told.asked_for) == ("succeeded", exact.asked_for)
    assert why(world, job, aware(START + HOUR + 250_001)).verdict == "no_instant"


async def test_a_text_is_read_in_the_jobs_time_zone(world):
    job = world.create("daily", "0 9 * * *", timezone="Europe/Berlin")
    assert why(world, job, "2026-03-05 09:00").verdict == "to_come"
    assert why(world, job, "2026-03-05 08:00").verdict == "no_instant"
    assert why(world, job, "2026-03-05 08:00+00:00").verdict == "to_come"


async def test_what_cannot_be_told_is_refused(world):
    job = world.create("hourly", "every 1 hour")
    with pytest.raises(JobNotFoundError):
        why(world, "nobody", START)
    for wrong in (None, "soonish", 5, timedelta(1)):
        with pytest.raises(OptionError, match="at="):
            why(world, job, wrong) if not isinstance(wrong, int) else world.write(
                lambda store: commands.explain(store, world.clock, job, 5)
            )
    await trio.lowlevel.checkpoint()
