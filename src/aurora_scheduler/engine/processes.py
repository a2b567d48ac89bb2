"""The worker processes of `runner="process"`: anyio's, each takes one call after the other.

They are for plain functions that are to be killed when their time is up, or must not share the interpreter with others.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from aurora_scheduler.callbacks import failed, raised, resolve, returned
from aurora_scheduler.model import CallbackName, Outcome

__all__ = ["CallbackProcesses", "is_beginning_worker"]


_MODULE = "anyio.to_process"


class CallbackProcesses:
    """As many at once as the machine has processors."""

    def __init__(self) -> None:
        self._places = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def call(self, name: CallbackName, arguments: Mapping[str, Any], begin: Callable[[], object]) -> Outcome:
        """Have the function of this name called in a process; `begin` is called when there is a place for it.

        Where this is cancelled, the process is killed.
        """
        from anyio.to_process import run_sync  # with all that it asks for, a tenth of the time that all else takes

        async with self._places:
            begin()
            try:
                return await run_sync(_call, name, dict(arguments), cancellable=True, limiter=anyio.CapacityLimiter(1))
            except anyio.BrokenWorkerProcess as error:
                return failed(_broken(error.__cause__))


def _broken(cause: BaseException | None) -> str:
    if cause is None or isinstance(cause, (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)):
        return "its worker process died while it ran: it was killed, it crashed, or it called os._exit"
    return f"its worker process could not begin: the main script raised there {type(cause).__name__}: {cause}"


def is_beginning_worker() -> bool:
    """Whether this is a worker process that runs the program's main script, to have what is defined in it."""
    return sys.orig_argv[-1:] == [_MODULE] and "__main__" not in sys.modules


# -- in the processes ---------------------------------------------------------------------------------------------


def _call(name: CallbackName, arguments: dict[str, Any]) -> Outcome:
    # Signals for a terminal's or a service's whole group are for the scheduler, which tells what is to end. A handler,
    # and not SIG_IGN, which the programs that a callback starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_to_the_scheduler)
    try:
        return returned(resolve(name)(**arguments))
    except BaseException as error:
        return raised(error)


def _leave_to_the_scheduler(number: int, frame: object) -> None:
    """A signal that is not for this process alone."""
