"""`aurora run`: a scheduler in the foreground, until it is asked to end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from datetime import timedelta

import anyio
import click

from aurora_scheduler.cli.asking import database_option
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.importing import import_from_here, manager_named
from aurora_scheduler.cli.saying import SECONDS
from aurora_scheduler.cli.texts import counted, span
from aurora_scheduler.cli.views import line_of
from aurora_scheduler.errors import printable
from aurora_scheduler.events import ExecutionEvent
from aurora_scheduler.manager import SchedulerManager

__all__ = ["run"]

#: What a process ends with that a second signal has hurried.
_HURRIED = 130
#: How often, in seconds, it is looked how the scheduler is.
_LOOK_EVERY = 0.5


@click.command()
@click.argument("manager", metavar="[MODULE:MANAGER]", required=False)
@database_option
@click.option("--drain", type=SECONDS, default=30.0, show_default=True, help="Seconds for what runs at the end.")
@click.option("--quiet", is_flag=True, help="No line for each execution, only what is wrong.")
def run(manager: str | None, database: str, drain: float, quiet: bool) -> None:
    """Fire the jobs of a database in the foreground, or those of the manager MODULE:MANAGER of yours.

    A database that is not there is made. SIGTERM and Ctrl-C end it: nothing new begins, and what runs is waited for; a
    second signal hurries. Where another process fires the database's jobs, this one stands by.

    \b
    Examples:
      aurora run --db jobs.db
      aurora run shop.jobs:manager --drain 60
    """
    import_from_here()
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    scheduler = SchedulerManager(database) if manager is None else manager_named(manager)
    if not anyio.run(_fire, scheduler, drain, quiet, backend="trio"):
        sys.exit(_HURRIED)


async def _fire(manager: SchedulerManager, drain: float, quiet: bool) -> bool:
    """Fire until a signal comes, and stop then; whether it was left to stop in its own time."""
    left_alone, health = True, None
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await manager.initialize()
        events = manager.events()
        manager.start()
        over = anyio.Event()
        async with anyio.create_task_group() as beside:
            beside.start_soon(_say_how_it_is, manager, over)
            beside.start_soon(_await_signal, signals, over)
            if not quiet:
                beside.start_soon(_tell, events)
            await over.wait()
            health = await manager.health()
            left_alone = await _stop(manager, drain, signals)
            beside.cancel_scope.cancel()
    if health is not None and health.status == "stopped":
        raise Failure(f"the scheduler has stopped: {health.reason}")
    return left_alone


async def _await_signal(signals: AsyncIterator[signal.Signals], over: anyio.Event) -> None:
    await anext(signals)
    over.set()


async def _stop(manager: SchedulerManager, drain: float, signals: AsyncIterator[signal.Signals]) -> bool:
    _say(f"stopping: what runs has {span(timedelta(seconds=drain))}; a second signal hurries", err=True)
    is_hurried = False

    async def hurry() -> None:
        nonlocal is_hurried
        await anext(signals)
        is_hurried = True
        _say("hurrying", err=True)
        await manager.stop(drain=0)

    async with anyio.create_task_group() as beside:
        beside.start_soon(hurry)
        await manager.stop(drain)
        beside.cancel_scope.cancel()
    return not is_hurried


async def _say_how_it_is(manager: SchedulerManager, over: anyio.Event) -> None:
    """At first, and whenever that changes."""
    before = None
    while not over.is_set():
        await anyio.sleep(_LOOK_EVERY)  # at first it is starting, as everybody knows
        health = await manager.health()
        if health.status == "stopped":
            over.set()
        elif health.status != before:
            before = health.status
            jobs = f"; {counted(health.jobs, 'job')}" if health.status == "ok" else ""
            _say(printable(f"{health}{jobs}"), err=True)


def _say(text: str, *, err: bool = False) -> bool:
    """Whether it could be said: what reads it may be gone, or its disk full, and the jobs go on all the same."""
    try:
        click.echo(text, err=err)
    except OSError:
        stream = sys.stderr if err else sys.stdout
        with suppress(OSError, ValueError):  # else the interpreter complains at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


async def _tell(events: AsyncIterable[object]) -> None:
    async for event in events:
        if not isinstance(event, ExecutionEvent) or not event.execution.status.is_final:
            continue
        if not _say(line_of(event.execution)):
            return  # nobody reads it any more, or it cannot be written: the jobs go on
