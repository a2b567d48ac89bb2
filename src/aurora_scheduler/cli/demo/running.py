"""The scheduler's process, as its parent holds it: started, killed or ended, and never left behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import Process

from aurora_scheduler.cli.demo.child import command_line
from aurora_scheduler.cli.demo.stage import Stage
from aurora_scheduler.cli.failing import Failure

__all__ = ["check_alive", "end", "kill", "scheduler_process"]

#: How long the process has to end when it is asked to: more than the scheduler takes at most for a gentle end.
_PATIENCE = 20.0


@asynccontextmanager
async def scheduler_process(stage: Stage, log: Path) -> AsyncGenerator[Process]:
    """A process that fires the stage's jobs. When the block is left, however that comes, the process is gone."""
    with log.open("ab") as errors:
        # Its standard input is a pipe that nobody writes to: it closes when this process dies, and the child ends.
        process = await anyio.open_process(command_line(stage), stdin=PIPE, stdout=DEVNULL, stderr=errors)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await end(process)


async def kill(process: Process) -> None:
    """SIGKILL: no chance to write a last word."""
    process.kill()
    await process.wait()


async def end(process: Process) -> None:
    """SIGTERM, and wait for the gentle end; SIGKILL where that does not come."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(_PATIENCE):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


def check_alive(process: Process, log: Path) -> None:
    """Raise `Failure` with the process's last words where it has ended on its own."""
    if process.returncode is not None:
        words = log.read_text(errors="replace").strip().splitlines() or ["it left no word"]
        raise Failure(f"the scheduler's process ended with {process.returncode}: {words[-1]}")
