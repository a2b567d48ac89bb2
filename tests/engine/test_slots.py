"""Slots: who is due first has one first, and whoever has waited for one is told so."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from aurora_scheduler.engine.alarms import Alarms
from aurora_scheduler.engine.mailbox import Mailbox
from aurora_scheduler.engine.slots import Slots
from aurora_scheduler.testing.clock import VirtualClock
from support.virtual import sleeping

pytestmark = pytest.mark.trio

MINUTE, HOUR = 60, 3600


class Queue:
    """Slots, and who was granted one, and whether he had waited."""

    def __init__(self, total, nursery):
        mailbox, self.clock = Mailbox(), VirtualClock(trio.testing.MockClock(), 1_000_000)
        alarms = Alarms(self.clock)
        nursery.start_soon(mailbox.run)
        nursery.start_soon(alarms.run)
        self.slots = Slots(total, mailbox, self.clock, alarms)
        self.granted = []

    def ask(self, due):
        return self.slots.ask(due, lambda waited: self.granted.append((due, waited)))

    async def settle(self):
        await trio.testing.wait_all_tasks_blocked()
        granted, self.granted = self.granted, []
        return granted


@pytest.fixture
def queue_of(nursery):
    return lambda total: Queue(total, nursery)


async def test_who_was_due_first_is_first_and_only_he_has_not_waited(queue_of):
    queue = queue_of(1)
    for due in (3, 1, 2):
        queue.ask(due)
    for expected in ((1, False), (2, True), (3, True)):
        assert await queue.settle() == [expected]
        queue.slots.give_back()


async def test_it_does_not_matter_who_of_the_same_instant_asks_first(queue_of, nursery):
    queue, woken = queue_of(2), trio.Event()

    async def ask(due):
        await woken.wait()
        queue.ask(due)

    for due in (5, 3, 1, 2, 4):
        nursery.start_soon(ask, due)
    await queue.settle()
    woken.set()
    assert await queue.settle() == [(1, False), (2, False)]


async def test_where_there_are_enough_nobody_waits(queue_of):
    queue = queue_of(3)
    for due in (3, 1, 2):
        queue.ask(due)
    assert await queue.settle() == [(1, False), (2, False), (3, False)]


async def test_who_leaves_while_he_waits_leaves_the_slot_to_the_next(queue_of):
    queue = queue_of(1)
    queue.ask(1)
    assert await queue.settle() == [(1, False)]
    place = queue.ask(2)
    queue.ask(3)
    assert await queue.settle() == []
    place.leave()
    queue.slots.give_back()
    assert await queue.settle() == [(3, True)]


async def test_a_slot_that_was_taken_anyway_has_to_be_given_back_as_well(queue_of):
    queue = queue_of(1)
    queue.slots.take_anyway()
    queue.slots.take_anyway()
    queue.ask(1)
    assert await queue.settle() == []
    queue.slots.give_back()
    assert await queue.settle() == []
    queue.slots.give_back()
    assert await queue.settle() == [(1, True)]


async def test_places_that_were_left_do_not_pile_up(queue_of):
    queue = queue_of(1)
    queue.ask(1)
    await queue.settle()
    waits = queue.ask(2)
    await queue.settle()
    for _ in range(10_000):
        queue.ask(3).leave()
    assert len(queue.slots._queue) < 300
    assert waits.is_wanted
    queue.slots.give_back()
    assert await queue.settle() == [(2, True)]


async def test_a_rush_is_when_very_many_ask_and_while_they_get_slots_and_not_while_they_only_wait(queue_of):
    queue, rushes = queue_of(1), []
    queue.slots.on_rush = lambda: rushes.append(len(queue.slots._queue))
    queue.ask(0)
    await queue.settle()
    for due in range(1, 600):
        queue.ask(due)
    await queue.settle()
    assert rushes == [500], "they wait, and nothing happens"
    queue.slots.give_back()
    await queue.settle()
    assert rushes == [500, 598]


async def test_a_slot_is_free_when_the_callback_has_ended_and_not_only_when_that_is_written(world):
    """The next claim is made while the end is written: both take their time."""
    first, second = (world.create(name, "in 1 minute") for name in ("first", "second"))
    engine = await world.start(max_concurrent=1)
    world.writer.rounds_to_answer = 50
    attempts = []

    def look():
        if len(world.rows()) == 2 and len(world.calls) == 1:  # the second is claimed, and has not begun
            attempts.append(len(engine.book.attempts))

    world.writer.after_write = look
    await world.run(2 * MINUTE)
    assert len(world.calls_of(first) + world.calls_of(second)) == 2
    assert attempts[0] == 1, "nobody had told yet that the end of the first was written"


@pytest.mark.parametrize("how", ["by hand", "recovered"])
async def test_one_that_waits_for_a_slot_while_its_next_firing_is_due_sleeps(world, how):
    """It would wake at once, for ever: what is due is due already."""
    waits = world.create("waits", "every 10 minutes", sleeping(HOUR) if how == "recovered" else None)
    if how == "recovered":
        await world.start()
        await world.run(10 * MINUTE + 1)
        await world.crash()
    else:
        await world.run(10 * MINUTE + 1)
    world.create("holds the slot", "in 1 second", sleeping(HOUR))
    await world.run(20 * MINUTE)
    engine = await world.start(max_concurrent=1)
    if how == "by hand":
        world.run_by_hand(waits)
    asked, ask = [], engine.book.slots.ask

    def count(due, grant):
        asked.append(due)
        assert len(asked) < 100, "it asks again and again"
        return ask(due, grant)

    engine.book.slots.ask = count
    await world.run(3 * HOUR)
    assert world.calls_of(waits)
