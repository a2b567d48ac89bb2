"""Callbacks that the tests' jobs name.

Each is told, by an argument that JSON can carry, on which stage it plays: that is where it notes what it saw, says
that it has begun, waits to be let go, and finds the scheduler to call.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
import sniffio
import trio

from facades.waiting import DEADLINE, eventually

_stages: dict[str, Stage] = {}
_numbers = count(1)


class Stage:
    """What one test and its callbacks share."""

    def __init__(self) -> None:
        self.name = f"stage {next(_numbers)}"
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()
        self.notes: list[Any] = []
        self.scheduler: Any = None
        """The facade that the callback calls."""

    @property
    def args(self) -> dict[str, Any]:
        """The `callback_args` that lead here."""
        return {"stage": self.name}

    async def has_begun(self) -> None:
        """Wait, on any event loop, until the callback says that it has begun."""
        assert await anyio.to_thread.run_sync(self.begun.wait, DEADLINE), "the callback did not begin"

    async def has_ended(self) -> None:
        """Wait, on any event loop, until the callback says that it has ended."""
        assert await anyio.to_thread.run_sync(self.ended.wait, DEADLINE), "the callback did not end"


@contextmanager
def a_stage() -> Iterator[Stage]:
    """A stage of one's own. Whoever still plays at the end may go."""
    stage = Stage()
    _stages[stage.name] = stage
    try:
        yield stage
    finally:
        stage.may_end.set()


def on(stage: str) -> Stage:
    return _stages[stage]


# -- callbacks that do as they should ---------------------------------------------------------------------------


def nothing() -> None:
    """Returns at once."""


async def nothing_async() -> None:
    """Returns at the next checkpoint."""
    await anyio.lowlevel.checkpoint()


def note(stage: str, text: str = "called") -> dict[str, Any]:
    on(stage).notes.append(text)
    on(stage).begun.set()
    return {"message": text}


def answer(value: Any) -> Any:
    return value


class Shelf:
    @staticmethod
    def note(stage: str) -> None:
        on(stage).notes.append("shelf")

    def bound(self) -> None: ...


def note_context(
    stage: str,
    job_id: str,
    job_name: str,
    execution_id: str,
    scheduled_for: datetime,
    attempt: int,
    idempotency_key: str,
) -> None:
    on(stage).notes.append(
        {
            "job_id": job_id,
            "job_name": job_name,
            "execution_id": execution_id,
            "scheduled_for": scheduled_for,
            "attempt": attempt,
            "idempotency_key": idempotency_key,
        }
    )


async def note_some_context(stage: str, *, attempt: int) -> None:
    on(stage).notes.append(attempt)


def note_any(**kwargs: Any) -> None:
    on(kwargs["stage"]).notes.append(sorted(kwargs))


def note_thread(stage: str) -> None:
    on(stage).notes.append((threading.get_ident(), None))


async def note_loop(stage: str) -> None:
    await anyio.lowlevel.checkpoint()
    on(stage).notes.append((threading.get_ident(), sniffio.current_async_library()))


async def sleep_on_asyncio(stage: str) -> dict[str, Any]:
    await asyncio.sleep(0)
    on(stage).notes.append(threading.get_ident())
    return {"message": "slept"}


seen: ContextVar[str] = ContextVar("seen", default="nothing yet")


def leave_a_trace(stage: str) -> None:
    on(stage).notes.append(seen.get())
    seen.set("left by an earlier execution")


async def leave_a_trace_async(stage: str) -> None:
    leave_a_trace(stage)
    await anyio.lowlevel.checkpoint()


# -- callbacks that take their time -----------------------------------------------------------------------------


def wait_in_thread(stage: str) -> dict[str, Any]:
    played = on(stage)
    played.begun.set()
    assert played.may_end.wait(DEADLINE)
    played.ended.set()
    return {"message": "waited"}


async def block_the_loop(stage: str) -> dict[str, Any]:
    """What no async callback should do."""
    return wait_in_thread(stage)


