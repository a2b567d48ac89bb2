"""The thread: `trio.run` in a thread of its own, and the way in and out for other threads and event loops.

A call does not pass through the Trio thread at all. It is handed to the store's writer, from whichever thread it is
made, and answered after its commit; the engine hears of the change and follows. So a call never waits for an event
loop, and none can deadlock: not from asyncio, not from Trio, not from a callback, not from the scheduler's own thread.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from aurora_scheduler.answers import Health
from aurora_scheduler.engine import Engine, Home, Settings, current_execution, is_beginning_worker
from aurora_scheduler.errors import AuroraError, ForkedProcessError, SchedulerStopped, StoreError, StoreUnavailableError
from aurora_scheduler.events import Feed, Listener
from aurora_scheduler.forks import NoFork
from aurora_scheduler.hearing import Hearing
from aurora_scheduler.logs import logger
from aurora_scheduler.model import Execution
from aurora_scheduler.ports import Notes, Store
from aurora_scheduler.runtime import Runtime
from aurora_scheduler.tickets import Ticket, answered

__all__ = ["Host"]

T = TypeVar("T")
_log = logger("host")

#: At interpreter exit the scheduler takes this many seconds at most, of which callbacks get the first.
_EXIT, _EXIT_DRAIN = 5.0, 3.0
#: How often, in seconds, a standby looks for the end of a run that it asked for.
_LOOK_EVERY = 0.25


class Host:
    """One run of a scheduler: an open store, a thread, and, once begun, an engine in it.

    `open` starts the thread, `begin` the firing, `stop` ends both. A host runs once.
    """

    def __init__(self, store: Store, runtime: Runtime, settings: Settings) -> None:
        self.clock = runtime.clock
        self.settings = runtime.adapted(settings)
        self._runtime = runtime
        self._writer = runtime.writer(store, self._on_commit, self._why_stopped)
        self._pid = os.getpid()
        self._home: Home | None = None
        self._engine: Engine | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._begun: trio.Event | None = None
        self._wants_firing = False
        self._stop_drain: float | None = None
        #: Answered when the store is open; fails with `StoreError` where it cannot be.
        self.opened: Ticket[None] = Ticket()
        self._ended: Ticket[None] = Ticket()
        self._failure: BaseException | None = None
        self._awaited: dict[str, list[Ticket[Execution]]] = {}
        self._any_awaited = trio.Event()
        self._feed = Feed()
        self._hearing: Hearing | None = None
        self._gate = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="aurora-scheduler", daemon=True)

    # -- life, from outside -------------------------------------------------------------------------------------

    def open(self, home: Home | None) -> None:
        """Start the thread, which opens the store."""
        if is_beginning_worker():
            raise SchedulerStopped(
                'this is a worker process for runner="process", and needs no scheduler of its own: put what the script '
                'does, other than to define, under `if __name__ == "__main__":`'
            )
        if home is not None:
            self.adopt(home)
        _alive.add(self)
        self._thread.start()

    def adopt(self, home: Home) -> None:
        """Have `runner="app"` callbacks awaited on this loop from now on."""
        home.waiting = self._runtime.waiting
        self._home = home
        if self._engine is not None:
            self._engine.book.runners.home = home

    def offer(self, home: Home | None) -> None:
        """The same, unless there is a loop already that still runs."""
        if home is not None and (self._home is None or not self._home.is_there):
            self.adopt(home)

    def runs(self, execution_id: str) -> bool:
        """Whether this execution runs here."""
        return self._engine is not None and execution_id in self._engine.book.attempts

    def begin(self) -> None:
        """Begin firing; a second call does nothing."""
        self.check()
        self._wants_firing = True
        self._post(self._begin)

    def stop(self, drain: float) -> Ticket[None]:
        """Stop: callbacks that run get `drain` seconds, then async ones are cancelled. Answered when all is closed.

        A later call can only shorten that.
        """
        self._check_process()
        with self._gate:
            self._stop_drain = drain if self._stop_drain is None else min(drain, self._stop_drain)
        self._post(self._end)
        return self._ended

    @property
    def is_firing(self) -> bool:
        """Whether `begin` was called and `stop` was not."""
        return self._wants_firing and self._stop_drain is None

    @property
    def is_open(self) -> bool:
        """Whether calls are taken."""
        return self._stop_drain is None and self._failure is None and self._pid == os.getpid()

    def join(self) -> None:
        """Wait for the thread's last steps after `stop` was answered; not where a callback was left behind in it."""
        abandoned = self._engine is not None and self._engine.abandoned
        if not abandoned and threading.current_thread() is not self._thread:
            self._thread.join()

    # -- calls --------------------------------------------------------------------------------------------------

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Have the writer do `work` in a transaction. From any thread."""
        self.check()
        return self._writer.write(work)

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Have `work`, which only reads, done. From any thread."""
        self.check()
        return self._writer.read(work)

    def await_end(self, execution_id: str) -> Ticket[Execution]:
        """A ticket for the final row of an execution that is about to be asked for."""
        self.check()
        if current_execution.get() is not None:
            raise SchedulerStopped(
                "wait=True from inside a callback would hold this callback's place while it waits for another; "
                "call it without wait, and look at the execution later"
            )
        if not self.is_firing:
            raise SchedulerStopped("wait=True needs a scheduler that fires: call start() first")
        ticket: Ticket[Execution] = Ticket()
        with self._gate:
            self._awaited.setdefault(execution_id, []).append(ticket)
        self._post(lambda: self._any_awaited.set())
        return ticket

    def fail_end(self, execution_id: str, error: BaseException) -> None:
        """That execution will never be: who waits for its end hears why."""
        with self._gate:
            tickets = self._awaited.pop(execution_id, ())
        for ticket in tickets:
            ticket.fail(error)

    def listen(self) -> Listener:
        """A listener for what happens from now on."""
        listener = self._feed.listen()
        self._post(self._hear_others)
        return listener

    def _hear_others(self) -> None:
        if self._hearing is not None:
            self._hearing.begin()

    def health(self) -> Ticket[Health]:
        """How it is; answered by the loop, and so not at all while that is blocked."""
        self._check_process()
        if self._failure is not None:
            return answered(Health(status="stopped", reason=f"it failed: {self._failure}"))
        if self._stop_drain is not None:
            left = () if self._engine is None else self._engine.left
            return answered(Health(status="stopped", reason="stop was called", left=left))
        asked, ticket = self.clock.monotonic(), Ticket[Health]()
        self._post(lambda: ticket.answer(self._health(self.clock.monotonic() - asked)))
        return ticket

    def _health(self, lag: float) -> Health:
        trouble = self._writer.trouble
        if self._engine is None:
            return Health(status="stopped", reason="it takes calls, and was not started", store=trouble or "ok")
        return self._engine.health(lag, trouble)

    @property
    def blocking(self) -> str | None:
        """Which callback blocks the loop just now, as far as that is seen."""
        blocking = None if self._engine is None else self._engine.blocking
        return None if blocking is None else str(blocking)

    def check(self) -> None:
        """Raise `SchedulerStopped` where calls are not taken."""
        self._check_process()
        if self._failure is not None or self._stop_drain is not None:
            raise self._why_stopped() from self._failure

    def _why_stopped(self) -> SchedulerStopped:
        failure = self._failure
        if failure is None:
            return SchedulerStopped("the scheduler is stopped; initialize it again to go on")
        told = str(failure) if isinstance(failure, AuroraError) else repr(failure)
        return SchedulerStopped(f"the scheduler has failed and stopped, no job fires any more: {told}")

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedProcessError(
                f"this scheduler was started in process {self._pid}, and threads do not survive a fork: "
                "make one of your own here, after the fork"
            )

    def _on_commit(self, notes: Notes) -> None:
        # In the writer's thread, after each transaction.
        engine = self._engine
        if notes.touched and engine is not None:
            self._post(lambda: engine.note_changes(notes.touched))
        if self._awaited:
            for row in notes.ended:
                self._answer(row)
        self._feed.tell(notes.rows, notes.changes)

    def _answer(self, row: Execution) -> None:
        with self._gate:
            tickets = self._awaited.pop(row.id, ())
        for ticket in tickets:
            ticket.answer(row)

    def _post(self, call: Callable[[], None]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(call)

    # -- in the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._runtime.run(self._main)
        except BaseException as error:
            self._failure = failure = _cause(error)
            # Where it is the database that failed, its error says everything: what it is, and what to do.
            trace = None if isinstance(failure, StoreError) else error
            _log.critical("the scheduler has failed and stopped, no job fires any more: %s", failure, exc_info=trace)
            self.opened.fail(self._why_stopped())
        finally:
            self._writer.close()
            self._fail_waiting()
            self._feed.close()
            _alive.discard(self)
            self._ended.answer(None)

    async def _main(self) -> None:
        self._begun = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as storing:
            try:
                await storing.start(self._writer.run)
            except StoreError as error:
                self._failure = error
                self.opened.fail(error)
                return
            self.opened.answer(None)
            storing.start_soon(self._answer_if_abandoned)
            self._hearing = Hearing(self._writer, self._feed)
            if self._feed.has_listeners:
                self._hearing.begin()
            # What was asked for before there was a token to ask with.
            if self._wants_firing:
                self._begin()
            if self._stop_drain is not None:
                self._end()
            async with trio.open_nursery() as beside:
                beside.start_soon(self._hearing.run)
                await self._begun.wait()
                if self._engine is not None:
                    beside.start_soon(self._look_for_ends, self._engine)
                    await self._run_engine(self._engine)
                beside.cancel_scope.cancel()
            self._writer.close()

    async def _run_engine(self, engine: Engine) -> None:
        try:
            await engine.run()
        except BaseException as error:
            if not _only_cancelled(error):  # else something else has failed, and is about to be told
                self._failure = _cause(error)  # from here on, before all else is closed, calls hear why
            raise

    async def _look_for_ends(self, engine: Engine) -> None:
        """Where another process is the owner, its commits are not heard of here: look for the ends that are awaited."""
        while True:
            if engine.hears_all or not self._awaited:
                self._any_awaited = trio.Event()
                await self._any_awaited.wait()
            await trio.sleep(_LOOK_EVERY)
            for execution_id in () if engine.hears_all else list(self._awaited):
                with suppress(StoreUnavailableError):  # then at the next look
                    row = await self._writer.read(partial(_execution, execution_id)).wait()
                    if row is not None and row.status.is_final:
                        self._answer(row)

    def _begin(self) -> None:
        if self._engine is None and self._begun is not None:
            with NoFork():  # anyio imports its backend now
                self._engine = Engine(self._writer, self.clock, self.settings, self._home)
            self._begun.set()

    def _end(self) -> None:
        if self._engine is not None:
            self._engine.stop(self._stop_drain or 0.0)
        elif self._begun is not None:
            self._begun.set()

    async def _answer_if_abandoned(self) -> None:
        """Where a callback will not end, its thread stays; the store is closed, and who stopped waits no longer."""
        await self._writer.closed.wait()
        if self._engine is not None and self._engine.abandoned:
            self._fail_waiting()
            self._feed.close()
            _alive.discard(self)
            self._ended.answer(None)

    def _fail_waiting(self) -> None:
        with self._gate:
            awaited, self._awaited = self._awaited, {}
        for tickets in awaited.values():
            for ticket in tickets:
                early = SchedulerStopped("the scheduler stopped before the execution ended")
                ticket.fail(early if self._failure is None else self._why_stopped())


def _only_cancelled(error: BaseException) -> bool:
    """Whether nothing went wrong but that it was cancelled."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only_cancelled(inner) for inner in error.exceptions)
    return isinstance(error, trio.Cancelled)


def _cause(error: BaseException) -> BaseException:
    """The one error in nested groups of one; of several, the database's, which the others may come of."""
    while isinstance(error, BaseExceptionGroup):
        of_store = error.subgroup(StoreError)
        if of_store is None and len(error.exceptions) > 1:
            return error
        error = next(iter((of_store or error).exceptions))
    return error


def _execution(execution_id: str, store: Store) -> Execution | None:
    return store.execution(execution_id)


_alive: weakref.WeakSet[Host] = weakref.WeakSet()


@atexit.register
def _stop_at_exit() -> None:
    """The interpreter is going: nothing new starts, callbacks get a moment, the store is closed."""
    hosts = [host for host in list(_alive) if host.is_open]
    tickets = [host.stop(_EXIT_DRAIN) for host in hosts]
    patience = _EXIT
    for ticket in tickets:
        try:
            ticket.result(patience)
        except TimeoutError:
            patience = 0.0  # the time of one is the time of all: they stop side by side
