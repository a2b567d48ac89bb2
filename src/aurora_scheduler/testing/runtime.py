"""What a simulated scheduler stands on: a clock that is moved, a store in the loop itself, tasks in a seeded order."""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

from aurora_scheduler.engine import Settings
from aurora_scheduler.errors import SchedulerStopped
from aurora_scheduler.ports import Notes, Store
from aurora_scheduler.testing.clock import VirtualClock
from aurora_scheduler.testing.driver import Driver
from aurora_scheduler.testing.faults import FaultyWriter
from aurora_scheduler.testing.order import ordered_by
from aurora_scheduler.tickets import Ticket, answered

__all__ = ["SimulatedRuntime"]

T = TypeVar("T")


def _stopped() -> Exception:
    return SchedulerStopped("the simulated scheduler stopped while time was to pass")


@dataclass(slots=True, eq=False)
class _Order:
    """Time shall pass: so much of it, or until something is so; and then something is done."""

    seconds: float = 0.0
    until: Callable[[], bool] = lambda: False
    then: Callable[[], None] = lambda: None
    end: float = 0.0
    """When it will have passed, if nothing else comes; by the clock that nobody sets."""
    ticket: Ticket[None] = field(default_factory=Ticket)

    def is_over(self) -> bool:
        """Whether time needs not pass any more: because of `until`, or since who waits for it was cancelled."""
        return self.ticket.is_withdrawn or self.until()


