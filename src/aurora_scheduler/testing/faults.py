"""A store that fails when it is told to: before it has done anything, or after the commit took effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import trio

from aurora_scheduler.errors import SchedulerStopped, StoreError, StoreUnavailableError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.ports import Notes, NotYet, Store
from aurora_scheduler.stores import InlineWriter
from aurora_scheduler.tickets import Ticket

__all__ = ["FaultyWriter"]

T = TypeVar("T")


def _closed() -> Exception:
    return SchedulerStopped("the store is closed")


class FaultyWriter(InlineWriter):
    """An inline writer whose store can be away for a while, and that can be looked at between two transactions."""

    def __init__(
        self, store: Store, on_commit: Callable[[Notes], None], stopped: Callable[[], Exception] = _closed
    ) -> None:
        super().__init__(store, on_commit)
        self._stopped = stopped
        #: So many of the next transactions, looks, or answers to transactions that took effect, fail with `error`.
        self.failing_writes = 0
        self.failing_reads = 0
        self.failing_answers = 0
        self.error: Exception = StoreUnavailableError("the store", "it is away for a while")
        #: How many rounds of the loop pass before a write is answered: others may read what it wrote meanwhile.
        self.rounds_to_answer = 0
        self.before_write: Callable[[], object] = lambda: None
        self.after_write: Callable[[], object] = lambda: None
        #: What was wrong with the store when it was written to last; None: nothing.
        self.trouble: str | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing is written or read any more."""
        return self._closed

    def die(self) -> None:
        """The process is killed: nothing is written or read any more."""
        self._closed = True

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do the work, unless the store is away."""
        if (refusal := self._refusal()) is not None:
            return refusal
        if self.failing_writes > 0:
            self.failing_writes -= 1
            return self._fail()
        self.before_write()
        if (refusal := self._refusal()) is not None:  # it has just died
            return refusal
        done = super().write(work)
        if isinstance(done.error, NotYet):
            put_off: Ticket[T] = Ticket()
            trio.lowlevel.spawn_system_task(self._write_after, done.error.wait / SECOND, work, put_off)
            return put_off
        self._look_at(done)
        self.after_write()
        if (refusal := self._refusal()) is not None:
            return refusal
        if self.failing_answers > 0:
            self.failing_answers -= 1
            return self._fail()
        if self.rounds_to_answer:
            late: Ticket[T] = Ticket()
            trio.lowlevel.spawn_system_task(_answer_late, done, late, self.rounds_to_answer)
            return late
        return done

    async def _write_after(self, seconds: float, work: Callable[[Store], T], ticket: Ticket[T]) -> None:
        await trio.sleep(seconds)
        again = self.write(work)
        if not again.on_answer(partial(again.pass_on, ticket)):
            again.pass_on(ticket)

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do the work, unless the store is away."""
        if (refusal := self._refusal()) is not None:
            return refusal
        if self.failing_reads > 0:
            self.failing_reads -= 1
            return _failed(self.error)
        return super().read(work)

    def close(self) -> None:
        """Close the store, once."""
        if not self.is_closed:
            self._closed = True
            super().close()

    def _refusal(self) -> Ticket[Any] | None:
        return _failed(self._stopped()) if self.is_closed else None

    def _fail(self) -> Ticket[Any]:
        self.trouble = str(self.error)
        return _failed(self.error)

    def _look_at(self, done: Ticket[Any]) -> None:
        error = done.error
        self.trouble = str(error) if isinstance(error, StoreError) else None


async def _answer_late(done: Ticket[T], late: Ticket[T], rounds: int) -> None:
    for _ in range(rounds):
        await trio.lowlevel.checkpoint()
    done.pass_on(late)


def _failed(error: Exception) -> Ticket[Any]:
    ticket: Ticket[Any] = Ticket()
    ticket.fail(error)
    return ticket
