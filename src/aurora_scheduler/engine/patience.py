"""Waiting for a store that is away: locked, full, or read-only for a while. What is to be done stays to be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from aurora_scheduler.errors import StoreReadOnlyError, StoreUnavailableError
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import Clock

__all__ = ["AWAY", "Outage", "Pauses", "until_there"]

#: What does not fit what is stored so often in a row was not decided on something older: the store contradicts itself.
_MANY = 100

T = TypeVar("T")
_log = logger("engine")

#: The errors after which trying again may help.
AWAY = (StoreUnavailableError, StoreReadOnlyError)

_FIRST, _LONGEST = 0.1, 5.0
#: After so many seconds it is said again that the store is still away.
_SAID_AGAIN = 60.0


class Outage:
    """A time in which the store cannot be `written`, or `read`: it is told of once, and not by all who need the store.

    Each of them tries again by itself, ever less often; and at once when somebody who looks every second gets through.
    """

    def __init__(self, done: str, clock: Clock) -> None:
        self._done = done
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0
        self._over = trio.Event()

    def note(self, error: Exception) -> None:
        """Somebody has not got through."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = self._said = now
            _log.warning("the database cannot be %s now, and what needs that waits: %s", self._done, error)
        elif now - self._said >= _SAID_AGAIN:
            self._said = now
            _log.warning("the database cannot be %s for %.0f s now: %s", self._done, now - self._since, error)

    def end(self) -> None:
        """Somebody has got through."""
        if self._since is not None:
            took = self._clock.monotonic() - self._since
            self._since = None
            _log.warning("the database can be %s again, after %.1f s", self._done, took)

    def end_for_all(self) -> None:
        """Somebody who looks regularly has got through: whoever waits is to try at once."""
        self.end()
        self.wake_all()

    def wake_all(self) -> None:
        """Whoever waits is to try at once."""
        self._over.set()
        self._over = trio.Event()

    async def over(self) -> None:
        """Wait until it is over for all."""
        await self._over.wait()


class Pauses:
    """Pauses between tries, each twice as long as the one before, up to five seconds."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._refused = 0
        self._was_woken = False

    async def wait(self) -> None:
        """Sleep through the next pause."""
        await trio.sleep(self._longer())

    async def through(self, outage: Outage, error: Exception, doing: str, fields: Mapping[str, str] | None) -> None:
        """After an `error` of a store that is away: sleep through the next pause, or until that is over for all.

        Who was woken in vain sleeps on next time. `fields` are those of a record that tells of the wait.
        """
        outage.note(error)
        _log.debug("%s waits for the database: %s", doing, error, extra=fields)
        with trio.move_on_after(self._longer()) as pause:
            if self._was_woken:
                await trio.sleep_forever()
            await outage.over()
        self._was_woken = not pause.cancelled_caught

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
        self._next, self._refused, self._was_woken = _FIRST, 0, False

    def _longer(self) -> float:
        pause, self._next = self._next, min(2 * self._next, _LONGEST)
        return pause


async def until_there(
    outage: Outage, call: Callable[[], Awaitable[T]], doing: str, fields: Mapping[str, str] | None = None
) -> T:
    """Try until the store takes it; `fields` are those of a record that tells of the wait."""
    pauses = Pauses()
    while True:
        try:
            answer = await call()
        except AWAY as error:
            await pauses.through(outage, error, doing, fields)
        else:
            outage.end()
            return answer
