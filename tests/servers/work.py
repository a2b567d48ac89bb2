"""What the jobs of a served application do: say that they did, and last as long as the test wants them to."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.to_thread
import sniffio

from faults.journal import Journal

__all__ = ["confirm", "is_there", "refresh", "refresh_async"]

_journal = Journal(os.environ.get("SERVERS_JOURNAL", os.devnull))
#: While this file is there, a callback does not end.
_HOLD = Path("hold")
_GIVE_UP = 60.0
_PAUSE = 0.02
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_there() -> None:
    """A process has loaded the application, or was forked with it."""
    _journal.note("there")
    os.register_at_fork(after_in_child=lambda: _journal.note("there"))


def refresh(execution_id: str, scheduled_for: datetime) -> None:
    """Wait while the test holds it, and have an effect."""
    _while_held(execution_id)
    _has_effect(execution_id, scheduled_for)


async def refresh_async(execution_id: str, scheduled_for: datetime) -> None:
    """The same on the application's loop."""
    await anyio.to_thread.run_sync(_while_held, execution_id, abandon_on_cancel=True)
    _has_effect(execution_id, scheduled_for)


def confirm(order: int) -> None:
    """An order is confirmed, from an event loop or from a thread."""
    try:
        loop = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        loop = ""
    _journal.note("confirm", order=order, loop=loop)


def _while_held(execution_id: str) -> None:
    give_up = time.monotonic() + _GIVE_UP
    is_held = False
    while _HOLD.exists() and time.monotonic() < give_up:
        if not is_held:  # said only once it is certain: a test looks for this line
            _journal.note("held", execution=execution_id)
            is_held = True
        time.sleep(_PAUSE)


def _has_effect(execution_id: str, scheduled_for: datetime) -> None:
    scheduled = (scheduled_for - _EPOCH) // timedelta(microseconds=1)
    _journal.note("effect", execution=execution_id, scheduled=scheduled)
