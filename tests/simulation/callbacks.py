"""What simulated jobs call; each call is noted, as the wall clock shows it."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from typing import Any

import trio

from aurora_scheduler.testing import Simulation

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


#: Where callbacks are that will not end, and what lets them go when the test is over.
deaf: list[tuple[trio.lowlevel.TrioToken, trio.Event]] = []


async def never_end() -> None:
    over = trio.Event()
    deaf.append((trio.lowlevel.current_trio_token(), over))
    with trio.CancelScope(shield=True):
        await over.wait()


#: The simulation that a callback lets time pass in, as it must not.
simulations: list[Simulation] = []


def advance() -> None:
    simulations[-1].advance(60)


async def run_for() -> None:
    await simulations[-1].run_for(60)


async def talk() -> str:
    """Ask a server that takes its (real) time."""
    here, there = socket.socketpair()
    with there:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(here))
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, _answer_slowly, there)
            return bytes(await stream.receive_some()).decode()


def _answer_slowly(there: socket.socket) -> None:
    there.settimeout(5)
    there.sendall(b"hello")
