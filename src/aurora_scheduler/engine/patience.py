"""Waiting for a store that is away: locked, full, or read-only for a while. What is to be done stays to be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from aurora_scheduler.errors import StoreReadOnlyError, StoreUnavailableError
from aurora_scheduler.logs import logger

__all__ = ["AWAY", "Pauses", "until_there"]

#: What does not fit what is stored so often in a row was not decided on something older: the store contradicts itself.
_MANY = 100

T = TypeVar("T")
_log = logger("engine")

#: The errors after which trying again may help.
AWAY = (StoreUnavailableError, StoreReadOnlyError)

_FIRST, _LONGEST = 0.1, 5.0


class Pauses:
    """Pauses between tries, each twice as long as the one before, up to five seconds."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._refused = 0

    async def wait(self) -> None:
        """Sleep through the next pause."""
        pause, self._next = self._next, min(2 * self._next, _LONGEST)
        await trio.sleep(pause)

    async def after_refusal(self, what: str, fields: Mapping[str, str]) -> None:
        """A commit was refused: go on at once with what is so now; but not for ever without a pause.

        `fields` are those of a record that tells of it.
        """
        self._refused += 1
        if self._refused % _MANY == 0:
            _log.error("%s cannot be written; is the database damaged?", what, extra=fields)
            await self.wait()

    def reset(self) -> None:
        """It went well: the next pause is a short one."""
        self._next, self._refused = _FIRST, 0


async def until_there(call: Callable[[], Awaitable[T]], doing: str, fields: Mapping[str, str] | None = None) -> T:
    """Try until the store takes it; `fields` are those of a record that tells of the wait."""
    pauses = Pauses()
    while True:
        try:
            return await call()
        except AWAY as error:
            _log.warning("%s waits for the database: %s", doing, error, extra=fields)
            await pauses.wait()
