"""An answer that is not there yet, which any thread and any event loop can wait for.

The thread that works on a call and the one that waits for it share nothing but a ticket. A plain thread blocks on
it; a coroutine awaits it on its own loop, asyncio's or Trio's, which is woken from outside. No worker thread is
needed on either side, and neither can deadlock the other: who answers never waits for who asked.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

import sniffio
import trio

__all__ = ["Ticket", "answered", "loop_waker"]

T = TypeVar("T")


class Ticket(Generic[T]):
    """One call's answer: a value or an error, given once.

    Who answers calls `take` before it begins, and then `answer` or `fail`; who asked calls `result` from a plain
    thread or `wait` from an event loop. A caller that is cancelled while it waits withdraws the call: if it was not
    taken yet, it never happens.
    """

    __slots__ = ("_answered", "_error", "_lock", "_taken", "_value", "_wakers", "_withdrawn")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], object]] = []
        self._value: T | None = None
        self._error: BaseException | None = None
        self._answered = False
        self._taken = False
        self._withdrawn = False

    def take(self) -> bool:
        """Begin the work; False if the caller has withdrawn it meanwhile."""
        with self._lock:
            self._taken = not self._withdrawn
            return self._taken

    def withdraw(self) -> bool:
        """Give the call up; False if its work has begun already, so that its effect stays."""
        with self._lock:
            self._withdrawn = not self._taken
            return self._withdrawn

    def answer(self, value: T) -> None:
        """The call went well. A second answer is ignored."""
        self._close(value, None)

    def fail(self, error: BaseException) -> None:
        """The call failed: who waits gets the error raised. Ignored after an answer."""
        self._close(None, error)

    def _close(self, value: T | None, error: BaseException | None) -> None:
        with self._lock:
            if self._answered:
                return
            self._value, self._error, self._answered = value, error, True
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def on_answer(self, wake: Callable[[], object]) -> bool:
        """Have `wake` called, from the answering thread, at the answer; False if the answer is there already."""
        with self._lock:
            if not self._answered:
                self._wakers.append(wake)
            return not self._answered

    def on_failure(self, tell: Callable[[BaseException], object]) -> None:
        """Have `tell` called with the error, from the answering thread, if the call fails."""

        def look() -> None:
            if self._error is not None:
                tell(self._error)

        if not self.on_answer(look):
            look()

    def result(self, timeout: float | None = None) -> T:
        """Block this thread until the answer is there, at most `timeout` seconds (then `TimeoutError`)."""
        event = threading.Event()
        if self.on_answer(event.set):
            try:
                if not event.wait(timeout):
                    raise TimeoutError(f"no answer within {timeout} seconds")
            except BaseException:
                self.withdraw()
                raise
        return self._outcome()

    @property
    def is_answered(self) -> bool:
        """Whether the answer, or an error, is there."""
        return self._answered

    @property
    def is_withdrawn(self) -> bool:
        """Whether who asked has given it up."""
        return self._withdrawn

    @property
    def error(self) -> BaseException | None:
        """The error that was given for an answer; None: there is none, or no answer yet."""
        return self._error

    def pass_on(self, other: Ticket[T]) -> None:
        """Give the answer that is there to another ticket."""
        if self._error is not None:
            other.fail(self._error)
        else:
            other.answer(self._outcome())

    async def wait(self) -> T:
        """Await the answer on the running event loop, asyncio's or Trio's."""
        try:
            await self._until_answered()
        except BaseException:
            self.withdraw()
            raise
        return self._outcome()

    async def _until_answered(self) -> None:
        if not self._answered:
            wake, woken = loop_waker()
            if self.on_answer(wake):
                await woken()
                return
        await _checkpoint()

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # answered without an error: it is a T


def answered(value: T) -> Ticket[T]:
    """A ticket whose answer is there already."""
    ticket: Ticket[T] = Ticket()
    ticket.answer(value)
    return ticket


def loop_waker() -> tuple[Callable[[], None], Callable[[], Awaitable[object]]]:
    """A pair for the running loop: call the first from any thread, and the second, awaited here, returns.

    The first does nothing once the loop is gone: there is nobody left to wake.
    """
    event: trio.Event | asyncio.Event
    if sniffio.current_async_library() == "trio":
        bell, event = _trio_bell(), trio.Event()
    else:
        bell, event = _asyncio_bell(), asyncio.Event()
    return partial(bell.ring, event.set), event.wait


class _Bell:
    """Wakes who waits in one loop, from any thread: many at once by one call into the loop, each of which costs."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._wakes: deque[Callable[[], object]] = deque()
        self._is_rung = False

    def ring(self, wake: Callable[[], object]) -> None:
        """Have `wake` called in the loop."""
        self._wakes.append(wake)  # first: who finds the bell rung has it called by whoever comes for that
        if not self._is_rung:
            self._is_rung = True
            with suppress(RuntimeError):  # the loop is closed, or the run over: there is nobody left
                self._call_soon(self._wake_all)

    def _wake_all(self) -> None:
        self._is_rung = False
        while self._wakes:
            self._wakes.popleft()()


_trio_bells: trio.lowlevel.RunVar[_Bell] = trio.lowlevel.RunVar("aurora_scheduler_bell")
_asyncio_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, _Bell] = WeakKeyDictionary()


def _trio_bell() -> _Bell:
    try:
        return _trio_bells.get()
    except LookupError:
        bell = _Bell(trio.lowlevel.current_trio_token().run_sync_soon)
        _trio_bells.set(bell)
        return bell


def _asyncio_bell() -> _Bell:
    loop = asyncio.get_running_loop()
    bell = _asyncio_bells.get(loop)
    if bell is None:
        bell = _asyncio_bells[loop] = _Bell(partial(_call_soon, ref(loop)))
    return bell


def _call_soon(loop: ref[asyncio.AbstractEventLoop], call: Callable[[], None]) -> None:
    # Weakly: the bell is kept for as long as its loop is, and must not keep it.
    found = loop()
    if found is not None:
        found.call_soon_threadsafe(call)


async def _checkpoint() -> None:
    """A call that is answered at once lets others have their turn all the same, and can be cancelled."""
    if sniffio.current_async_library() == "trio":
        await trio.lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)
