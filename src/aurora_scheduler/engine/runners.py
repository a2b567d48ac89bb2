"""Where a callback runs: the scheduler's own Trio loop, a worker thread or process, or the application's event loop.

Each runner takes an attempt, a function and its arguments, and answers with an outcome; what the callback raises,
`SystemExit` and `KeyboardInterrupt` included, is an outcome too and ends nothing else.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol

import sniffio
import trio

from aurora_scheduler.callbacks import failed, raised, returned
from aurora_scheduler.engine.entries import Attempt, current_execution
from aurora_scheduler.engine.processes import CallbackProcesses
from aurora_scheduler.engine.threads import CallbackThreads
from aurora_scheduler.engine.watch import LoopWatch
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import ExecutionStatus, Outcome
from aurora_scheduler.ports import Clock
from aurora_scheduler.tickets import Ticket

__all__ = ["CANCELLED", "Home", "Runner", "Runners", "outcome_of"]

#: How long, in seconds, the application's loop may take to say that it has begun a callback.
_ANSWER_WITHIN = 5.0

#: How often, in seconds, a loop that runs a callback is looked after.
_LOOK_AFTER = 1.0

#: What a callback came to that was cancelled, or did not begin any more.
CANCELLED = Outcome(
    status=ExecutionStatus.CANCELLED, result={"success": False, "error": "cancelled"}, error="cancelled"
)


class Runner(Protocol):
    """Runs one attempt."""

    async def __call__(self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
        """Call `function`; everything it does becomes the outcome."""
        ...


class Runners:
    """The places there are, and which one a job's callback runs in."""

    def __init__(
        self, clock: Clock, home: Home | None, threads: CallbackThreads | None, default: str, watch: LoopWatch
    ) -> None:
        self._clock = clock
        self._watch = watch
        #: Where `runner="app"` callbacks are awaited; None: nowhere.
        self.home = home
        self._default = default
        #: Where plain functions are called; None: in the loop itself, for simulations.
        self._threads = threads
        self._processes = CallbackProcesses()

    def choose(self, runner: str, is_async: bool) -> Runner:
        """The runner for a job's `runner` option: "auto" takes the scheduler's default where that fits."""
        if not is_async:
            return self._in_process if runner == "process" else self._in_thread
        if runner == "auto":
            runner = self._default if self._default in ("trio", "app") else "trio"
        return self._in_app if runner == "app" else self._in_trio

    @property
    def has_threads(self) -> bool:
        """Whether there are worker threads for plain functions."""
        return self._threads is not None

    def post(
        self,
        attempt: Attempt,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        then: Callable[[Outcome], object],
    ) -> None:
        """Have a plain function called in a worker thread; `then` hears in the loop what it came to."""
        assert self._threads is not None
        self._threads.post(partial(self._call, attempt, function, arguments), then)

    def _call(self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
        if attempt.cancel_reason is not None:  # while it waited for a thread: it need not begin
            return CANCELLED
        current_execution.set(attempt.execution.id)
        attempt.begin(self._clock)
        try:
            return returned(function(**arguments))
        except BaseException as error:
            return raised(error)
        finally:
            attempt.finish(self._clock)

    async def _in_trio(self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
        scope = attempt.make_interruptible()
        attempt.begin(self._clock)
        self._watch.begin(attempt)
        try:
            with scope:
                return returned(await function(**arguments))
        except BaseException as error:
            return outcome_of(error)
        finally:
            self._watch.end(attempt)
        return CANCELLED

    async def _in_thread(self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
        if self._threads is None:
            await trio.lowlevel.checkpoint()
            return contextvars.copy_context().run(self._call, attempt, function, arguments)
        # Until the end of the scheduler an attempt holds its thread, and its job's slot, until it returns; then the
        # thread is let go, and its firing recovered at the next start.
        ended: Ticket[Outcome] = Ticket()
        self.post(attempt, function, arguments, ended.answer)
        return await ended.wait()

    async def _in_process(
        self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]
    ) -> Outcome:
        if self._threads is None:
            return await self._in_thread(attempt, function, arguments)
        assert attempt.callback is not None
        scope = attempt.make_interruptible()
        begin = partial(attempt.begin, self._clock)
        try:
            with scope:
                return await self._processes.call(attempt.callback, arguments, begin)
        except BaseException as error:  # where no process can be made, for instance
            return outcome_of(error)
        return CANCELLED

    async def _in_app(self, attempt: Attempt, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
        if self.home is None:
            name = attempt.execution.job_name
            return raised(
                CallbackError(
                    getattr(function, "__qualname__", name),
                    'runner="app" awaits callbacks on the event loop that initialised the scheduler, and this one was '
                    'initialised without a loop; use "await manager.initialize()", or runner="trio"',
                )
            )
        scope = attempt.make_interruptible()
        outcome = await self.home.run(attempt, scope, self._clock, lambda: function(**arguments))
        if outcome is CANCELLED and attempt.cancel_reason is None:
            loop = f"the application's {self.home.name} loop"
            return failed(f"it was cancelled, and not by the scheduler: {loop} ended, or the application cancelled it")
        return outcome


class Home:
    """The event loop from which the scheduler was initialised: where `runner="app"` callbacks are awaited."""

    def __init__(self, name: str, post: Callable[[Callable[[], object]], None], start: _Start) -> None:
        self.name = name
        #: Has the loop call something soon; raises `RuntimeError` when the loop is gone.
        self._post = post
        self._start = start
        #: Entered while a callback runs there.
        self.waiting: Callable[[], AbstractContextManager[object]] = nullcontext

    @classmethod
    def here(cls) -> Home | None:
        """The running loop, or None where there is none."""
        try:
            library = sniffio.current_async_library()
        except sniffio.AsyncLibraryNotFoundError:
            return None
        if library == "trio":
            return cls("Trio", trio.lowlevel.current_trio_token().run_sync_soon, _start_on_trio)
        return cls("asyncio", partial(_post_to_asyncio, asyncio.get_running_loop()), _start_on_asyncio)

    @property
    def is_there(self) -> bool:
        """Whether the loop has not ended."""
        try:
            self._post(_nothing)
        except RuntimeError:
            return False
        return True

    async def run(
        self, attempt: Attempt, scope: trio.CancelScope, clock: Clock, call: Callable[[], Awaitable[Any]]
    ) -> Outcome:
        """Have the home loop await `call()`, in a copy of this context; cancelling here cancels there."""
        with self.waiting():
            return await self._run(attempt, scope, clock, call)

    async def _run(
        self, attempt: Attempt, scope: trio.CancelScope, clock: Clock, call: Callable[[], Awaitable[Any]]
    ) -> Outcome:
        outcome: Ticket[Outcome] = Ticket()
        begun: Ticket[Callable[[], object]] = Ticket()
        context = contextvars.copy_context()

        def begin() -> None:
            if begun.take():
                attempt.begin(clock)
                begun.answer(self._start(call, context, outcome))

        try:
            self._post(begin)
            with trio.move_on_after(_ANSWER_WITHIN):
                await begun.wait()
            if begun.withdraw():
                return failed(f"the application's {self.name} loop did not begin it within {_ANSWER_WITHIN:.0f} s")
            with scope:
                return await self._answer(outcome)
            self._post(begun.result())
            return await self._answer(outcome)
        except RuntimeError as error:  # trio.RunFinishedError is one
            return failed(f"the application's {self.name} loop, where it was to run, is gone ({error})")

    async def _answer(self, outcome: Ticket[Outcome]) -> Outcome:
        while True:
            with trio.move_on_after(_LOOK_AFTER):
                return await outcome.wait()
            self._post(_nothing)  # raises when the loop is gone: then nobody will answer


#: Starts an awaitable on the loop it is called on; answers how to cancel it there.
_Start = Callable[[Callable[[], Awaitable[Any]], contextvars.Context, Ticket[Outcome]], Callable[[], object]]


def _post_to_asyncio(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    if not loop.is_running():
        raise RuntimeError("it has stopped")
    loop.call_soon_threadsafe(call)


def _nothing() -> None:
    """What is posted to see whether a loop is still there."""


def _start_on_asyncio(
    call: Callable[[], Awaitable[Any]], context: contextvars.Context, outcome: Ticket[Outcome]
) -> Callable[[], object]:
    async def run() -> None:
        try:
            outcome.answer(returned(await call()))
        except asyncio.CancelledError:
            outcome.answer(CANCELLED)
            raise
        except BaseException as error:
            outcome.answer(raised(error))

    task = asyncio.get_running_loop().create_task(run(), context=context)
    task.add_done_callback(lambda _: outcome.answer(CANCELLED))  # ignored, unless it was cancelled before it began
    return task.cancel


def _start_on_trio(
    call: Callable[[], Awaitable[Any]], context: contextvars.Context, outcome: Ticket[Outcome]
) -> Callable[[], object]:
    scope = trio.CancelScope()

    async def run() -> None:
        try:
            with scope:
                outcome.answer(returned(await call()))
        except BaseException as error:
            outcome.answer(CANCELLED if _is_cancelled(error) else raised(error))
            if _is_cancelled(error):
                raise
        outcome.answer(CANCELLED)  # ignored unless the scope was cancelled

    # A system task: it belongs to the application's own run, and there is no nursery of the application's to put it in.
    trio.lowlevel.spawn_system_task(run, context=context)
    return scope.cancel


def outcome_of(error: BaseException) -> Outcome:
    """What it comes to that a stranger's code raised this; raises it again where the engine itself is cancelled."""
    if _is_cancelled(error) and trio.current_effective_deadline() == -math.inf:
        raise error
    return raised(error)


def _is_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_cancelled(inner) for inner in error.exceptions)
    return isinstance(error, trio.Cancelled)
