"""The alarms: who sleeps is nudged in time, and whoever was nudged before is not nudged by an old alarm."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from aurora_scheduler.engine.alarms import Alarms, Bell
from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.testing.clock import VirtualClock
from stores.making import make_job

pytestmark = pytest.mark.trio


@pytest.fixture
def alarms(autojump_clock):
    return Alarms(VirtualClock(autojump_clock, 0))


@pytest.fixture
def woken():
    return []


async def sleep_on(alarms, entry, seconds):
    if seconds < math.inf:
        alarms.set(entry.bell, seconds)
    await entry.bell.wait()


def sleeper(alarms, woken, name):
    """An entry, and the coroutine function that has its task sleep and then notes when it woke."""
    entry = Entry(make_job(name))

    async def sleep(seconds):
        entry.begin_deciding()
        await sleep_on(alarms, entry, seconds)
        woken.append((name, trio.current_time()))

    return entry, sleep


async def test_who_is_to_be_woken_at_the_same_time_is_rung_in_the_order_in_which_all_were_made(
    autojump_clock, alarms, nursery, monkeypatch
):
    """Whatever the order in which they went to sleep: what was made together is stored together."""
    rung, ring = [], Bell.ring

    def note(bell):
        rung.append(bell)
        ring(bell)

    monkeypatch.setattr(Bell, "ring", note)
    bells = [Entry(make_job(str(number))).bell for number in range(20)]
    for bell in [*bells[::2], *bells[1::2]]:
        alarms.set(bell, 5 if bell is not bells[7] else 4)
    nursery.start_soon(alarms.run)
    await trio.sleep(6)
    assert rung == [bells[7], *bells[:7], *bells[8:]]


async def test_everybody_is_woken_at_his_time(autojump_clock, alarms, woken, nursery):
    nursery.start_soon(alarms.run)
    for seconds in (5, 1, 3, 3.000_001, 0, 3600 * 24 * 365):
        nursery.start_soon(sleeper(alarms, woken, f"{seconds} s")[1], seconds)
    await trio.sleep(3600 * 24 * 366)
    assert woken == [(f"{at} s", pytest.approx(at, abs=4e-7)) for at in (0, 1, 3, 3.000_001, 5, 3600 * 24 * 365)]
    nursery.cancel_scope.cancel()


async def test_an_alarm_that_is_nearer_than_those_before_goes_before_them(autojump_clock, alarms, woken, nursery):
    nursery.start_soon(alarms.run)
    nursery.start_soon(sleeper(alarms, woken, "late")[1], 100)
    await trio.sleep(1)
    nursery.start_soon(sleeper(alarms, woken, "early")[1], 2)
    await trio.sleep(200)
    assert woken == [("early", 3), ("late", 100)]
    nursery.cancel_scope.cancel()


async def test_who_is_nudged_wakes_at_once_and_its_old_alarm_is_void(autojump_clock, alarms, woken, nursery):
    nursery.start_soon(alarms.run)
    entry, sleep = sleeper(alarms, woken, "it")
    nursery.start_soon(sleep, 10)
    await trio.sleep(4)
    entry.nudge()
    await trio.testing.wait_all_tasks_blocked()
    assert woken == [("it", 4)]
    nursery.start_soon(sleep, math.inf)
    await trio.sleep(3600)
    assert woken == [("it", 4)], "the alarm for 10 was for a sleep that is over"
    nursery.cancel_scope.cancel()


async def test_who_sets_an_alarm_before_anybody_keeps_the_time_is_woken_all_the_same(
    autojump_clock, alarms, woken, nursery
):
    nursery.start_soon(sleeper(alarms, woken, "it")[1], 1)
    await trio.sleep(5)
    assert woken == []
    nursery.start_soon(alarms.run)
    await trio.testing.wait_all_tasks_blocked()
    assert woken == [("it", 5)]
    nursery.cancel_scope.cancel()


async def test_a_task_on_its_way_out_takes_no_alarm_from_the_one_in_its_place(autojump_clock, alarms, woken, nursery):
    nursery.start_soon(alarms.run)
    entry, sleep = sleeper(alarms, woken, "the new one")
    with trio.CancelScope() as old:
        async with trio.open_nursery() as both:
            both.start_soon(sleep_on, alarms, entry, 10)
            await trio.testing.wait_all_tasks_blocked()
            entry.nudge()
            nursery.start_soon(sleep, 10)
            old.cancel()
    await trio.sleep(3600)
    assert woken == [("the new one", pytest.approx(10))]
    nursery.cancel_scope.cancel()


async def test_alarms_that_nobody_waits_for_any_more_do_not_pile_up(autojump_clock, alarms, woken, nursery):
    nursery.start_soon(alarms.run)
    entry, sleep = sleeper(alarms, woken, "it")
    for _ in range(10_000):
        async with trio.open_nursery() as once:
            once.start_soon(sleep, 3600)
            await trio.testing.wait_all_tasks_blocked()
            entry.nudge()
    assert len(alarms._heap) < 2000
    nursery.cancel_scope.cancel()


async def test_a_rush_is_when_very_many_are_to_be_rung_at_the_same_time_and_is_told_before_the_first_is(
    autojump_clock, alarms, woken, nursery
):
    rushes = []
    alarms.on_rush = lambda: rushes.append(len(woken))
    times = [*[1] * 499, *[3] * 100, *[2] * 1_001, *[3] * 100]
    entries = []
    for number, seconds in enumerate(times):
        entry, sleep = sleeper(alarms, woken, number)
        entries.append(entry)
        nursery.start_soon(sleep, seconds)
    await trio.testing.wait_all_tasks_blocked()
    entries[1_599].nudge()  # whose alarm is void then
    nursery.start_soon(alarms.run)
    await trio.sleep(1.5)
    assert not rushes
    await trio.sleep(2)
    assert rushes == [500]
    assert sorted(name for name, _ in woken) == list(range(len(times)))
    assert dict(woken) == dict(enumerate(times)) | {1_599: 0}
