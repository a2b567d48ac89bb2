"""Hints that others have changed something, so that it is looked at now, and not when its turn comes.

A hint may be lost, and may be one of nothing: whoever waits for one looks after a while in any case.
"""

from __future__ import annotations

import trio

from aurora_scheduler.errors import StoreError
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import Listener, Writer

__all__ = ["Hints"]

_log = logger("engine")

#: How long, in seconds, until it is tried anew to listen.
_AGAIN = 1.0


class Hints:
    """What several tasks wait for."""

    def __init__(self) -> None:
        self._hint = trio.Event()

    def give(self) -> None:
        """There may be something."""
        self._hint.set()
        self._hint = trio.Event()

    async def wait(self, seconds: float) -> None:
        """Until there may be something, or for so long."""
        with trio.move_on_after(seconds):
            await self._hint.wait()

    async def listen(self, writer: Writer) -> None:
        """Give a hint for each of the store's, where it has any; until cancelled."""
        listener = await writer.read(lambda store: store.listener()).wait()
        while listener is not None:
            try:
                await self._listen(listener)
            except StoreError as error:
                _log.debug("what others change is not heard of at once: %s", error)
            await trio.sleep(_AGAIN)

    async def _listen(self, listener: Listener) -> None:
        try:
            await trio.to_thread.run_sync(listener.open)
            self.give()  # what came before
            while True:
                await trio.lowlevel.wait_readable(listener.fileno())
                if listener.heard():
                    self.give()
        finally:
            listener.close()
