"""Callbacks for worker processes: what they did is in files, or in what they return."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

__all__ = ["crash", "fail", "report", "signal_and_go_on", "wait", "wait_async"]


def report(job_name: str, attempt: int, value: object = None) -> dict[str, Any]:
    """Which process this is, and what it was given."""
    return {"pid": os.getpid(), "job_name": job_name, "attempt": attempt, "value": value}


def fail() -> None:
    """An exception with a cause."""
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def crash(status: int) -> None:
    """Die without a word."""
    os._exit(status)


def leave() -> None:
    """Ask the interpreter to end."""
    raise SystemExit("that was it")


def signal_and_go_on() -> str:
    """What a terminal's Ctrl-C, or a service's end, sends to all processes of the group."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    return "went on"


def wait(begun: str, seconds: float = 600) -> str:
    """Say which process this is, and stay in it."""
    draft = Path(f"{begun}.draft")
    draft.write_text(str(os.getpid()))
    draft.rename(begun)
    time.sleep(seconds)
    return "waited"


async def wait_async() -> None:
    """No plain function."""
