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


def here(name: str) -> str:
    """The path of a file beside the script, which the test's own process finds too."""
    return str(Path.cwd() / name)


def hear() -> None:
    """Wait until the test says to go on."""
    sys.stdin.readline()


def nothing() -> None:
    """Returns at once."""


def stuck_once(file: str) -> str:
    """The first time, say so and never return; a later time, in another process, return at once."""
    if _first_time(file):
        time.sleep(_FOREVER)
    return "done at last"


async def stuck_once_async(file: str) -> str:
    """The same in the scheduler's own loop."""
    if _first_time(file):
        await trio.sleep(_FOREVER)
    return "done at last"


def _first_time(file: str) -> bool:
    if Path(file).exists():
        return False
    Path(file).touch()
    say("begun")
    return True
