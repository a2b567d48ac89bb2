"""A firing is claimed a moment ahead of its instant, so that its callback begins when that comes; and never before."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain, repeat

import pytest

from aurora_scheduler import commands
from aurora_scheduler.definition import NewJob, declare
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.ports import NotYet
from aurora_scheduler.rules import AHEAD
from support.lives import HOUR, MINUTE, START
from support.virtual import act, sleeping

pytestmark = pytest.mark.trio

#: In seconds.
LEAD = 0.02
NOON = START + HOUR


async def just_before(world, instant=NOON):
    """Between the claim and the instant."""
    await world.run_to(instant - SECOND // 100)


async def test_the_claim_stands_before_the_instant_and_the_callback_begins_at_it(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await world.run_to(NOON - SECOND // 40)
    assert world.rows(job) == []
    await just_before(world)
    (row,) = world.rows(job)
    assert (row.status, row.scheduled, row.started) == (ExecutionStatus.RUNNING, NOON, NOON)
    assert world.job(job).next_fire == NOON + HOUR
    assert world.calls == []
    await world.run_to(NOON)
    assert [call.begun for call in world.calls] == [NOON]
    (row,) = world.rows(job)
    assert (row.status, row.started, row.finished) == (ExecutionStatus.SUCCEEDED, NOON, NOON)


@pytest.mark.parametrize("sync", [False, True])
async def test_no_callback_ever_begins_early(world, sync):
    jobs = [world.create(f"job {n}", f"every {n} minutes", lambda call: None, sync=sync) for n in range(1, 20)]
    await world.start(claim_ahead=LEAD)
    await world.run(6 * 3600)
    assert {call.begun - call.scheduled for call in world.calls} == {0}
    for job in jobs:
        world.check_every_instant(job)


async def test_a_run_that_lasts_until_just_before_the_next_instant_does_not_keep_it_from_running(world):
    job = world.create("tight", "every 1 minute", sleeping(59.99), overlap="skip")
    await world.start(claim_ahead=LEAD)
    await world.run(3600)
    begun = [call.begun for call in world.calls]
    assert begun == [START + n * MINUTE for n in range(1, 61)]
    assert {row.status for row in world.rows(job)[:-1]} == {ExecutionStatus.SUCCEEDED}


# -- what is asked for in between waits until the instant has come ---------------------------------------------------


CALLS = {
    "pause": lambda world, job: world.pause(job),
    "pause and cancel": lambda world, job: world.pause(job, cancel_running=True),
    "resume": lambda world, job: world.resume(job),
    "delete": lambda world, job: world.delete(job),
    "edit": lambda world, job: world.edit(job, schedule="every 30 minutes"),
    "run by hand": lambda world, job: world.run_by_hand(job),
    "cancel": lambda world, job: world.cancel(world.rows(job)[0].id),
    "declare again": lambda world, job: world.create("other", "every 2 hours", job_id=job, if_exists="update"),
    "take its place": lambda world, job: world.create(
        "other", "every 1 hour", job_id="two", aliases=[job], if_exists="update"
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_call_that_changes_the_job_is_to_be_made_when_the_instant_has_come(world, call):
    job = world.create("hourly", "every 1 hour", sleeping(1), job_id="one")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    before = (world.job(job), world.rows(job))
    with pytest.raises(NotYet) as caught:
        call(world, job)
    assert caught.value.wait == SECOND // 100
    assert (world.job(job), world.rows(job)) == before
    await world.run_to(NOON)
    call(world, job)


@pytest.mark.parametrize("looks", range(1, 6))
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_what_changes_the_job_is_not_of_before_an_instant_that_comes_amid_it(world, call, looks, monkeypatch):
    job = world.create("hourly", "every 1 hour", sleeping(1), job_id="one")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    declared = world.job(job)
    seen = chain([NOON - 1] * looks, repeat(NOON))
    monkeypatch.setattr(world.clock, "now", lambda: next(seen))
    with suppress(NotYet):
        call(world, job)
    for change in world.store.changes_of(declared)[1:]:
        assert change.at >= NOON
    for now in filter(None, (world.store.job("one"), world.store.job("two"))):
        assert now.updated >= NOON or now.updated == declared.updated


async def test_a_call_that_only_looks_waits_for_nothing(world):
    job = world.create("hourly", "every 1 hour", sleeping(1), if_exists="update", job_id="one")
    other = world.create("other", "every 2 hours", sleeping(1))
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert world.create("hourly", "every 1 hour", if_exists="update", job_id="one") == job
    assert world.pause(other)
    world.write(lambda store: commands.explain(store, world.clock, job, "now"))
    world.write(lambda store: commands.outlook(store, world.clock, job, 5))


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "allow", "cancel_previous"])
async def test_a_run_by_hand_meets_one_that_has_begun_already(world, overlap):
    job = world.create("hourly", "every 1 hour", sleeping(1), overlap=overlap)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    by_hand = await world.in_time(lambda: world.run_by_hand(job))
    assert world.now == NOON
    await world.run(10)
    first, second = world.rows(job)
    assert (first.scheduled, first.started, second.id) == (NOON, NOON, by_hand)
    first_ran = ExecutionStatus.CANCELLED if overlap == "cancel_previous" else ExecutionStatus.SUCCEEDED
    second_ran = ExecutionStatus.SKIPPED if overlap == "skip" else ExecutionStatus.SUCCEEDED
    assert (first.status, second.status) == (first_ran, second_ran)


async def test_nothing_begins_once_a_pause_is_answered(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert await world.in_time(lambda: world.pause(job))
    assert world.now == NOON
    await world.run(7200)
    assert [call.begun for call in world.calls] == [NOON]


async def test_a_job_that_is_deleted_and_made_again_at_once_runs_as_one_and_then_as_the_other(world):
    job = world.create("hourly", "every 1 hour", lambda call: None, job_id="one")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    assert await world.in_time(lambda: world.delete(job))
    world.create("hourly", "0 * * * *", lambda call: None, job_id="one")
    await world.run(2 * 3600 + 60)
    assert [(call.begun, call.scheduled) for call in world.calls] == [
        (at, at) for at in (NOON, NOON + HOUR, NOON + 2 * HOUR)
    ]


async def test_very_many_are_declared_again_though_one_of_them_is_always_claimed_ahead(world):
    job = world.create("hourly", "every 1 hour", lambda call: None, job_id="one")
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    new = NewJob(name="hourly", schedule="every 3 hours", callback=act, job_id="one", if_exists="update")
    declared = [declare(new, now=world.now, new_id=world.clock.new_id, timezone="UTC")]
    with pytest.raises(NotYet):
        world.write(lambda store: commands.create_jobs(store, world.clock, declared))
    world.write(lambda store: commands.create_jobs(store, world.clock, declared, waits=False))
    assert world.job(job).schedule_value == "every 3 hours"
    await world.run(60)
    assert [call.begun for call in world.calls] == [NOON]


# -- processes that stop, or die ------------------------------------------------------------------------------------


async def test_what_was_claimed_ahead_by_a_process_that_died_is_recovered_when_its_instant_has_come(world_on_disk):
    world = world_on_disk
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.crash()
    await world.start(claim_ahead=LEAD)
    await world.run(60)
    lost, again = world.rows(job)
    assert (lost.status, lost.attempt, again.status, again.attempt) == (
        ExecutionStatus.LOST, 1, ExecutionStatus.SUCCEEDED, 2,
    )  # fmt: skip
    assert lost.started == NOON
    assert lost.finished >= NOON
    assert [call.begun >= NOON for call in world.calls] == [True]


async def test_a_scheduler_that_stops_in_between_runs_it_to_its_end(world):
    job = world.create("hourly", "every 1 hour", sleeping(2))
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.stop()
    assert [call.begun for call in world.calls] == [NOON]
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_one_that_must_stop_at_once_leaves_it_to_the_next_start(world):
    job = world.create("hourly", "every 1 hour", sleeping(2))
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    await world.stop(drain=0)
    assert world.calls == []
    await world.start(claim_ahead=LEAD)
    await world.run(60)
    assert [(row.status, row.attempt) for row in world.rows(job)] == [
        (ExecutionStatus.CANCELLED, 1),
        (ExecutionStatus.SUCCEEDED, 2),
    ]


@pytest.mark.parametrize("by", [-7200, -0.005, 7200])
async def test_a_clock_that_is_set_in_between_holds_it_up_for_a_moment_at_most(world, by):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    await world.start(claim_ahead=LEAD)
    await just_before(world)
    before = world.mock.current_time()
    world.clock.set(by)
    await world.run_until(lambda: len(world.calls) == 1)
    assert world.mock.current_time() - before <= 2 * AHEAD / SECOND
    assert [row.scheduled for row in world.rows(job)] == [NOON]


async def test_instants_that_have_their_record_already_are_gone_past(world):
    """The clock is set back over an hour that was missed in one range with others: none of it is claimed again."""
    job = world.create("minutely", "* * * * *", lambda call: None)
    await world.start(claim_ahead=LEAD, watch_clock=True)
    await world.run(90)
    world.clock.set(3600)
    await world.run(90)
    world.clock.set(-3600)
    await world.run(2 * 3600)
    scheduled = [row.scheduled for row in world.rows(job)]
    assert len(scheduled) == len(set(scheduled))
    world.check_every_instant(job)


# -- what is not claimed ahead ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"misfire": "skip"}, 1),
        ({"delivery": "at_most_once"}, 1),
        ({"overlap": "allow"}, 3600.5),
        ({"overlap": "queue_all"}, 3600.5),
        ({"overlap": "skip"}, 3600.5),
    ],
    ids=str,
)
async def test_where_something_can_still_come_in_between_nothing_is_claimed_ahead(world, options, part):
    job = world.create("hourly", "every 1 hour", sleeping(part), **options)
    plain = world.create("plain", "every 1 hour", sleeping(1))
    await world.start(claim_ahead=LEAD)
    await world.run_to(NOON)
    await just_before(world, NOON + HOUR)
    assert [len(world.rows(each)) for each in (job, plain)] == [1, 2]
    await world.run(3600)
    assert world.calls_of(job)[0].begun == NOON
    assert {call.begun - call.scheduled for call in world.calls_of(plain)} == {0}


async def test_with_one_slot_who_is_due_first_has_it_first(world):
    first = world.create("first", "every 1 hour", sleeping(1), misfire="skip")
    await world.run(0.015)
    second = world.create("second", "every 1 hour", sleeping(1))
    await world.start(claim_ahead=LEAD, max_concurrent=1)
    await world.run_to(NOON - SECOND // 1000)
    assert world.rows() == []
    await world.run(60)
    assert [(call.job_id, call.begun) for call in world.calls] == [(first, NOON), (second, NOON + SECOND)]


async def test_half_of_the_slots_are_there_for_what_is_to_run_now(world):
    for n in range(10):
        world.create(f"job {n}", "every 1 hour", sleeping(1))
    now = world.create("now", "every 1 day", sleeping(1))
    await world.start(claim_ahead=LEAD, max_concurrent=10)
    await just_before(world)
    assert len(world.rows(status=ExecutionStatus.RUNNING)) == 5
    world.run_by_hand(now)
    await world.settle()
    assert [call.job_id for call in world.calls] == [now]
    await world.run(60)
    assert sorted(call.begun - NOON for call in world.calls[1:]) == [0] * 9 + [SECOND - SECOND // 100]


@pytest.mark.parametrize("max_concurrent", [1500, 10_000])
async def test_of_very_many_that_are_due_at_once_each_begins_at_its_time(world, max_concurrent):
    for n in range(2000):
        world.create(f"job {n}", "every 1 hour", sleeping(0.5))
    await world.start(claim_ahead=LEAD, max_concurrent=max_concurrent)
    await world.run(3600 + 10)
    begun = sorted(call.begun for call in world.calls)
    some = min(max_concurrent, 2000)
    assert begun == [NOON] * some + [NOON + SECOND // 2] * (2000 - some)
