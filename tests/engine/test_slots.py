"""Slots: who is due first has one first, and whoever has waited for one is told so."""

from __future__ import annotations

import pytest
import trio

from aurora_scheduler.engine.slots import Slots

pytestmark = pytest.mark.trio


async def test_who_was_due_first_is_first_and_only_he_has_not_waited():
    slots, taken = Slots(1), []

    async def take(due):
        taken.append((due, await slots.take(due)))
        await trio.sleep(0.001)
        slots.give_back()

    async with trio.open_nursery() as nursery:
        for due in (3, 1, 2):
            nursery.start_soon(take, due)
    assert taken == [(1, False), (2, True), (3, True)]


async def test_where_there_are_enough_nobody_waits():
    slots, taken = Slots(3), []

    async def take(due):
        taken.append(await slots.take(due))

    async with trio.open_nursery() as nursery:
        for due in (3, 1, 2):
            nursery.start_soon(take, due)
    assert taken == [False, False, False]


async def test_who_is_cancelled_while_he_waits_leaves_the_slot_to_the_next():
    slots = Slots(1)
    assert await slots.take(1) is False
    with trio.move_on_after(0.001):
        await slots.take(2)
    slots.give_back()
    assert await slots.take(3) is False
