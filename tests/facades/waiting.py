"""Waiting for facts. The deadline says only when to give up: no test is right or wrong by how long something took."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio

__all__ = ["DEADLINE", "eventually", "finishes", "soon"]

T = TypeVar("T")

DEADLINE = 30.0
_PAUSE = 0.01


def eventually(look: Callable[[], T]) -> T:
    """What `look` answers, as soon as that is true."""
    give_up = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < give_up, f"still {found!r} after {DEADLINE:.0f} s"
        time.sleep(_PAUSE)
    return found


async def soon(look: Callable[[], Awaitable[T]]) -> T:
    """What `look` answers, as soon as that is true; from an event loop."""
    give_up = time.monotonic() + DEADLINE
    while not (found := await look()):
        assert time.monotonic() < give_up, f"still {found!r} after {DEADLINE:.0f} s"
        await anyio.sleep(_PAUSE)
    return found


def finishes(work: Callable[[], T]) -> T:
    """What `work` answers, or raises; a failure where it does not come to an end. It has a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="a test's own", daemon=True).start()
    return future.result(DEADLINE)
