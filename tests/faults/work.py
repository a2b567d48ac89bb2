"""The callbacks of a victim. Each says that it has begun, and has one effect: a line in the journal."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import anyio.lowlevel
import trio

from faults.journal import Journal
from faults.points import Death

__all__ = ["death", "flaky", "flaky_async", "journal", "slow", "slow_async", "tick", "tick_app", "tick_async"]

journal = Journal(os.environ.get("VICTIM_JOURNAL", os.devnull))
death = Death(
    os.environ.get("KILL_AT") or None, int(os.environ.get("KILL_ON", "1")), int(os.environ.get("VICTIM_SEED", "0"))
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = 1.3


def tick(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> None:
    """Returns at once."""
    _Work(job_id, execution_id, scheduled_for, attempt).has_effect()


async def tick_async(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> None:
    """The same in the scheduler's own loop."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    await trio.lowlevel.checkpoint()
    work.has_effect()


async def tick_app(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> None:
    """The same on the application's loop."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    await anyio.lowlevel.checkpoint()
    work.has_effect()


def slow(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> dict[str, str]:
    """Takes longer than the second until the next firing."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    time.sleep(_LONG / 2)
    work.has_effect()
    time.sleep(_LONG / 2)
    return {"message": "at last"}


async def slow_async(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> None:
    """The same in the scheduler's own loop."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    await trio.sleep(_LONG / 2)
    work.has_effect()
    await trio.sleep(_LONG / 2)


def flaky(job_id: str, execution_id: str, scheduled_for: datetime, attempt: int, successes: int) -> None:
    """Raises, unless the attempt is one of every so many; with 0, always."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    fails = successes == 0 or attempt % successes != 0
    work.has_effect(fails=fails)
    if fails:
        raise RuntimeError("as it was told to")


async def flaky_async(
    job_id: str, execution_id: str, scheduled_for: datetime, attempt: int, successes: int
) -> dict[str, bool]:
    """Says so, instead of raising."""
    work = _Work(job_id, execution_id, scheduled_for, attempt)
    await trio.lowlevel.checkpoint()
    fails = successes == 0 or attempt % successes != 0
    work.has_effect(fails=fails)
    return {"success": not fails}


class _Work:
    def __init__(self, job_id: str, execution_id: str, scheduled_for: datetime, attempt: int) -> None:
        self._said = {
            "job": job_id,
            "execution": execution_id,
            "scheduled": (scheduled_for - _EPOCH) // timedelta(microseconds=1),
            "attempt": attempt,
        }
        journal.note("begin", **self._said)

    def has_effect(self, *, fails: bool = False) -> None:
        death.passes("callback-before-effect")
        journal.note("end", **self._said, fails=fails)
        death.passes("callback-after-effect")
