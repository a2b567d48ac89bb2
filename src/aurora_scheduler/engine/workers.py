"""Where what may block is called: callbacks that are plain functions, and imports of users' modules."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import trio

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Up to `total` worker threads; or none, `inline`, where a simulation wants everything in one order."""

    def __init__(self, total: int, *, inline: bool) -> None:
        # Not anyio's own limiter: the application's worker threads and ours do not wait for each other.
        self._limiter = anyio.CapacityLimiter(total)
        self._inline = inline

    async def call(self, function: Callable[[], T], *, abandon: bool = False) -> T:
        """Call `function`; with `abandon`, who is cancelled lets go of its thread instead of waiting for it."""
        if self._inline:
            await trio.lowlevel.checkpoint()
            return contextvars.copy_context().run(function)
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=abandon, limiter=self._limiter)
