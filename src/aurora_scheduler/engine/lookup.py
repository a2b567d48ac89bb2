"""Callbacks by name, imported once. Importing runs a user's code, so it is done in a worker thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import trio

from aurora_scheduler.callbacks import resolve
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.forks import NoFork
from aurora_scheduler.model import CallbackName

__all__ = ["Callbacks"]


class Callbacks:
    """The functions behind the names, remembered, failures included until `forget_failures`."""

    def __init__(self) -> None:
        self._found: dict[CallbackName, Callable[..., Any] | CallbackError] = {}
        self._importing = trio.Lock()
        self._limiter = anyio.CapacityLimiter(1)

    async def find(self, name: CallbackName) -> Callable[..., Any]:
        """The function. Raises `CallbackError` where it cannot be found."""
        if name not in self._found:
            async with self._importing:
                if name not in self._found:
                    self._found[name] = await anyio.to_thread.run_sync(_resolve, name, limiter=self._limiter)
        found = self._found[name]
        if isinstance(found, CallbackError):
            raise found.with_traceback(None)  # else each raise would make the traceback longer
        return found

    def forget_failures(self) -> None:
        """Try again, next time, what could not be found."""
        self._found = {name: found for name, found in self._found.items() if not isinstance(found, CallbackError)}


def _resolve(name: CallbackName) -> Callable[..., Any] | CallbackError:
    try:
        with NoFork():
            return resolve(name)
    except CallbackError as error:
        return error
