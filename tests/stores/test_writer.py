"""The writers: what is handed in is done in one thread, in groups, and each caller hears of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.errors import (
    AuroraError,
    JobExistsError,
    NotADatabaseError,
    SchedulerStopped,
    StoreError,
    StoreUnavailableError,
)
from aurora_scheduler.model import Commit, ExecutionStatus
from aurora_scheduler.ports import AlreadyRecorded, Decision, Notes, NotYet, Stale, Store, Writer
from aurora_scheduler.stores import InlineWriter, SqliteStore, ThreadedWriter, writer
from aurora_scheduler.tickets import Ticket
from stores.making import insert, make_execution, make_job

pytestmark = pytest.mark.trio


class CountingStore(SqliteStore):
    """Counts the transactions that were begun, and those that were committed."""

    begun = 0
    committed = 0

    @contextmanager
    def transaction(self):
        self.begun += 1
        with super().transaction():
            yield
        self.committed += 1


class Held:
    """A piece of work that begins and then waits to be told to go on, while others queue behind it."""

    def __init__(self):
        self._begun, self._go = threading.Event(), threading.Event()

    def __call__(self, store):
        self._begun.set()
        assert self._go.wait(60)

    async def begun(self):
        assert await trio.to_thread.run_sync(self._begun.wait, 60)

    def go(self):
        self._go.set()


class Heard:
    """An `on_commit` that remembers."""

    def __init__(self):
        self.notes: list[Notes] = []
        self.threads: set[int] = set()

    def __call__(self, notes):
        self.notes.append(notes)
        self.threads.add(threading.get_ident())

    @property
    def touched(self):
        return [job_id for notes in self.notes for job_id in notes.touched]

    @property
    def ended(self):
        return [row for notes in self.notes for row in notes.ended]


def is_answered(ticket):
    return not ticket.on_answer(lambda: None)


def add_job(job_id, **fields) -> Callable[[Store], str]:
    def work(store):
        store.insert(make_job(job_id, **fields))
        return job_id

    return work


def ids(store):
    return {job.id for job in store.jobs()}


@asynccontextmanager
async def threaded(store: Store, on_commit: Callable[[Notes], None] = lambda notes: None) -> AsyncIterator[Writer]:
    """A threaded writer at work; closed, and over, when the block is left."""
    made = ThreadedWriter(store, on_commit, SystemClock())
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        try:
            yield made
        finally:
            made.close()


@asynccontextmanager
async def inline(store: Store, on_commit: Callable[[Notes], None] = lambda notes: None) -> AsyncIterator[Writer]:
    """A writer that works on the spot."""
    store.open()
    made = InlineWriter(store, on_commit)
    yield made
    made.close()


@pytest.fixture(params=["file", "memory"])
def path(request, tmp_path) -> str:
    return str(tmp_path / "jobs.db") if request.param == "file" else ":memory:"


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture(params=[threaded, inline], ids=["threaded", "inline"])
def working(request) -> Callable[..., AbstractAsyncContextManager[Writer]]:
    return request.param


# Any writer -------------------------------------------------------------------------------------------------------


async def test_who_hands_in_work_gets_its_value(working, path):
    async with working(SqliteStore(path)) as at_work:
        assert await at_work.write(add_job("a")).wait() == "a"
        assert await at_work.read(ids).wait() == {"a"}


async def test_who_hands_in_work_gets_its_error_and_its_writes_are_undone(working, path):
    def spoilt(store):
        store.insert(make_job("half"))
        raise ZeroDivisionError

    async with working(SqliteStore(path)) as at_work:
        with pytest.raises(ZeroDivisionError):
            await at_work.write(spoilt).wait()
        with pytest.raises(KeyError):
            await at_work.read(lambda store: dict[str, int]()["nothing"]).wait()
        await at_work.write(add_job("a")).wait()
        with pytest.raises(JobExistsError):
            await at_work.write(add_job("a")).wait()
        assert await at_work.read(ids).wait() == {"a"}


async def test_an_error_of_sqlites_is_told_as_an_error_of_the_store(working, path):
    async with working(SqliteStore(path)) as at_work:
        with pytest.raises(StoreError, match="no such table"):
            await at_work.write(lambda store: store._connection.execute("DELETE FROM nowhere")).wait()
        await at_work.write(add_job("a")).wait()


async def test_a_read_sees_every_write_that_was_answered(working, path):
    async with working(SqliteStore(path, durability="normal")) as at_work:
        for number in range(100):
            await at_work.write(add_job(str(number))).wait()
            assert len(await at_work.read(ids).wait()) == number + 1


async def test_who_listens_hears_of_what_was_committed_and_of_nothing_else(working, path):
    running = make_execution(1, status=ExecutionStatus.RUNNING)
    ended = replace(running, status=ExecutionStatus.FAILED, finished=1)
    missed = make_execution(2, status=ExecutionStatus.MISSED)

    def undone(store):
        store.insert(make_job("undone"))
        store.commit(Commit(job=None, new=(missed,)))
        raise ZeroDivisionError

    heard = Heard()
    async with working(SqliteStore(path), heard) as at_work:
        await at_work.write(add_job("a")).wait()
        assert (heard.touched, heard.ended) == (["a"], [])
        await at_work.write(lambda store: store.commit(Commit(job=None, new=(running,)))).wait()
        with pytest.raises(ZeroDivisionError):
            await at_work.write(undone).wait()
        await at_work.write(lambda store: store.commit(Commit(job=None, moved=(ended,)))).wait()
    assert heard.touched == ["a"]
    assert heard.ended == [ended]


async def test_a_closed_writer_takes_no_more_work(working, path):
    called = []
    async with working(SqliteStore(path)) as at_work:
        await at_work.write(add_job("a")).wait()
    for hand_in in (at_work.write, at_work.read):
        with pytest.raises(AuroraError):
            await hand_in(lambda store: called.append(store.jobs())).wait()
    assert called == []


# Groups -----------------------------------------------------------------------------------------------------------


async def test_what_is_queued_is_committed_together(path):
    store, held = CountingStore(path), Held()
    async with threaded(store) as at_work:
        first = at_work.write(held)
        await held.begun()
        tickets = [at_work.write(add_job(str(number))) for number in range(100)]
        assert not any(map(is_answered, tickets))
        held.go()
        await first.wait()
        assert [await ticket.wait() for ticket in tickets] == [str(number) for number in range(100)]
        assert len(await at_work.read(ids).wait()) == 100
    # Where reading has no connection of its own, it is queued with the writing.
    assert store.begun == store.committed == 2 + store.in_memory


async def test_work_is_done_in_the_order_it_was_handed_in(path):
    store, held, order = CountingStore(path), Held(), []

    def note(number, store):
        order.append(number)

    async with threaded(store) as at_work:
        at_work.write(held)
        await held.begun()
        tickets = [at_work.write(partial(note, number)) for number in range(1500)]
        held.go()
        await tickets[-1].wait()
        assert all(map(is_answered, tickets))
    assert order == list(range(1500))


async def test_an_answer_comes_after_the_commit_and_never_before(file):
    seen = []

    def look():
        connection = sqlite3.connect(file)
        seen.append(connection.execute("SELECT count(*) FROM aurora_jobs").fetchone()[0])
        connection.close()

    held = Held()
    async with threaded(SqliteStore(str(file))) as at_work:
        at_work.write(held)
        await held.begun()
        tickets = [at_work.write(add_job(str(number))) for number in range(3)]
        for ticket in tickets:
            assert ticket.on_answer(look)
        held.go()
        await tickets[-1].wait()
    assert seen == [3, 3, 3]


async def test_who_listens_hears_of_a_group_at_once_in_the_writing_thread(path):
    heard, held, threads = Heard(), Held(), set()
    async with threaded(SqliteStore(path), heard) as at_work:
        at_work.write(held)
        await held.begun()
        tickets = [at_work.write(add_job(str(number))) for number in range(5)]
        at_work.write(lambda store: threads.add(threading.get_ident()))
        held.go()
        await tickets[-1].wait()
    assert [list(notes.touched) for notes in heard.notes if notes.touched] == [["0", "1", "2", "3", "4"]]
    assert heard.threads == threads


def raises(store):
    store.insert(make_job("spoilt"))
    raise ZeroDivisionError("the work's own")


def breaks(store):
    store.insert(make_job("spoilt"))
    store._connection.execute("INSERT INTO nowhere VALUES (1)")


def collides(store):
    store.insert(make_job("spoilt"))
    store.insert(make_job("there already"))


def swallows(store):
    """Has an error of the database and says nothing of it."""
    with pytest.raises(sqlite3.OperationalError):
        store._connection.execute("INSERT INTO nowhere VALUES (1)")


@pytest.mark.parametrize(
    ("bad", "error"),
    [(raises, ZeroDivisionError), (breaks, StoreError), (collides, JobExistsError), (swallows, None)],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_one_bad_write_fails_alone(path, bad, error):
    heard, held = Heard(), Held()
    async with threaded(SqliteStore(path), heard) as at_work:
        await at_work.write(add_job("there already")).wait()
        at_work.write(held)
        await held.begun()
        before = [at_work.write(add_job(f"before {number}")) for number in range(3)]
        spoilt = at_work.write(bad)
        after = [at_work.write(add_job(f"after {number}")) for number in range(3)]
        held.go()
        good = {await ticket.wait() for ticket in before + after}
        if error is None:
            await spoilt.wait()
        else:
            with pytest.raises(error):
                await spoilt.wait()
        assert len(good) == 6
        assert await at_work.read(ids).wait() == {"there already", *good}
    assert sorted(heard.touched) == sorted({"there already", *good}), "each once, and not the spoilt one"


async def test_a_write_that_fills_the_disk_fails_alone(file):
    def fill(store):
        store.insert(make_job("too big", callback_args={"x": "x" * 1_000_000}))

    def make_small(store):
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 20}")

    held = Held()
    async with threaded(SqliteStore(str(file))) as at_work:
        await at_work.write(make_small).wait()
        at_work.write(held)
        await held.begun()
        before, big, after = (at_work.write(work) for work in (add_job("a"), fill, add_job("b")))
        held.go()
        with pytest.raises(StoreUnavailableError, match="room"):
            await big.wait()
        assert [await before.wait(), await after.wait()] == ["a", "b"]
        assert await at_work.read(ids).wait() == {"a", "b"}


def be_impatient(store):
    store._connection.execute("PRAGMA busy_timeout = 1")


async def test_when_no_commit_is_possible_every_caller_hears_of_it_and_the_writer_goes_on(file):
    other = sqlite3.connect(file, isolation_level=None)
    async with threaded(SqliteStore(str(file))) as at_work:
        await at_work.write(be_impatient).wait()
        other.execute("BEGIN IMMEDIATE")
        for ticket in [at_work.write(add_job(str(number))) for number in range(5)]:
            with pytest.raises(StoreUnavailableError, match="locked"):
                await ticket.wait()
        assert await at_work.read(ids).wait() == set(), "reading goes on"
        other.execute("ROLLBACK")
        assert await at_work.write(add_job("late")).wait() == "late"
        assert await at_work.read(ids).wait() == {"late"}
    other.close()


# Withdrawing ------------------------------------------------------------------------------------------------------


async def test_what_is_withdrawn_before_it_is_taken_never_happens(path):
    held = Held()
    async with threaded(SqliteStore(path)) as at_work:
        first = at_work.write(held)
        await held.begun()
        ticket, kept = at_work.write(add_job("withdrawn")), at_work.write(add_job("kept"))
        assert ticket.withdraw()
        held.go()
        await first.wait()
        await kept.wait()
        assert await at_work.read(ids).wait() == {"kept"}
        assert not is_answered(ticket)


async def test_a_caller_that_is_cancelled_before_its_work_is_taken_has_never_called(path):
    held = Held()
    async with threaded(SqliteStore(path)) as at_work:
        at_work.write(held)
        await held.begun()
        with trio.CancelScope() as scope:
            scope.cancel()
            await at_work.write(add_job("withdrawn")).wait()
        assert scope.cancelled_caught
        held.go()
        await at_work.write(add_job("kept")).wait()
        assert await at_work.read(ids).wait() == {"kept"}


async def test_what_has_begun_when_its_caller_is_cancelled_stays(path):
    held = Held()

    def work(store):
        store.insert(make_job("begun"))
        held(store)

    async with threaded(SqliteStore(path)) as at_work:
        with trio.CancelScope() as scope:
            ticket = at_work.write(work)
            await held.begun()
            scope.cancel()
            await ticket.wait()
        assert scope.cancelled_caught
        held.go()
        await at_work.write(add_job("after")).wait()
        assert await at_work.read(ids).wait() == {"begun", "after"}


# The beginning and the end ----------------------------------------------------------------------------------------


async def test_what_is_queued_at_the_close_is_still_done_and_what_comes_after_is_refused(path):
    store, held = SqliteStore(path), Held()
    async with threaded(store) as at_work:
        at_work.write(held)
        await held.begun()
        tickets = [at_work.write(add_job(str(number))) for number in range(10)]
        read = at_work.read(ids)
        at_work.close()
        for late in (at_work.write(add_job("late")), at_work.read(ids)):
            with pytest.raises(SchedulerStopped):
                late.result(0)
        held.go()
    assert [ticket.result(0) for ticket in tickets] == [str(number) for number in range(10)]
    assert "late" not in read.result(0)
    at_work.close()


async def test_what_is_queued_when_the_writer_is_cancelled_is_still_done_and_the_store_closed(file):
    store, held = SqliteStore(str(file)), Held()
    at_work = ThreadedWriter(store, lambda notes: None, SystemClock())
    async with trio.open_nursery() as nursery:
        await nursery.start(at_work.run)
        at_work.write(lambda store: store.own("me"))
        at_work.write(held)
        await held.begun()
        tickets = [at_work.write(add_job(str(number))) for number in range(10)]
        nursery.cancel_scope.cancel()
        held.go()
    assert [ticket.result(0) for ticket in tickets] == [str(number) for number in range(10)]
    assert at_work.closed.result(0) is None
    other = SqliteStore(str(file))
    other.open()
    assert other.own("another")
    assert len(other.jobs()) == 10
    other.close()


async def test_a_store_that_cannot_be_opened_is_told_by_run_as_itself(file):
    file.write_text("Dear diary,")
    with pytest.raises(NotADatabaseError):
        await ThreadedWriter(SqliteStore(str(file)), lambda notes: None, SystemClock()).run()


async def test_a_reader_that_cannot_be_opened_is_told_by_run_as_itself_and_the_store_closed(file):
    class HalfAStore(SqliteStore):
        def reader(self):
            return SqliteStore(str(file.parent), reading=True)

    at_work = ThreadedWriter(HalfAStore(str(file)), lambda notes: None, SystemClock())
    queued = at_work.write(add_job("a")), at_work.read(ids)
    with pytest.raises(NotADatabaseError, match="directory"):
        await at_work.run()
    assert at_work.closed.result(0) is None
    assert all(map(is_answered, queued)), "nobody waits for ever"


async def test_nobody_waits_for_ever_for_a_store_that_could_not_be_opened(file):
    file.write_text("Dear diary,")
    at_work = ThreadedWriter(SqliteStore(str(file)), lambda notes: None, SystemClock())
    queued = at_work.write(add_job("a")), at_work.read(ids)
    with pytest.raises(NotADatabaseError):
        await at_work.run()
    late = at_work.write(add_job("a")), at_work.read(ids)
    for ticket in (*late, *queued):
        with pytest.raises(AuroraError):
            ticket.result(0)


async def test_what_is_handed_in_before_the_store_is_open_is_done_when_it_is(path):
    at_work = ThreadedWriter(SqliteStore(path), lambda notes: None, SystemClock())
    write, read = at_work.write(add_job("a")), at_work.read(ids)
    async with trio.open_nursery() as nursery:
        await nursery.start(at_work.run)
        assert await write.wait() == "a"
        at_work.close()
    assert read.result(0) <= {"a"}


def not_before(after: threading.Event, *, wait: int = 20_000):
    """Work that writes something, and takes it back as long as the time has not come; and how often it was tried."""
    tries = []

    def work(store):
        tries.append(None)
        done = add_job("put off")(store)
        if not after.is_set():
            raise NotYet(wait)
        return done

    return work, tries


async def test_work_for_which_the_time_has_not_come_is_done_when_it_has_and_others_go_on_meanwhile(path):
    come = threading.Event()
    work, tries = not_before(come)
    async with threaded(SqliteStore(path)) as at_work:
        put_off = at_work.write(work)
        for number in range(100):
            await at_work.write(add_job(str(number))).wait()
            assert "put off" not in await at_work.read(ids).wait()
        while len(tries) < 3:
            await at_work.write(ids).wait()
        assert not put_off.is_answered
        come.set()
        assert await put_off.wait() == "put off"
        assert "put off" in await at_work.read(ids).wait()


def and_take_it_away(work, store):
    work(store)
    store.remove(store.job("put off"))


async def test_several_that_are_put_off_are_done_each_in_its_time(path):
    come = [threading.Event() for _ in range(3)]
    works = [not_before(each, wait=1_000 * (4 - number))[0] for number, each in enumerate(come)]
    done = []
    async with threaded(SqliteStore(path), lambda notes: None) as at_work:
        tickets = [at_work.write(partial(and_take_it_away, work)) for work in works]
        for number in (2, 0, 1):
            come[number].set()
            await tickets[number].wait()
            done.append([ticket.is_answered for ticket in tickets])
    assert done == [[False, False, True], [True, False, True], [True, True, True]]


async def test_who_gives_up_waiting_for_work_that_is_put_off_has_it_done_all_the_same(path):
    come = threading.Event()
    work, tries = not_before(come)
    async with threaded(SqliteStore(path)) as at_work:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                ticket = at_work.write(work)
                nursery.start_soon(ticket.wait)
                while not tries:
                    await at_work.write(ids).wait()
                scope.cancel()
        come.set()
        while not ticket.is_answered:
            await at_work.write(ids).wait()
        assert "put off" in await at_work.read(ids).wait()


async def test_what_is_put_off_when_the_writer_is_closed_is_not_done_and_says_so(path):
    work, tries = not_before(threading.Event())
    async with threaded(SqliteStore(path)) as at_work:
        put_off = at_work.write(work)
        while not tries:
            await at_work.write(ids).wait()
    with pytest.raises(SchedulerStopped):
        put_off.result(0)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt], ids=lambda error: error.__name__)
async def test_nobody_waits_for_ever_whatever_ends_the_writer(path, error):
    """An internal failure fails one call, or stops the runtime loudly; in neither case is a caller forgotten."""

    def end(store):
        raise error

    at_work, held = ThreadedWriter(SqliteStore(path), lambda notes: None, SystemClock()), Held()
    tickets = []
    with suppress(BaseException):  # whether it raises is not the question
        async with trio.open_nursery() as nursery:
            await nursery.start(at_work.run)
            at_work.write(held)
            await held.begun()
            tickets += [at_work.write(work) for work in (add_job("a"), end, add_job("b"))]
            held.go()
            at_work.close()
    assert len(tickets) == 3
    assert all(map(is_answered, tickets))


async def test_when_it_is_over_no_thread_works_for_it(path):
    async with threaded(SqliteStore(path)) as at_work:
        await at_work.write(add_job("a")).wait()
        await at_work.read(ids).wait()
        assert threads_in_the_writer()
    assert not threads_in_the_writer()


def threads_in_the_writer():
    """Threads that are inside the writer's module; Trio keeps idle ones for a while, and those are in none of ours."""
    inside = []
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_code.co_filename == writer.__file__:
                inside.append(frame.f_code.co_name)
            frame = frame.f_back
    return inside


