"""The mailbox: calls from other threads, made in one loop, in order."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from aurora_scheduler.engine.mailbox import Mailbox

pytestmark = pytest.mark.trio


async def test_calls_are_made_in_the_loop_in_the_order_of_each_thread(nursery):
    mailbox, made, done = Mailbox(), [], trio.Event()
    nursery.start_soon(mailbox.run)

    def put_all(name):
        for number in range(1000):
            mailbox.put(note, name, number)

    def note(name, number):
        made.append((name, number, threading.get_ident()))
        if len(made) == 3000:
            done.set()

    async with trio.open_nursery() as hops:
        for name in "abc":
            hops.start_soon(trio.to_thread.run_sync, put_all, name)
    await done.wait()
    assert {thread for *_, thread in made} == {threading.get_ident()}
    for name in "abc":
        assert [number for one, number, _ in made if one == name] == list(range(1000))


async def test_what_came_before_it_runs_is_made_when_it_does(nursery):
    mailbox, made = Mailbox(), []
    mailbox.put(made.append, "call")
    mailbox.put_last(lambda: made.append("last"))
    await trio.testing.wait_all_tasks_blocked()
    assert made == []
    nursery.start_soon(mailbox.run)
    await trio.testing.wait_all_tasks_blocked()
    assert made == ["call", "last"]


async def test_a_call_may_lead_to_others_and_the_loop_gets_its_turn_between(nursery):
    mailbox, made, turns = Mailbox(), [], 0

    def again(number):
        made.append(number)
        if number < 100:
            mailbox.put_last(lambda: mailbox.put(again, number + 1))

    nursery.start_soon(mailbox.run)
    mailbox.put(again, 1)
    while len(made) < 100:
        await trio.lowlevel.checkpoint()
        turns += 1
    assert turns > 50


async def test_the_last_calls_are_made_when_all_others_had_their_turn(nursery):
    mailbox, made, woken = Mailbox(), [], trio.Event()

    async def wait(number):
        await woken.wait()
        made.append(number)
        mailbox.put_last(lambda: made.append("last"))

    nursery.start_soon(mailbox.run)
    for number in range(5):
        nursery.start_soon(wait, number)
    await trio.testing.wait_all_tasks_blocked()
    woken.set()
    await trio.testing.wait_all_tasks_blocked()
    assert made[5:] == ["last"] * 5


async def test_an_error_of_a_call_is_raised_in_the_tasks_nursery():
    mailbox = Mailbox()

    def fail():
        raise ValueError("what it told of went wrong")

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="went wrong")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mailbox.run)
            mailbox.put(fail)


async def test_once_nobody_makes_them_calls_are_let_go():
    mailbox, made = Mailbox(), []
    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.run()
    await trio.to_thread.run_sync(mailbox.put, made.append, 1)
    await trio.testing.wait_all_tasks_blocked()
    assert made == []


async def test_an_answer_that_comes_when_the_engine_has_failed_changes_nothing(world):
    """Where it once began an execution in a nursery that was closed, and took the whole loop down."""

    async def fail():
        await trio.sleep(60)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        raise RuntimeError("planted")

    world.create("it", "in 1 minute", lambda call: None)
    engine = await world.start()
    world.writer.rounds_to_answer = 50
    engine.book.tending.start_soon(fail)
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="planted"), flatten_subgroups=True):
        await world.run(100)
    assert world.calls == []
