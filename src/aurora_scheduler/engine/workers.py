"""Where what may block is called, and what is done while there are no threads for it."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import trio

from aurora_scheduler.engine.patience import Pauses
from aurora_scheduler.logs import logger

__all__ = ["Workers", "once_there_is_a_thread"]

T = TypeVar("T")
_log = logger("engine")


class Workers:
    """Up to `total` worker threads; or none, `inline`, where a simulation wants everything in one order.

    Who is cancelled waits for what is called all the same, unless that can be `abandoned`: it keeps its thread then.
    """

    def __init__(self, total: int, *, inline: bool, abandoned: bool = False) -> None:
        # Not anyio's own limiter: the application's worker threads and ours do not wait for each other.
        self._limiter = anyio.CapacityLimiter(total)
        self._inline = inline
        self._abandoned = abandoned

    async def call(self, function: Callable[[], T]) -> T:
        """Call `function`."""
        if self._inline:
            await trio.lowlevel.checkpoint()
            return contextvars.copy_context().run(function)
        hop = partial(anyio.to_thread.run_sync, abandon_on_cancel=self._abandoned, limiter=self._limiter)
        return await once_there_is_a_thread(hop, function)


async def once_there_is_a_thread(hop: Callable[[Callable[[], T]], Awaitable[T]], function: Callable[[], T]) -> T:
    """Have `hop` call `function` in a thread, and wait while none can be made.

    A machine may have too many for a while, and an interpreter that is going makes none: there, who waits is cancelled
    soon.
    """
    has_begun = False
    failed = 0

    def begin() -> T:
        nonlocal has_begun
        has_begun = True
        return function()

    pauses = Pauses()
    while True:
        try:
            return await hop(begin)
        except RuntimeError as error:
            if has_begun:
                raise
            failed += 1
            if failed == 2:  # once, and not at all where the first pause was enough
                _log.warning("no thread can be made, and what needs one waits: %s", error)
            await pauses.wait()
