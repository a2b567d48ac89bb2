"""`aurora run`: a scheduler in the foreground, until it is asked to end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import AsyncIterable, AsyncIterator, Generator
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import anyio
import click

from aurora_scheduler.answers import Health
from aurora_scheduler.cli.asking import database_option
from aurora_scheduler.cli.failing import Failure, silence
from aurora_scheduler.cli.importing import import_from_here, manager_named
from aurora_scheduler.cli.live import LiveTable, live_table
from aurora_scheduler.cli.saying import SECONDS
from aurora_scheduler.cli.texts import counted, span
from aurora_scheduler.cli.views import line_of
from aurora_scheduler.errors import printable, shown
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
@click.option(
    "--node-tag",
    "node_tags",
    metavar="TAG",
    multiple=True,
    help="Fire jobs with this node_tag, too; can be given again.",
)
@click.option("--quiet", is_flag=True, help="No line for each execution, only what is wrong.")
@click.option("--plain", is_flag=True, help="Lines in a terminal, too, and no table.")
def run(manager: str | None, database: str, drain: float, node_tags: tuple[str, ...], quiet: bool, plain: bool) -> None:
    """Fire the jobs of a database in the foreground, or those of the manager MODULE:MANAGER of yours.

    In a terminal, and where rich is installed, a table of the jobs is kept current; elsewhere each execution that ends
    is a line. A database that is not there is made. SIGTERM and Ctrl-C end it: nothing new begins, and what runs is
    waited for; a second signal hurries. Where another process fires the database's jobs, this one stands by.

    \b
    Examples:
      aurora run --db jobs.db
      aurora run shop.jobs:manager --drain 60
    """
    import_from_here()
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    if manager is not None and node_tags:
        raise click.UsageError("--node-tag is for a database; a manager of yours says its node_tags itself")
    scheduler = SchedulerManager(database, node_tags=node_tags) if manager is None else manager_named(manager)
    if not anyio.run(_fire, scheduler, drain, quiet, plain, backend="trio"):
        sys.exit(_HURRIED)


async def _fire(manager: SchedulerManager, drain: float, quiet: bool, plain: bool) -> bool:
    """Fire until a signal comes, and stop then; whether it was left to stop in its own time."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await manager.initialize()
        with nullcontext() if quiet or plain else live_table() as table, _logged_where_it_stands():
            left_alone, health = await _fire_shown(manager, drain, quiet, signals, table)
    if health.status == "stopped":
        raise Failure(f"the scheduler has stopped: {health.reason}")
    left = (await manager.health()).left
    if left:
        names = ", ".join(shown(name, 300) for name in dict.fromkeys(left))
        raise Failure(f"a callback of {names} did not end, and was let go of; that firing runs again at the next start")
    return left_alone


async def _fire_shown(
    manager: SchedulerManager,
    drain: float,
    quiet: bool,
    signals: AsyncIterator[signal.Signals],
    table: LiveTable | None,
) -> tuple[bool, Health]:
    """Whether it was left to stop in its own time, and how it was when it was asked to."""
    left_alone, health = True, await manager.health()
    over, events = anyio.Event(), manager.events()
    manager.start()
    async with anyio.create_task_group() as telling:  # until the last event, after the stop
        if not quiet:
            telling.start_soon(_tell, events, table)
        async with anyio.create_task_group() as beside:
            beside.start_soon(_say_how_it_is, manager, over)
            beside.start_soon(_await_signal, signals, over)
            if table is not None:
                beside.start_soon(table.follow, manager)
                beside.start_soon(table.keep_drawn, manager)
            await over.wait()
            health = await manager.health()
            left_alone = await _stop(manager, drain, signals)
            beside.cancel_scope.cancel()
    if table is not None:
        table.draw()
    return left_alone, health


@contextmanager
def _logged_where_it_stands() -> Generator[None]:
    """Have what is logged written to standard error as it is just now: a table may stand there."""
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stderr__
    ]
    for handler in handlers:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler in handlers:
            handler.setStream(sys.__stderr__)


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
        # Not by click, which goes past the stream that has a place above the table.
        print(text, file=sys.stderr if err else sys.stdout, flush=True)
    except OSError:
        silence(sys.stderr if err else sys.stdout)
        return False
    return True


async def _tell(events: AsyncIterable[object], table: LiveTable | None) -> None:
    async for event in events:
        if not isinstance(event, ExecutionEvent):
            continue
        if table is not None:
            table.note(event.execution)
        elif event.execution.status.is_final and not _say(line_of(event.execution)):
            return  # nobody reads it any more, or it cannot be written: the jobs go on
