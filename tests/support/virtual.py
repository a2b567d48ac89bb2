"""The real engine on a virtual clock: days pass in milliseconds, the same way every time.

A `World` has the real store behind an `InlineWriter`, the real engine in the test's nursery, and Trio's `MockClock`,
which a driver moves: it waits until no task can go on and no worker thread works, then jumps to the next deadline.

All jobs share two callbacks, `act` (async) and `work` (plain), which look up in the world what the job's part is.
Before it plays, each sees to it that its claim is in the store: nothing ever runs without.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import trio
import trio.testing
from trio._core import _run

from aurora_scheduler import commands
from aurora_scheduler.definition import NewJob, amended, declare
from aurora_scheduler.engine import Engine, Settings
from aurora_scheduler.instants import SECOND, instant_of
from aurora_scheduler.model import Execution, ExecutionStatus, Job
from aurora_scheduler.ports import Notes, NotYet, Store
from aurora_scheduler.stores import InlineWriter
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.testing.clock import VirtualClock
from aurora_scheduler.testing.driver import Driver
from aurora_scheduler.testing.faults import FaultyWriter
from aurora_scheduler.values import replace
from support.lives import START, check_attempts, check_instants, check_overlap, instants_of

__all__ = ["Call", "World", "act", "sleeping", "work"]

T = TypeVar("T")
Part = Callable[["Call"], Any]


@dataclass(eq=False)
class Call:
    """One call of a callback."""

    world: World
    job_id: str
    job_name: str
    execution_id: str
    scheduled: int
    attempt: int
    key: str
    begun: int
    ended: int | None = None

    @property
    def run_of_job(self) -> int:
        """The how-many-eth call of its job this is, from 1."""
        return sum(call.job_id == self.job_id for call in self.world.calls)

    def sleep(self, seconds: float) -> None:
        """Sleep in virtual time, in a worker thread."""
        self.run(trio.sleep, seconds)

    def run(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Have the Trio loop run a coroutine function, and wait for it, in a worker thread."""
        return trio.from_thread.run(self.world.park, function, *args)