# Many callers -----------------------------------------------------------------------------------------------------


def count(store):
    job = store.job("nightly")
    store.commit(Commit(job=replace(job, version=job.version + 1, runs=job.runs + 1)))
    return job.runs + 1


async def test_eight_threads_and_both_event_loops_at_once_lose_nothing(path):
    """Each counts up what it reads; every number must have been given to exactly one of them."""
    numbers: list[int] = []

    def from_a_thread(at_work):
        numbers.extend([at_work.write(count).result(60) for _ in range(200)])

    def from_asyncio(at_work):
        async def together():
            return await asyncio.gather(*(at_work.write(count).wait() for _ in range(200)))

        numbers.extend(asyncio.run(together()))

    async def from_trio(at_work):
        for _ in range(200):
            numbers.append(await at_work.write(count).wait())

    store = SqliteStore(path, durability="normal")
    async with threaded(store) as at_work:
        await at_work.write(lambda store: store.insert(make_job())).wait()
        async with trio.open_nursery() as nursery:
            for caller in [from_a_thread] * 8 + [from_asyncio]:
                nursery.start_soon(partial(trio.to_thread.run_sync, caller, at_work))
            nursery.start_soon(from_trio, at_work)
        job = await at_work.read(lambda store: store.job("nightly")).wait()
    assert job is not None
    assert job.runs == 2000
    assert sorted(numbers) == list(range(1, 2001))


