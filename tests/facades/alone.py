"""Callbacks for scripts: processes of their own, with which a test shares nothing but files and standard output."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import trio

_FOREVER = 3600


def say(text: str) -> None:
    """Print a line that the test waits for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def nothing() -> None:
    """Returns at once."""


def stuck_once(file: str) -> str:
    """The first time, say so and never return; a later time, in another process, return at once."""
    if Path(file).exists():
        return "done at last"
    Path(file).touch()
    say("begun")
    time.sleep(_FOREVER)
    return "never"


async def stuck_once_async(file: str) -> str:
    """The same in the scheduler's own loop."""
    if Path(file).exists():
        return "done at last"
    Path(file).touch()
    say("begun")
    await trio.sleep(_FOREVER)
    return "never"
