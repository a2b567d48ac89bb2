"""The callbacks of all racers: each leaves its number and the time, and nothing else."""

from __future__ import annotations

import time

__all__ = ["marks", "name_of", "note", "note_async"]

#: Who ran, and when: seconds since the epoch.
marks: list[tuple[int, float]] = []


def note(number: int) -> None:
    """A plain callback."""
    marks.append((number, time.time()))


async def note_async(number: int) -> None:
    """An async one."""
    marks.append((number, time.time()))


def name_of(number: int) -> str:
    """The id of the job with this number."""
    return f"job-{number}"
