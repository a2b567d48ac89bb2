"""What simulated jobs call; each call is noted, as the wall clock shows it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import trio

#: Of each call, in order: the job's name, and the instant it was for.
calls: list[tuple[str, datetime]] = []


def note(job_name: str, scheduled_for: datetime) -> None:
    calls.append((job_name, scheduled_for))


async def note_async(job_name: str, scheduled_for: datetime) -> None:
    calls.append((job_name, scheduled_for))


async def sleep(job_name: str, scheduled_for: datetime, seconds: float) -> str:
    calls.append((job_name, scheduled_for))
    await trio.sleep(seconds)
    return f"slept {seconds} s"


async def sleep_at_home(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "awake"


def fail_until(attempt: int, good: int) -> dict[str, Any]:
    return {"success": attempt >= good, "message": f"attempt {attempt}"}


def raise_error() -> None:
    raise RuntimeError("no")


async def never_end() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()