class World(trio.abc.Clock):
    """A store, an engine, and a time that the test lets pass.

    It is itself the clock of its test's Trio run: pytest-trio looks among a test's arguments for one.
    """

    def __init__(self, path: str = ":memory:") -> None:
        global _world
        _world = self
        self.reorder(0)
        self.mock = trio.testing.MockClock()
        self.clock = VirtualClock(self.mock, START)
        self._driver = Driver(self.mock)
        self._driver.check = self._see_that_it_lives
        self._driver.count_idle = lambda: 0 if self.engine is None else self.engine.idle_threads
        self.path = path
        self.calls: list[Call] = []
        self.final: dict[str, Execution] = {}
        self.is_pruned = False
        self.engine: Engine | None = None
        self.failure: BaseException | None = None
        self._parts: dict[str, Part] = {}
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        self._stopping = False
        self.open()

    # -- the clock of the Trio run ------------------------------------------------------------------------------

    def start_clock(self) -> None:
        """The run begins."""
        self.mock.start_clock()

    def current_time(self) -> float:
        """The run's time."""
        return self.mock.current_time()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """How long to really wait for a deadline: for ever, unless it has come."""
        return self.mock.deadline_to_sleep_time(deadline)

    def reorder(self, seed: int) -> None:
        """Have Trio draw from this seed which of the tasks that can go on goes first: as its Hypothesis plugin does."""
        _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
        _run._r.seed(seed)

    # -- the store and the engine -------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the store."""
        self.store = SqliteStore(self.path)
        self.store.open()
        self.writer = FaultyWriter(self.store, self._on_commit)
        self._calls = InlineWriter(self.store, self._on_commit)

    def _on_commit(self, notes: Notes) -> None:
        for row in notes.ended:
            assert row.id not in self.final, f"I7: final stays final: {row}"
            self.final[row.id] = row
        if self.engine is not None:
            self.engine.note_changes(notes.touched)

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """What is changed within it is changed by another process: nobody tells this engine."""
        engine, self.engine = self.engine, None
        self.store.disown()
        yield
        assert engine is not None
        self.store.own(engine.owner)
        self.engine = engine

    async def start(self, **settings: Any) -> Engine:
        """Start an engine and wait until it has nothing to do just now."""
        quiet = {"poll": None, "prune_every": None, "watch_clock": False, "unresolved_every": 86_400.0}
        self.engine = Engine(self.writer, self.clock, Settings(**(quiet | settings)))
        self._scope, self._over, self._stopping, self.failure = trio.CancelScope(), trio.Event(), False, None
        trio.lowlevel.spawn_system_task(self._let_end)
        trio.lowlevel.spawn_system_task(self._run, self.engine, self._scope, self._over)
        await self.settle()
        return self.engine

    async def _run(self, engine: Engine, scope: trio.CancelScope, over: trio.Event) -> None:
        try:
            with scope:
                await engine.run()
            if not self._stopping:
                self.failure = AssertionError("the engine ended by itself")
        except BaseException as error:  # whatever ends an engine ends the test, in `settle`
            self.failure = error
            if isinstance(error, trio.Cancelled):
                raise
        finally:
            over.set()

    async def _let_end(self) -> None:
        """When the test is over, let time fly, so that what shields itself from cancellation comes to its end."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                for _ in range(1000):
                    await trio.testing.wait_all_tasks_blocked()
                    ahead = trio.lowlevel.current_statistics().seconds_to_next_deadline
                    if ahead == math.inf:
                        break
                    self.mock.jump(max(ahead, 0.001))

    async def stop(self, drain: float = 30.0) -> None:
        """Stop the engine, and let time pass until it has."""
        self.begin_stop(drain)
        await self.run_until(self._over.is_set)

    def begin_stop(self, drain: float = 30.0) -> None:
        """Ask the engine to stop."""
        assert self.engine is not None
        self._stopping = True
        self.engine.stop(drain)

    async def crash(self) -> None:
        """The process dies: whatever runs is gone, and no end is written."""
        self._stopping = True
        self._scope.cancel()
        await self._over.wait()
        self.engine = None
        if self.path != ":memory:":
            self.writer.close()
            self.open()

    # -- time ---------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until nothing can go on before time does: no task, no worker thread."""
        await self._driver.settle()

    def _see_that_it_lives(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def run(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        await self._driver.run(seconds)

    async def run_to(self, instant: int) -> None:
        """Let virtual time pass until the wall clock shows this."""
        await self.run((instant - self.clock.now()) / SECOND)

    async def run_until(self, so: Callable[[], bool], at_most: float = 3600.0) -> None:
        """Let virtual time pass, from deadline to deadline, until something is so."""
        await self._driver.run(at_most, so)
        assert so(), "it never came to be so"

    async def park(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What a worker thread waits for; meanwhile, time may pass."""
        self._driver.parked += 1
        try:
            return await function(*args)
        finally:
            self._driver.parked -= 1

    @property
    def now(self) -> int:
        """The wall clock's instant."""
        return self.clock.now()

    # -- calls --------------------------------------------------------------------------------------------------

    def create(self, name: str, schedule: str, part: Part | None = None, *, sync: bool = False, **options: Any) -> str:
        """Create a job whose callback plays `part`: `act` calls or awaits it in Trio, `work` calls it in a thread."""
        if part is not None:
            self._parts[name] = part
        callback: Any = options.pop("callback", work if sync else act)
        new = NewJob(name=name, schedule=schedule, callback=callback, **options)
        declared = declare(new, now=self.now, new_id=self.clock.new_id, timezone="UTC")
        return self.write(lambda store: commands.create_jobs(store, self.clock, [declared]))[0]

    def write(self, work: Callable[[Store], T]) -> T:
        """A call's transaction: here and now, whatever the engine's writer is up to."""
        return self._calls.write(work).result()

    async def in_time(self, call: Callable[[], T]) -> T:
        """What a call answers that waits for a firing that is claimed ahead: time passes until that has begun."""
        while True:
            try:
                return call()
            except NotYet as error:
                await self.run(error.wait / SECOND)

    def edit(self, job_id: str, **changes: Any) -> Job:
        """Change a job, as `update_job` does."""

        def work(store: Store) -> Job:
            job = store.job(job_id)
            assert job is not None
            return commands.replace_job(store, self.clock, job, amended(job, changes, now=self.now))

        return self.write(work)

    def pause(self, job_id: str, cancel_running: bool = False) -> bool:
        """Put a job to rest."""
        return self.write(lambda store: commands.deactivate_job(store, self.clock, job_id, cancel_running))

    def resume(self, job_id: str) -> bool:
        """Let a job fire again."""
        return self.write(lambda store: commands.activate_job(store, self.clock, job_id))

    def delete(self, job_id: str) -> bool:
        """Delete a job."""
        return self.write(lambda store: commands.delete_job(store, self.clock, job_id))

    def run_by_hand(self, job_id: str) -> str:
        """Ask for a run now; the execution's id."""
        return self.write(lambda store: commands.run_job(store, self.clock, job_id, self.clock.new_id())).id

    def cancel(self, execution_id: str) -> bool:
        """Cancel an execution."""
        return self.write(lambda store: commands.cancel_execution(store, self.clock, execution_id))

    # -- what is so ---------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """The job."""
        job = self.store.job(job_id)
        assert job is not None
        return job

    def row(self, execution_id: str) -> Execution:
        """The execution."""
        row = self.store.execution(execution_id)
        assert row is not None
        return row

    def rows(self, job_id: str | None = None, status: ExecutionStatus | None = None) -> list[Execution]:
        """The executions, by firing and attempt."""
        rows = self.store.executions(job_id, status, limit=10**6)
        return sorted(rows, key=lambda row: (row.scheduled, row.attempt, row.id))

    def calls_of(self, job_id: str) -> list[Call]:
        """The calls of a job's callback."""
        return [call for call in self.calls if call.job_id == job_id]

    def check(self) -> None:
        """The invariants of SEMANTICS.md, section 10, that hold in every test."""
        rows = self.rows()
        if not self.is_pruned:
            check_attempts(rows)
        for job in {row.job_id for row in rows}:
            known = self.store.job(job)
            check_overlap([row for row in rows if row.job_id == job], 1 if known is None else known.max_instances)
        by_id = {row.id: row for row in rows}
        for call in self.calls:
            assert sum(other.execution_id == call.execution_id for other in self.calls) == 1, "an attempt ran twice"
        for row in rows:
            if row.status is ExecutionStatus.SUCCEEDED and row.job_name in self._parts:
                assert any(call.execution_id == row.id and call.ended is not None for call in self.calls), "I4"
        for final in self.final.values():
            row = by_id.get(final.id, final)  # of a job that was renamed it has the new id
            assert replace(row, job_id=final.job_id, generation=final.generation) == final, "I7"

    def check_every_instant(self, job_id: str) -> None:
        """I1 and I3, of a job that was active all the time."""
        check_instants(self.rows(job_id), instants_of(self.job(job_id), self.now))

    # -- the play -----------------------------------------------------------------------------------------------

    def begin(self, job_id: str, name: str, execution_id: str, scheduled_for: datetime, attempt: int, key: str) -> Call:
        """A callback begins: its claim must be in the store."""
        call = Call(self, job_id, name, execution_id, instant_of(scheduled_for), attempt, key, self.now)
        row = self.row(execution_id)
        assert self.engine is not None
        assert row.status in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING), f"runs without a claim: {row}"
        assert (row.owner, row.attempt, row.scheduled) == (self.engine.owner, attempt, call.scheduled)
        self.calls.append(call)
        return call

    def part_of(self, call: Call) -> Part:
        """What this job's callback does."""
        return self._parts.get(call.job_name, lambda call: None)

    def end(self, call: Call) -> None:
        """A callback returns, or raises."""
        call.ended = self.now


_world: World


def sleeping(seconds: float) -> Part:
    """A part that sleeps so long."""

    async def sleep(call: Call) -> None:
        await trio.sleep(seconds)

    return sleep


async def act(
    job_id: str, job_name: str, execution_id: str, scheduled_for: datetime, attempt: int, idempotency_key: str
) -> Any:
    """The async callback of every job."""
    world = _world
    call = world.begin(job_id, job_name, execution_id, scheduled_for, attempt, idempotency_key)
    try:
        result = world.part_of(call)(call)
        if inspect.isawaitable(result):
            result = await _awaited(result)
    finally:
        world.end(call)
    return result


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


def work(
    job_id: str, job_name: str, execution_id: str, scheduled_for: datetime, attempt: int, idempotency_key: str
) -> Any:
    """The plain callback of every job: runs in a worker thread."""
    world = _world
    call = trio.from_thread.run_sync(
        world.begin, job_id, job_name, execution_id, scheduled_for, attempt, idempotency_key
    )
    try:
        return world.part_of(call)(call)
    finally:
        world.end(call)
