"""Tickets: an answer that any thread and any event loop can wait for, and that nobody is held up by."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
import trio.testing

from aurora_scheduler.tickets import Ticket, answered, loop_waker


class ObservedTicket(Ticket):
    """A ticket that tells when somebody has begun to wait for it."""

    def __init__(self):
        super().__init__()
        self.waited_for = threading.Semaphore(0)

    def on_answer(self, wake):
        still_open = super().on_answer(wake)
        self.waited_for.release()
        return still_open

    def wait_for_waiters(self, number=1):
        for _ in range(number):
            assert self.waited_for.acquire(timeout=60)


def from_a_thread(ticket):
    return ticket.result()


def from_asyncio(ticket):
    return asyncio.run(ticket.wait())


def from_trio(ticket):
    return trio.run(ticket.wait)


WAYS = {"a thread": from_a_thread, "asyncio": from_asyncio, "Trio": from_trio}


@pytest.fixture(params=WAYS)
def ask(request) -> Callable:
    """One way to wait for a ticket, as a function for a thread of its own."""
    return WAYS[request.param]


# Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "text", [1]], ids=repr)
def test_who_waits_gets_the_answer(ask, value):
    ticket = ObservedTicket()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, ticket)
        ticket.wait_for_waiters()
        assert not asked.done()
        ticket.answer(value)
        assert asked.result(60) is value


def test_who_waits_gets_the_error_itself(ask):
    ticket, error = ObservedTicket(), ZeroDivisionError("the call's own")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, ticket)
        ticket.wait_for_waiters()
        ticket.fail(error)
        assert asked.exception(60) is error


def test_who_comes_late_gets_the_answer_too(ask):
    good, bad = Ticket(), Ticket()
    good.answer(5)
    bad.fail(ZeroDivisionError())
    for _ in range(2):
        assert ask(good) == 5
        with pytest.raises(ZeroDivisionError):
            ask(bad)


def test_many_can_wait_for_one_answer_each_in_its_own_way():
    ticket, ways = ObservedTicket(), list(WAYS.values()) * 3
    with ThreadPoolExecutor(len(ways)) as pool:
        asked = [pool.submit(way, ticket) for way in ways]
        ticket.wait_for_waiters(len(ways))
        ticket.answer("for all")
        assert {each.result(60) for each in asked} == {"for all"}


@pytest.mark.parametrize("first", ["answer", "failure"])
def test_a_ticket_is_answered_once(first):
    ticket = Ticket()
    if first == "answer":
        ticket.answer(1)
    ticket.fail(ZeroDivisionError())
    ticket.answer(2)
    if first == "answer":
        assert ticket.result() == 1
    else:
        with pytest.raises(ZeroDivisionError):
            ticket.result()


# Taking and withdrawing -------------------------------------------------------------------------------------------


def test_what_was_withdrawn_is_not_taken_and_what_was_taken_is_not_withdrawn():
    withdrawn, taken = Ticket(), Ticket()
    assert withdrawn.withdraw()
    assert not withdrawn.take()
    assert withdrawn.withdraw()
    assert taken.take()
    assert not taken.withdraw()
    assert taken.take()


def test_of_taking_and_withdrawing_at_once_exactly_one_succeeds():
    tickets = [Ticket() for _ in range(5_000)]
    together = threading.Barrier(2)

    def each(do):
        together.wait(60)
        return [do(ticket) for ticket in tickets]

    with ThreadPoolExecutor(2) as pool:
        taken, withdrawn = pool.submit(each, Ticket.take), pool.submit(each, Ticket.withdraw)
        assert all(a != b for a, b in zip(taken.result(60), withdrawn.result(60), strict=True))


def test_a_thread_that_loses_patience_withdraws_what_was_not_taken():
    ticket = Ticket()
    with pytest.raises(TimeoutError, match="no answer within 0 seconds"):
        ticket.result(timeout=0)
    assert not ticket.take()


def test_a_thread_that_loses_patience_leaves_what_was_taken_and_may_ask_again():
    ticket = Ticket()
    assert ticket.take()
    with pytest.raises(TimeoutError):
        ticket.result(timeout=0)
    ticket.answer("late")
    assert ticket.result(timeout=0) == "late"


@pytest.mark.trio
@pytest.mark.parametrize("taken", [False, True])
async def test_a_cancelled_trio_task_withdraws_what_was_not_taken(taken):
    ticket: Ticket[int] = Ticket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ticket.wait)
        await trio.testing.wait_all_tasks_blocked()
        if taken:
            ticket.take()
        nursery.cancel_scope.cancel()
    assert ticket.take() is taken


@pytest.mark.parametrize("taken", [False, True])
def test_a_cancelled_asyncio_task_withdraws_what_was_not_taken(taken):
    async def main():
        ticket = ObservedTicket()
        task = asyncio.create_task(ticket.wait())
        await asyncio.to_thread(ticket.wait_for_waiters)
        if taken:
            ticket.take()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ticket.take() is taken

    asyncio.run(main())


def test_an_asyncio_timeout_withdraws_like_any_cancellation():
    async def main():
        ticket: Ticket[int] = Ticket()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await ticket.wait()
        assert not ticket.take()

    asyncio.run(main())


# Listeners --------------------------------------------------------------------------------------------------------


def test_who_listens_for_failure_hears_the_error_once_in_the_answering_thread():
    ticket, heard, error = Ticket(), [], ZeroDivisionError()
    ticket.on_failure(lambda failure: heard.append((failure, threading.get_ident())))

    def fail_twice():
        ticket.fail(error)
        ticket.fail(ValueError())
        return threading.get_ident()

    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(fail_twice).result(60)
    assert heard == [(error, thread)]


def test_who_listens_for_failure_late_hears_it_at_once():
    ticket, heard, error = Ticket(), [], ZeroDivisionError()
    ticket.fail(error)
    ticket.on_failure(heard.append)
    assert heard == [error]


def test_who_listens_for_failure_hears_nothing_of_success():
    before, after, heard = Ticket(), Ticket(), []
    before.on_failure(heard.append)
    before.answer(1)
    after.answer(1)
    after.on_failure(heard.append)
    assert heard == []


def test_listening_does_not_keep_the_caller_from_its_answer(ask):
    ticket, heard = Ticket(), []
    ticket.on_failure(heard.append)
    ticket.fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        ask(ticket)
    assert len(heard) == 1


def test_on_answer_says_whether_the_answer_is_still_to_come():
    ticket, woken = Ticket(), []
    assert ticket.on_answer(lambda: woken.append("early"))
    ticket.answer(1)
    assert not ticket.on_answer(lambda: woken.append("late"))
    assert woken == ["early"]


# Event loops ------------------------------------------------------------------------------------------------------


def test_an_answered_ticket_has_its_answer_everywhere(ask):
    assert ask(answered("at once")) == "at once"


@pytest.mark.trio
async def test_waiting_for_what_is_answered_already_is_a_checkpoint_on_trio():
    with trio.testing.assert_checkpoints():
        await answered(1).wait()
    with trio.CancelScope() as scope:
        scope.cancel()
        await answered(1).wait()
    assert scope.cancelled_caught


def test_waiting_for_what_is_answered_already_lets_others_run_on_asyncio():
    async def main():
        order = []

        async def other():
            order.append("the other")

        task = asyncio.create_task(other())
        await answered(1).wait()
        order.append("answered")
        await task
        assert order == ["the other", "answered"]

    asyncio.run(main())


async def a_loops_waker() -> tuple[Callable[[], None], Callable[[], Awaitable[object]]]:
    return loop_waker()


async def begun_and_left(ticket: Ticket[int]) -> None:
    """Leave a listener of this loop behind that nobody will ever hear."""
    wake, _ = loop_waker()
    assert ticket.on_answer(wake)


@pytest.mark.parametrize("run", [lambda f, *a: asyncio.run(f(*a)), trio.run], ids=["asyncio", "Trio"])
def test_a_loop_that_is_over_is_no_error_for_who_answers(run):
    ticket: Ticket[int] = Ticket()
    run(begun_and_left, ticket)
    ticket.answer(1)
    assert ticket.result() == 1


@pytest.mark.parametrize("run", [lambda f: asyncio.run(f()), trio.run], ids=["asyncio", "Trio"])
def test_a_waker_may_be_called_again_and_after_the_end(run):
    wake, _ = run(a_loops_waker)
    wake()
    wake()


def test_a_loop_that_ends_without_its_answer_does_not_keep_the_others_from_theirs():
    ticket = ObservedTicket()
    asyncio.run(begun_and_left(ticket))
    trio.run(begun_and_left, ticket)
    ticket.wait_for_waiters(2)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(way, ticket) for way in WAYS.values()]
        ticket.wait_for_waiters(3)
        ticket.answer("still")
        assert [each.result(60) for each in asked] == ["still"] * 3


def test_a_trio_task_and_an_asyncio_task_can_exchange_answers():
    """Neither blocks its loop, and no further thread is needed."""
    questions = [ObservedTicket() for _ in range(100)]
    replies = [ObservedTicket() for _ in range(100)]

    async def ask_all():
        got = []
        for number, (question, reply) in enumerate(zip(questions, replies, strict=True)):
            question.answer(number)
            got.append(await reply.wait())
        return got

    async def answer_all():
        for question, reply in zip(questions, replies, strict=True):
            reply.answer(await question.wait() * 2)

    with ThreadPoolExecutor(2) as pool:
        got, _ = pool.submit(trio.run, ask_all), pool.submit(lambda: asyncio.run(answer_all()))
        assert got.result(60) == [2 * number for number in range(100)]
