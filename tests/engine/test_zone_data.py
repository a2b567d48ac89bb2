"""Zones that change while the scheduler is down, and zones that vanish."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from aurora_scheduler import commands
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import Commit, ExecutionStatus, JobStatus
from aurora_scheduler.rules.firing import stepped
from aurora_scheduler.schedules import zone_data
from support.lives import DAY, HOUR, MINUTE, START, a_row
from support.virtual import World
from support.zones import Zones

pytestmark = pytest.mark.trio

CITY = "Aurora/City"
#: Zones of a fixed offset. Their names have it the other way round.
PLUS_1, PLUS_2, PLUS_3 = "Etc/GMT-1", "Etc/GMT-2", "Etc/GMT-3"
DAILY = "0 9 * * *"
ONCE = "2026-03-02 09:00"


@pytest.fixture(autouse=True)
def _city(zones: Zones) -> None:
    zones.change(CITY, PLUS_2)


def make(world: World, name: str, schedule: str, **options) -> str:
    return world.create(name, schedule, lambda call: None, timezone=CITY, **options)


def history(world: World, job_id: str) -> list[tuple[str, str | None]]:
    found = world.store._connection.execute(
        "SELECT kind, detail FROM aurora_job_changes WHERE job_id = ? ORDER BY number", (job_id,)
    )
    return found.fetchall()


def fired(world: World, job_id: str) -> list[tuple[int, int]]:
    """Of each call, in order: which firing, and when it began."""
    return [(call.scheduled - START, call.begun - START) for call in world.calls_of(job_id)]


# The clocks of a city are changed while the scheduler is down -------------------------------------------------------


@pytest.mark.parametrize("schedule", [DAILY, ONCE])
async def test_what_has_passed_by_the_new_data_is_a_backlog_and_runs_once(world, zones, schedule):
    job = make(world, "moved", schedule)
    await world.run(6.5 * 3600)
    zones.change(CITY, PLUS_3)  # 9:00 was half an hour ago; by the old data it would come in half an hour
    await world.start()
    await world.run(3600)
    assert fired(world, job) == [(6 * HOUR, 6.5 * HOUR)]
    await world.run_to(START + DAY + 12 * HOUR)
    expected = [(6 * HOUR, 6.5 * HOUR), (DAY + 6 * HOUR, DAY + 6 * HOUR)]
    assert fired(world, job) == (expected if schedule == DAILY else expected[:1])


@pytest.mark.parametrize("schedule", [DAILY, ONCE])
async def test_what_comes_later_by_the_new_data_neither_comes_early_nor_twice(world, zones, schedule):
    job = make(world, "moved", schedule)
    await world.run(7.5 * 3600)  # due for half an hour, by the old data
    zones.change(CITY, PLUS_1)
    await world.start()
    await world.run_to(START + 8 * HOUR - SECOND)
    assert fired(world, job) == []
    await world.run_to(START + DAY + 12 * HOUR)
    expected = [(8 * HOUR, 8 * HOUR), (DAY + 8 * HOUR, DAY + 8 * HOUR)]
    assert fired(world, job) == (expected if schedule == DAILY else expected[:1])
    assert world.rows(job, ExecutionStatus.MISSED) == []


async def test_what_came_before_the_change_does_not_come_again_after_it(world, zones):
    job = make(world, "moved", DAILY)
    await world.start()
    await world.run(7.5 * 3600)
    await world.stop()
    zones.change(CITY, PLUS_1)  # it is 8:30 again
    await world.start()
    await world.run_to(START + DAY + 12 * HOUR)
    assert fired(world, job) == [(7 * HOUR, 7 * HOUR), (DAY + 8 * HOUR, DAY + 8 * HOUR)]


@pytest.mark.parametrize("like", [PLUS_1, PLUS_3, "Asia/Kolkata"])
async def test_what_follows_real_time_keeps_its_pace(world, zones, like):
    jobs = [make(world, "wild", "*/30 * * * *"), make(world, "elapsed", "every 30 minutes")]
    await world.start()
    await world.run(3600 + 600)
    await world.stop()
    zones.change(CITY, like)
    await world.start()
    await world.run(2 * 3600)
    for job in jobs:
        begun = [START + n * 30 * MINUTE for n in range(1, 7)]
        assert [call.begun for call in world.calls_of(job)] == begun
        world.check_every_instant(job)


async def test_several_days_by_the_new_data_are_one_late_run_and_one_record(world, zones):
    job = make(world, "moved", DAILY)
    await world.run(3 * 86_400)
    zones.change(CITY, PLUS_3)
    await world.start()
    await world.run(60)
    missed, ran = world.rows(job)
    assert (missed.status, missed.count, missed.scheduled) == (ExecutionStatus.MISSED, 2, START + 6 * HOUR)
    assert (ran.status, ran.scheduled) == (ExecutionStatus.SUCCEEDED, START + 2 * DAY + 6 * HOUR)


async def test_every_job_with_a_next_firing_is_computed_anew_and_no_other(world, zones, caplog):
    caplog.set_level(logging.INFO)
    moved, resting, elapsed, over, elsewhere = (
        make(world, "moved", DAILY),
        make(world, "resting", DAILY),
        make(world, "elapsed", "every 1 day"),
        make(world, "over", "2026-03-02 02:30"),
        world.create("elsewhere", DAILY, timezone="Asia/Tokyo"),
    )
    assert world.pause(resting)
    await world.start()
    await world.run(3600)
    await world.stop()
    before = {job: world.job(job) for job in (moved, resting, elapsed, over, elsewhere)}
    zones.change(CITY, PLUS_1)
    await world.start()
    for job in moved, resting:
        after = world.job(job)
        assert (after.next_fire, after.zone_data) == (START + 8 * HOUR, zone_data(CITY))
        assert after.status == before[job].status
        assert after.updated == before[job].updated
        kind, detail = history(world, job)[-1]
        assert kind == "updated"
        assert "time zone" in detail
    for job in elapsed, over, elsewhere:
        assert world.job(job) == before[job]
    assert world.job(over).status is JobStatus.FINISHED
    assert "computed 2 next firing(s) anew with changed zone data, 2 moved" in caplog.text
    assert world.resume(resting)
    await world.run_to(START + 9 * HOUR)
    assert fired(world, moved) == fired(world, resting) == [(8 * HOUR, 8 * HOUR)]


async def test_where_no_instant_moves_nothing_is_told(world, zones, caplog):
    caplog.set_level(logging.INFO)
    zones.change(CITY, PLUS_1)
    job = make(world, "steady", DAILY)
    before = world.job(job)
    zones.change(CITY, "Europe/Berlin")  # which is the same until the end of March
    await world.start()
    assert world.job(job) == replace(before, version=before.version + 1, zone_data=zone_data(CITY))
    assert [kind for kind, _ in history(world, job)] == ["created"]
    assert "computed 1 next firing(s) anew with changed zone data, 0 moved" in caplog.text
    caplog.clear()
    await world.stop()
    await world.start()
    assert "anew" not in caplog.text


async def test_many_jobs_are_computed_anew_in_few_transactions(world, zones):
    jobs = [make(world, f"job {number}", DAILY) for number in range(1_050)]
    zones.change(CITY, PLUS_1)
    writes = []
    world.writer.before_write = lambda: writes.append(world.now)
    await world.start()
    assert len(writes) < 10
    assert {world.job(job).next_fire for job in jobs} == {START + 8 * HOUR}


async def test_what_was_running_when_the_process_died_and_what_moved_both_run(world_on_disk, zones):
    world = world_on_disk

    async def die_once(call):
        if call.attempt == 1:
            await trio.sleep_forever()

    job = world.create("dying", DAILY, die_once, timezone=CITY)
    await world.start()
    await world.run_to(START + 7 * HOUR + MINUTE)
    await world.crash()
    zones.change(CITY, PLUS_3)
    await world.start()
    await world.run_to(START + DAY + 6 * HOUR + MINUTE)
    rows = [(row.scheduled - START, row.attempt, row.status) for row in world.rows(job)]
    assert rows[:2] == [(7 * HOUR, 1, ExecutionStatus.LOST), (7 * HOUR, 2, ExecutionStatus.SUCCEEDED)]
    assert rows[2][0] == DAY + 6 * HOUR


@pytest.fixture
def old_world(tmp_path) -> Iterator[World]:
    """A world that begins with a database that the first schema made."""
    path = tmp_path / "jobs.db"
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parents[1] / "stores" / "schema_1.sql").read_text())
    connection.close()
    world = World(str(path))
    yield world
    world.writer.close()


async def test_jobs_that_the_first_schema_stored_fire_as_they_would_have(old_world):
    world = old_world
    before = {job.id: job.next_fire for job in world.store.jobs()}
    await world.start()
    after = {job.id: job for job in world.store.jobs()}
    assert {job_id: job.next_fire for job_id, job in after.items()} == before
    for job_id in "cron", "once":
        assert after[job_id].zone_data == zone_data("Europe/Berlin")
        assert after[job_id].next_wall == after[job_id].next_fire + (HOUR if job_id == "cron" else 2 * HOUR)
    assert after["interval"].zone_data is None
    assert {kind for job_id in before for kind, _ in history(world, job_id)} == {"created"}
    await world.run(12 * 3600)
    assert fired(world, "cron") == [(8 * HOUR, 8 * HOUR)]
    assert len(world.calls_of("interval")) == 12


# A process beside this one has other data ---------------------------------------------------------------------------


async def test_what_another_process_computed_with_other_data_is_computed_anew_when_it_is_read(world, zones):
    await world.start()
    ours = zone_data(CITY)
    zones.change(CITY, PLUS_3)
    made = make(world, "made there", ONCE)
    assert world.job(made).next_fire == START + 6 * HOUR
    zones.change(CITY, PLUS_2)
    await world.run(1)
    after = world.job(made)
    assert (after.next_fire, after.zone_data) == (START + 7 * HOUR, ours)
    await world.run(3600)
    assert world.job(made) == after, "and that was all"
    await world.run_to(START + 8 * HOUR)
    assert fired(world, made) == [(7 * HOUR, 7 * HOUR)]


# A zone vanishes ----------------------------------------------------------------------------------------------------


async def test_a_job_whose_zone_is_gone_says_so_at_once_and_others_do_not_mind(world, zones):
    gone, other = make(world, "gone", DAILY), world.create("other", "every 1 hour", lambda call: None)
    ticking = make(world, "ticking", "every 1 hour")
    zones.remove(CITY)
    await world.start()
    for job in gone, ticking:
        shown = world.job(job)
        assert (shown.status, shown.next_run_time) == (JobStatus.UNRESOLVED, None)
        assert CITY in shown.status_reason
    await world.run(86_400)
    assert world.rows(gone) == world.rows(ticking) == []
    world.check_every_instant(other)


async def test_it_comes_back_with_its_zone_and_what_came_due_meanwhile_is_a_backlog(world, zones):
    job = make(world, "gone", DAILY)
    zones.remove(CITY)
    await world.start(unresolved_every=1800.0)
    await world.run(2.5 * 86_400)
    zones.change(CITY, PLUS_2)
    await world.run(1800)
    assert world.job(job).is_active
    missed, ran = world.rows(job)
    assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 2)
    assert (ran.status, ran.scheduled) == (ExecutionStatus.SUCCEEDED, START + 2 * DAY + 7 * HOUR)


async def test_it_comes_back_to_the_clocks_that_there_are_then(world, zones):
    job = make(world, "gone", DAILY)
    zones.remove(CITY)
    await world.start(unresolved_every=1800.0)
    await world.run(3600)
    zones.change(CITY, PLUS_3)
    await world.run_to(START + DAY)
    assert fired(world, job) == [(6 * HOUR, 6 * HOUR)]
    assert [kind for kind, _ in history(world, job)] == ["created", "unresolved", "resolved", "updated"]


async def test_a_job_that_rests_is_left_alone_until_it_is_resumed(world, zones):
    job = make(world, "resting", DAILY)
    world.pause(job)
    before = world.job(job)
    zones.remove(CITY)
    await world.start(unresolved_every=1800.0)
    await world.run(86_400)
    assert world.job(job) == before
    zones.change(CITY, PLUS_3)
    assert world.resume(job)
    await world.run(86_400)
    assert fired(world, job) == [(DAY + 6 * HOUR, DAY + 6 * HOUR)]


async def test_paused_edited_deleted_and_run_by_hand_it_stops_nobody(world, zones):
    names = ("paused", "edited", "renamed", "deleted", "by hand")
    paused, edited, renamed, deleted, by_hand = jobs = [make(world, name, DAILY) for name in names]
    steady = world.create("steady", "every 1 hour", lambda call: None)
    zones.remove(CITY)
    await world.start(unresolved_every=1800.0)
    await world.run_to(START + DAY)
    assert {world.job(job).status for job in jobs} == {JobStatus.UNRESOLVED}
    assert world.pause(paused)
    assert world.delete(deleted)
    world.edit(edited, timezone="Etc/GMT-2")
    world.edit(renamed, name="another")
    execution = world.run_by_hand(by_hand)
    await world.run_to(START + 2 * DAY)
    assert (world.job(paused).status, world.job(renamed).status) == (JobStatus.PAUSED, JobStatus.UNRESOLVED)
    assert world.store.job(deleted) is None
    for job in paused, deleted, edited:
        assert [(row.status, row.scheduled) for row in world.rows(job)][:1] == [
            (ExecutionStatus.MISSED, START + 7 * HOUR)
        ]
    assert fired(world, edited) == [(DAY + 7 * HOUR, DAY + 7 * HOUR)]
    assert world.row(execution).status is ExecutionStatus.SUCCEEDED
    world.check_every_instant(steady)


async def test_the_clock_may_be_set_back_with_it_in_the_book(world, zones):
    job = make(world, "gone", DAILY)
    steady = world.create("steady", "0 * * * *", lambda call: None)
    await world.start(watch_clock=True)
    await world.run(60)
    zones.remove(CITY)  # and its task does not know yet
    world.clock.set(-5 * 3600)
    await world.run(3600)
    assert world.job(job).status is JobStatus.UNRESOLVED
    assert len(world.calls_of(steady)) == 1


async def test_its_third_death_at_the_start_stops_nobody(world, zones):
    """An attempt whose process died, of a job whose zone is gone since, and whose retries are used up by that."""
    job = make(world, "deadly", DAILY, max_retries=0)
    zones.remove(CITY)
    before = world.job(job)

    def leave_a_third_attempt(store):
        lost = [
            a_row(
                before, ExecutionStatus.LOST, scheduled=START, id=f"lost {number}", attempt=number, owner="dead",
                started=START, finished=START,
            )
            for number in (1, 2)
        ]  # fmt: skip
        third = a_row(before, ExecutionStatus.RUNNING, scheduled=START, id="third", attempt=3, owner="dead")
        store.commit(Commit(job=stepped(before), new=(*lost, third)))

    world.write(leave_a_third_attempt)
    await world.run(86_400)
    await world.start()
    assert world.job(job).status is JobStatus.DEACTIVATED
    assert (START + 7 * HOUR, ExecutionStatus.MISSED) in [(row.scheduled, row.status) for row in world.rows(job)]


async def test_the_commands_say_which_jobs_and_how_many(world, zones):
    moved, stays = make(world, "moved", DAILY), make(world, "stays", "every 1 day")
    zones.change(CITY, PLUS_1)
    assert commands.outdated_jobs(world.store) == [moved]
    assert world.write(lambda store: commands.renew_jobs(store, world.clock, [moved, stays, "none"])) == 1
    assert commands.outdated_jobs(world.store) == []
    zones.remove(CITY)
    assert commands.outdated_jobs(world.store) == []
    assert world.write(lambda store: commands.renew_jobs(store, world.clock, [moved])) == 0
