"""What other processes write, told to those who listen here: `events()` of several that share the jobs."""

from __future__ import annotations

import trio

from aurora_scheduler.errors import SchedulerStopped, StoreError
from aurora_scheduler.events import Feed
from aurora_scheduler.logs import logger
from aurora_scheduler.model import Change, Execution, ExecutionStatus
from aurora_scheduler.ports import Listener, Store, Writer

__all__ = ["Hearing"]

_log = logger("host")

#: How long, in seconds, until it is tried anew; how often it is looked whether anybody listens still.
_AGAIN, _LOOK_EVERY = 1.0, 10.0
#: Of so many rows it is known which state was told last: of one that was written twice in a moment only the second is
#: read, twice.
_MOST = 10_000


class Hearing:
    """Hears while there are listeners."""

    def __init__(self, writer: Writer, feed: Feed) -> None:
        self._writer = writer
        self._feed = feed
        self._told: dict[str, ExecutionStatus] = {}
        self._wanted = trio.Event()
        #: It is told of once that nothing can be heard.
        self._is_told = False

    def begin(self) -> None:
        """There is a listener."""
        self._wanted.set()

    async def run(self) -> None:
        """Tell what others write, until cancelled; at once over where there are no others to hear."""
        await self._wanted.wait()
        listener = await self._writer.read(lambda store: store.news()).wait()
        while listener is not None:
            await self._wanted.wait()
            try:
                await self._hear(listener)
            except SchedulerStopped:  # with a callback that did not end
                return
            except StoreError as error:
                if not self._is_told:
                    _log.warning("what other processes write is not heard of, trying again: %s", error)
                self._is_told = True
                await trio.sleep(_AGAIN)

    async def _hear(self, listener: Listener) -> None:
        try:
            await trio.to_thread.run_sync(listener.open)
            self._is_told = False
            while self._feed.has_listeners:
                with trio.move_on_after(_LOOK_EVERY):
                    await trio.lowlevel.wait_readable(listener.fileno())
                texts = listener.heard()
                if texts:
                    await self._tell(texts)
            self._wanted = trio.Event()
        finally:
            listener.close()

    async def _tell(self, texts: list[str]) -> None:
        def read(store: Store) -> list[tuple[list[Execution], list[Change]]]:
            return [store.read_news(text) for text in texts]

        for rows, changes in await self._writer.read(read).wait():
            self._feed.tell([row for row in rows if self._is_new(row)], changes)

    def _is_new(self, row: Execution) -> bool:
        is_new = self._told.pop(row.id, None) is not row.status
        self._told[row.id] = row.status
        if len(self._told) > _MOST:
            del self._told[next(iter(self._told))]
        return is_new
