"""What a scheduler stands on: its clock, its store's writer, the loop in its thread. A simulation brings its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

import trio

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.engine import Settings
from aurora_scheduler.ports import Clock, Notes, Store, Writer
from aurora_scheduler.stores import ThreadedWriter
from aurora_scheduler.tickets import Ticket

__all__ = ["RunningWriter", "Runtime", "SystemRuntime"]

#: In seconds: what claims take on a machine that has nothing else to do, and some more.
_CLAIM_AHEAD = 0.002


class RunningWriter(Writer, Protocol):
    """A writer that works while `run` does, as a Trio task."""

    #: What was wrong with the store when it was written to last; None: nothing.
    trouble: str | None
    #: Answered when the store is closed and its owner's lock given back.
    closed: Ticket[None]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the store and work until cancelled or closed."""
        ...


class Runtime(Protocol):
    """The ground of a scheduler. One serves several runs, one after the other."""

    @property
    def clock(self) -> Clock:
        """The only source of time and of ids."""
        ...

    def adapted(self, settings: Settings) -> Settings:
        """The engine's settings, as far as they depend on the ground."""
        ...

    def waiting(self) -> AbstractContextManager[object]:
        """To be entered while the loop waits for another one, the application's."""
        ...

    def writer(
        self, store: Store, on_commit: Callable[[Notes], None], stopped: Callable[[], Exception]
    ) -> RunningWriter:
        """The writer for one run."""
        ...

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run the scheduler's loop in this thread, until `main` returns."""
        ...


class SystemRuntime:
    """The machine's clock, a store with threads of its own, `trio.run`."""

    def __init__(self) -> None:
        self.clock = SystemClock()

    def adapted(self, settings: Settings) -> Settings:
        """Firings are claimed ahead, since to write takes time."""
        return replace(settings, claim_ahead=_CLAIM_AHEAD)

    def waiting(self) -> AbstractContextManager[object]:
        """Nothing to do: time goes on."""
        return nullcontext()

    def writer(
        self, store: Store, on_commit: Callable[[Notes], None], stopped: Callable[[], Exception]
    ) -> ThreadedWriter:
        """A writer with two threads."""
        return ThreadedWriter(store, on_commit, self.clock, stopped)

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """By `trio.run`."""
        trio.run(main)