async def test_two_writers_at_one_file_write_in_turn(file):
    """As a scheduler and a standby do, or the command line."""
    setup = SqliteStore(str(file))
    setup.open()
    insert(setup, make_job())
    setup.close()

    async def count_up(at_work):
        for _ in range(50):
            await at_work.write(count).wait()

    async with (
        threaded(SqliteStore(str(file), durability="normal")) as one,
        threaded(SqliteStore(str(file), durability="normal")) as two,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_up, one)
            nursery.start_soon(count_up, two)
        job = await one.read(lambda store: store.job("nightly")).wait()
    assert job is not None
    assert job.runs == 100


# On the spot ------------------------------------------------------------------------------------------------------


async def test_the_inline_writer_works_in_the_callers_thread_and_answers_at_once(path):
    threads = []
    async with inline(SqliteStore(path)) as at_work:
        ticket = at_work.write(lambda store: threads.append(threading.get_ident()))
        assert is_answered(ticket)
        assert is_answered(at_work.read(ids))
    assert threads == [threading.get_ident()]


# Decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, 7, 19])
async def test_of_decisions_that_are_written_together_one_that_does_not_fit_fails_alone(path, wrong):
    store, errors = CountingStore(path), {}
    jobs = [make_job(str(number)) for number in range(20)]

    def check(store):
        raise AlreadyRecorded("planted")

    def decision(number):
        job = replace(jobs[number], version=5 if number == wrong else 2, runs=1)
        return Decision(
            Commit(job=job), None if number % 3 else lambda store: None, partial(errors.__setitem__, number)
        )

    async with threaded(store) as at_work:
        await at_work.write(lambda store: store.insert_all(jobs, [])).wait()
        at_work.decide([decision(number) for number in range(20)])
        at_work.decide([Decision(Commit(job=None), check, partial(errors.__setitem__, "checked"))])
        await at_work.write(lambda store: None).wait()  # who is answered after them
        runs = await at_work.read(lambda store: {job.id: job.runs for job in store.jobs()}).wait()
    assert isinstance(errors.pop(wrong), Stale)
    assert isinstance(errors.pop("checked"), AlreadyRecorded)
    assert set(errors.values()) == {None}
    assert runs == {str(number): int(number != wrong) for number in range(20)}


async def test_a_decision_that_is_not_wanted_any_more_is_not_written(path):
    store, told = SqliteStore(path), []
    wanted, unwanted = Ticket(), Ticket()
    assert unwanted.withdraw()
    async with threaded(store) as at_work:
        for number, ticket in enumerate([wanted, unwanted]):
            commit = Commit(job=None, new=(make_execution(number),))
            at_work.decide([Decision(commit, None, told.append, ticket.take)])
        rows = await at_work.write(lambda store: store.executions()).wait()
    assert [row.id for row in rows] == [make_execution(0).id]
    assert told == [None]
    assert not wanted.withdraw(), "it has begun"


async def test_decisions_that_come_when_it_is_closed_fail_with_its_reason(path):
    told = []
    async with threaded(SqliteStore(path)) as at_work:
        at_work.close()
        at_work.decide([Decision(Commit(job=None), None, told.append) for _ in range(3)])
    assert [type(error) for error in told] == [SchedulerStopped] * 3