class LoopWriter(FaultyWriter):
    """A writer that works in the simulation's loop; `bring` has a call from another thread made there."""

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[Notes], None],
        stopped: Callable[[], Exception],
        bring: Callable[[Callable[[], None]], bool],
    ) -> None:
        super().__init__(store, on_commit, stopped)
        self._bring = bring
        self._thread: int | None = None
        self._posted: set[Ticket[Any]] = set()
        self._gate = threading.Lock()
        self._closing = trio.Event()
        #: Answered when the store is closed.
        self.closed: Ticket[None] = Ticket()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the store, and keep it open until closed."""
        self._thread = threading.get_ident()
        self._store.open()
        try:
            task_status.started()
            await self._closing.wait()
        finally:
            self.die()
            self._store.close()
            self.closed.answer(None)

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work` in a transaction of its own."""
        return self._in_loop(partial(super().write, work))

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work`, which only reads."""
        return self._in_loop(partial(super().read, work))

    def close(self) -> None:
        """Take no more work; `run` returns. Once the loop is over, what nobody has looked at fails."""
        if threading.get_ident() == self._thread:
            self._closing.set()
        with self._gate:
            rest, self._posted = self._posted, set()
        for ticket in rest:
            ticket.fail(self._stopped())

    def _in_loop(self, call: Callable[[], Ticket[T]]) -> Ticket[T]:
        if threading.get_ident() == self._thread:
            return call()
        ticket: Ticket[T] = Ticket()
        with self._gate:
            self._posted.add(ticket)

        def relay() -> None:
            with self._gate:
                self._posted.discard(ticket)
            if ticket.take():
                call().pass_on(ticket)

        if not self._bring(relay):
            ticket.fail(self._stopped())
        return ticket


class SimulatedRuntime:
    """The ground of a simulated scheduler: time passes in it only when it is told to."""

    def __init__(self, start: int, seed: int, *, prunes: bool) -> None:
        self.clock = VirtualClock(MockClock(), start, seed)
        self.clock.tells = True
        self._seed = seed
        self._prunes = prunes
        #: Claims take no time here; but they can be made ahead all the same, so many seconds.
        self.claim_ahead = 0.0
        self._runs = 0
        self._driver: Driver | None = None
        self._writer: LoopWriter | None = None
        self._scope = trio.CancelScope()
        #: Whether the last run ended as by `kill -9`.
        self.was_killed = False
        self._died = 0.0
        #: Whether a callback of the last run would not end, though the scheduler has let go of it.
        self.is_stuck = False
        #: Answered when the last run's loop is over, or stuck.
        self.over = answered(None)
        self._has_failed = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._orders: trio.MemorySendChannel[_Order] | None = None
        self._open_orders: list[_Order] = []
        self._current: _Order | None = None

    # -- what a scheduler needs ---------------------------------------------------------------------------------

    def adapted(self, settings: Settings) -> Settings:
        """Everything in one loop, and nothing that looks at the world from time to time."""
        kept = settings.prune_every if self._prunes else None
        return replace(
            settings, claim_ahead=self.claim_ahead, inline=True, poll=None, prune_every=kept, watch_loop=False
        )

    def waiting(self) -> AbstractContextManager[object]:
        """Time stands still while another loop works."""
        return nullcontext() if self._driver is None else self._driver.hold()

    def writer(self, store: Store, on_commit: Callable[[Notes], None], stopped: Callable[[], Exception]) -> LoopWriter:
        """A writer without threads."""
        self._writer = LoopWriter(store, on_commit, stopped, self._bring)
        return self._writer

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run the loop on a mock clock, with one more task, which moves it."""
        mock = MockClock()
        self.clock.go_on(mock)
        self._runs += 1
        self.was_killed, self._has_failed, self._current = False, False, None
        self.over = Ticket()
        try:
            with ordered_by(self._seed + self._runs):
                trio.run(self._run, main, mock, clock=mock)
        except BaseException:
            if not self.was_killed:
                self._has_failed = True
                raise
        finally:
            if self.was_killed:
                self.clock.skip(self._died - self.clock.monotonic())  # the dead do not count
            self._token = None
            orders, self._open_orders = self._open_orders, []
            for order in orders:
                self._give_up(order)
            self.over.answer(None)

    def _give_up(self, order: _Order) -> None:
        """The loop is over before time has passed: unless it has failed, the rest passes without it."""
        if not self._has_failed and math.isfinite(order.seconds):
            self.clock.skip(max(0.0, order.end - self.clock.monotonic()))
            order.ticket.answer(None)
        else:
            order.ticket.fail(_stopped())

    async def _run(self, main: Callable[[], Awaitable[None]], mock: MockClock) -> None:
        self._driver, self._scope = Driver(mock), trio.CancelScope()
        self._driver.note_stillness = self._note_if_stuck
        self._orders, orders = trio.open_memory_channel[_Order](math.inf)
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_driving, self._driver, orders)
            with self._scope:
                await main()
            nursery.cancel_scope.cancel()

    def _note_if_stuck(self) -> None:
        if self._writer is not None and self._writer.is_closed:
            self.is_stuck = True
            self.over.answer(None)

    async def _keep_driving(self, driver: Driver, orders: trio.MemoryReceiveChannel[_Order]) -> None:
        async for order in orders:
            self._current = order
            await driver.run(order.seconds, order.is_over)
            order.then()
            self._open_orders.remove(order)
            self._current = None
            order.ticket.answer(None)

    def _bring(self, call: Callable[[], None]) -> bool:
        """Have something done in the loop that is asked for in another thread. False: there is no loop any more.

        It is done when nothing else can go on, so that its place does not depend on the speed of threads; at once only
        where something may be waiting for it: while time passes, or another loop or thread works.
        """

        def arrive() -> None:
            order, driver = self._current, self._driver
            assert driver is not None
            if order is not None and (order.seconds or driver.is_held):
                call()
            else:
                self._give(_Order(then=call))

        return self._post(arrive)

    def _give(self, order: _Order) -> None:
        assert self._orders is not None
        if order not in self._open_orders:
            self._open_orders.append(order)
        self._orders.send_nowait(order)

    # -- what a simulation does ---------------------------------------------------------------------------------

    def pass_time(self, seconds: float, until: Callable[[], bool] = lambda: False) -> Ticket[None]:
        """Let so much time pass, or less, until something is so; answered then. Fails where the scheduler stops."""
        order = _Order(seconds, until, end=self.clock.monotonic() + seconds)
        self._open_orders.append(order)
        if not self._post(partial(self._give, order)):
            with suppress(ValueError):  # it may have been given up meanwhile, with those of the last loop
                self._open_orders.remove(order)
            order.ticket.fail(_stopped())
        return order.ticket

    @property
    def is_running(self) -> bool:
        """Whether there is a loop, for time to pass in."""
        return self._token is not None

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock, and it alone, by so many seconds."""
        self.clock.shift(seconds)
        self._bring(self.clock.tell)

    def change_writer(self, what: str, value: object) -> None:
        """Have the store's writer behave in another way from now on: one of the attributes of `FaultyWriter`."""
        setattr(self._writer, what, value)

    def kill(self) -> None:
        """The process is killed: whatever runs is dropped, nothing more is written. From any thread."""
        self._post(self.kill_here)

    def kill_here(self) -> None:
        """The same, at once, from inside the loop."""
        assert self._writer is not None
        if not self.was_killed:
            self.was_killed, self._died = True, self.clock.monotonic()
            self._writer.die()
            self._scope.cancel()
            self._give(_Order(math.inf))  # what shields itself from being cancelled may wait for time to pass

    def kill_at_write(self, number: int, *, after: bool) -> None:
        """The process is killed at its so-many-eth transaction from now: before it does anything, or after."""
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.kill_here()

        self.change_writer("after_write" if after else "before_write", count)

    def _post(self, call: Callable[[], None]) -> bool:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(call)
                return True
        return False