async def block_in_a_child(stage: str) -> None:
    """The same, in a task of its own."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(block_the_loop, stage)
        on(stage).notes.append("opened")
        await anyio.to_thread.run_sync(on(stage).ended.wait, DEADLINE)
        nursery.cancel_scope.cancel()


async def block_deep_inside(stage: str, depth: int = 2_000) -> None:
    """The same, in the last of a long row of tasks, each of which is the child of the one before."""
    if depth == 0:
        await block_the_loop(stage)
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(block_deep_inside, stage, depth - 1)


async def block_without_source(stage: str) -> None:
    """The same, in code whose source nobody can have."""

    class Loader:
        def get_source(self, name: str) -> str:
            raise ZeroDivisionError

    scope = {"__name__": "nowhere", "__loader__": Loader(), "block": block_the_loop}
    exec(compile("async def run(stage): await block(stage)", "nowhere.py", "exec"), scope)
    run: Any = scope["run"]
    await run(stage)


async def spin(stage: str) -> None:
    """Blocks the loop by thinking."""
    on(stage).begun.set()
    while not on(stage).may_end.is_set():
        sum(range(1000))


async def wait_async(stage: str) -> dict[str, Any]:
    """Waits on whichever loop it is awaited on, and notes how that ended."""
    played = on(stage)
    played.begun.set()
    try:
        while not played.may_end.is_set():  # noqa: ASYNC110 - it is set from another thread
            await anyio.sleep(0.01)
    except BaseException as error:
        played.notes.append(type(error).__name__)
        raise
    finally:
        played.ended.set()
    return {"message": "waited"}


# -- callbacks that call the scheduler --------------------------------------------------------------------------


def call(stage: str, job_id: str) -> Any:
    """Do with the plain facade what the test has laid down in `scheduler`."""
    played = on(stage)
    return played.scheduler(job_id)


async def call_async(stage: str, job_id: str) -> Any:
    """Do with the async facade what the test has laid down in `scheduler`; note on which loop."""
    played = on(stage)
    played.notes.append(sniffio.current_async_library())
    return await played.scheduler(job_id)


# -- hostile callbacks ------------------------------------------------------------------------------------------


def fail(text: str = "no such host") -> None:
    raise OSError(text)


def fail_once(stage: str, attempt: int) -> dict[str, Any]:
    on(stage).notes.append(attempt)
    if attempt == 1:
        raise OSError("not the first time")
    return {"message": f"attempt {attempt}"}


def exit_process() -> None:
    sys.exit(3)


async def exit_process_async() -> None:
    sys.exit(3)


def interrupt() -> None:
    raise KeyboardInterrupt


async def interrupt_async() -> None:
    raise KeyboardInterrupt


class Odd(BaseException):
    """A BaseException that nobody expects."""


def raise_odd() -> None:
    raise Odd("odd")


async def raise_odd_async() -> None:
    raise Odd("odd")


def raise_group() -> None:
    raise ExceptionGroup("two at once", [ValueError("first"), ExceptionGroup("inner", [KeyError("second")])])


async def raise_group_async() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_fail_async, "left")
        nursery.start_soon(_fail_async, "right")


async def _fail_async(text: str) -> None:
    raise ValueError(text)


def return_much() -> dict[str, Any]:
    return {"message": "much", "data": "x" * 1_000_000}


def return_unserialisable() -> dict[str, Any]:
    return {"message": "odd", "data": object()}


def return_cycle() -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    return {"data": cycle}


class WithoutRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def return_without_repr() -> Any:
    return WithoutRepr()


def return_coroutine() -> Any:
    return nothing_async()


async def swallow_cancellation(stage: str) -> None:
    """Will not end, however often it is told to."""
    played = on(stage)
    played.begun.set()
    try:
        while not played.may_end.is_set():
            try:
                await trio.sleep(0.01)
            except trio.Cancelled:
                threading.Event().wait(0.01)  # the test's own threads need the interpreter, too
    finally:
        played.ended.set()


# -- what is no callback ----------------------------------------------------------------------------------------

not_callable = 7


def a_closure() -> Callable[[], None]:
    def inside() -> None: ...

    return inside


a_lambda = lambda: None  # noqa: E731 - a lambda is what it is about


def shut_down_and_note(stage: str) -> None:
    """Stop the scheduler from inside a callback, and go on for a while."""
    played = on(stage)
    played.scheduler.shutdown()
    played.notes.append("shutdown returned")
    played.begun.set()
    assert played.may_end.wait(DEADLINE)


async def stop_and_note(stage: str) -> None:
    """Stop the scheduler from inside an async callback, and go on for a while."""
    played = on(stage)
    await played.scheduler.stop()
    played.notes.append("stop returned")
    played.begun.set()
    while not played.may_end.is_set():  # noqa: ASYNC110 - it is set from another thread
        await anyio.sleep(0.01)


def wait_for_another(stage: str, job_id: str) -> None:
    """Ask for what would be a deadlock."""
    on(stage).scheduler.run_job(job_id, wait=True)


def delete_itself(stage: str, job_id: str) -> None:
    played = on(stage)
    assert played.scheduler.cancel_job(job_id)
    eventually(lambda: played.scheduler.get_job(job_id) is None)
    played.notes.append("deleted")
