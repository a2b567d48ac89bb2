"""What other threads have to tell the engine: calls that a task of its loop makes, in the order in which they came.

One wake of the loop is enough for many of them; and an error of one is raised in that task's nursery, like any other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

__all__ = ["Mailbox"]


class Mailbox:
    """Calls to be made in one loop. `put` is for any thread; `run` is the task that makes them."""

    def __init__(self) -> None:
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._last: list[Callable[[], object]] = []
        self._news = trio.Event()
        self._is_rung = True  # nobody is there to be woken
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread: int | None = None

    def put(self, call: Callable[..., object], *args: Any) -> None:
        """Have `call(*args)` made in the loop, soon. Once nobody makes them any more, nothing happens."""
        self._calls.append((call, args))  # first: who finds the bell rung has it made by whoever comes for that
        if not self._is_rung:
            self._is_rung = True
            self._ring()

    def put_last(self, call: Callable[[], object]) -> None:
        """Have `call()` made when every task that can go on now has had its turn. For the loop itself."""
        self._last.append(call)
        if not self._is_rung:
            self._is_rung = True
            self._news.set()

    def _ring(self) -> None:
        token = self._token  # which the loop may take away meanwhile
        if threading.get_ident() == self._thread:
            self._news.set()
        elif token is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._set)

    def _set(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Make the calls, until cancelled."""
        self._token, self._thread = trio.lowlevel.current_trio_token(), threading.get_ident()
        try:
            while True:
                self._news = trio.Event()
                self._is_rung = False
                if not (self._calls or self._last):  # some came before, or meanwhile
                    await self._news.wait()
                    if self._calls and not self._last:
                        self._make_calls()
                        continue
                await trio.lowlevel.checkpoint()
                self._make_calls()
        finally:
            self._token = self._thread = None

    def _make_calls(self) -> None:
        while self._calls:
            call, args = self._calls.popleft()
            call(*args)
        while self._last:  # what one of them leads to comes at once: nobody else had a turn meanwhile
            last, self._last = self._last, []
            for each in last:
                each()
