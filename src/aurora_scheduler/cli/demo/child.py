"""The process with the scheduler: declares the jobs of the demo, fires them, and ends gently.

Its end is asked for by SIGTERM, or by the end of its standard input: where the parent dies, however it dies, the pipe
closes, and no scheduler is left behind. Ctrl-C goes to both processes, and is the parent's to answer.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from aurora_scheduler.cli.demo.jobs import declared
from aurora_scheduler.cli.demo.stage import Stage
from aurora_scheduler.manager import SchedulerManager

__all__ = ["command_line"]


def command_line(stage: Stage) -> list[str]:
    """How the parent starts this process."""
    # -P: the directory that somebody happens to be in is no place to import modules from.
    module = "aurora_scheduler.cli.demo.child"
    return [sys.executable, "-P", "-m", module, str(stage.directory), str(stage.database)]


async def _serve(stage: Stage) -> None:
    async with anyio.create_task_group() as ends:
        await ends.start(_end_by_signal, ends.cancel_scope)
        ends.start_soon(_end_with_parent, ends.cancel_scope)
        async with SchedulerManager(stage.database) as manager:
            await manager.create_jobs(declared(stage))
            await anyio.sleep_forever()


async def _end_by_signal(
    scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


async def _end_with_parent(scope: anyio.CancelScope) -> None:
    await anyio.wait_readable(sys.stdin)
    scope.cancel()


def main() -> None:
    """Run until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    directory, database = map(Path, sys.argv[1:])
    anyio.run(_serve, Stage(directory, database), backend="trio")


if __name__ == "__main__":
    main()
