"""Ask a database one question, as a client of it: nothing is fired, and no database comes into being."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import click

from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.errors import masked, shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.stores import Use, file_of, use_of

__all__ = ["ask", "database_option", "is_there", "refuse_missing"]

T = TypeVar("T")

#: How often, and how many seconds apart, it is looked whether somebody else is making a database just now.
_LOOKS, _LOOK_EVERY = 20, 0.1

database_option = click.option(
    "--db",
    "database",
    metavar="DATABASE",
    envvar="AURORA_SCHEDULER_DB",
    default="aurora_scheduler.db",
    show_default="$AURORA_SCHEDULER_DB, else ./aurora_scheduler.db",
    help="The database: a path, sqlite:///path or postgresql://…",
)


def ask(database: str, question: Callable[[SchedulerManager], Awaitable[T]], *, makes: bool = False) -> T:
    """What `question` answers on a manager that is open, and not started. With `makes` a database may come into being.

    Raises:
        Failure: there is no such database.
        AuroraError: whatever the database or the question has to say.
    """
    manager = SchedulerManager(database)  # first, as it refuses what cannot name a database
    refuse_missing(database, or_none=makes)

    async def asked() -> T:
        await manager.initialize()
        try:
            return await question(manager)
        finally:
            with anyio.CancelScope(shield=True):
                await manager.stop(drain=0)

    return anyio.run(asked, backend="trio")


def refuse_missing(database: str, *, or_none: bool = False, named: str = "by --db") -> None:
    """Raise `Failure` where there is no database that a scheduler has used; with `or_none`, nor room for a new one.

    `named` says how the command is told which database is meant.
    """
    use, file = use_of(database), file_of(database)
    said = shown(masked(str(file)), 300)
    if use is Use.MEMORY:
        raise Failure(f"a database in memory is seen only by the program that has it; give the path of a file {named}")
    if use is Use.NOTHING and not or_none:
        raise Failure(f"there is no database at {said}; say {named} where it is (none was created)")
    if use is Use.DIRECTORY:
        raise Failure(f"{said} is a directory; give the path of a file in it")
    if use is Use.UNUSED and not or_none:
        raise _unused("this database", named)
    if use is Use.ANOTHERS and file is not None and not (or_none and _is_being_made(file)):
        raise _unused(f"the file {said}", named)


def _unused(what: str, named: str) -> Failure:
    return Failure(
        f"no scheduler has ever used {what}; say {named} which database is meant (nothing was created in this one)"
    )


def is_there(database: str) -> bool:
    """Whether there is something of that name already."""
    return use_of(database) not in (Use.NOTHING, Use.UNUSED, Use.MEMORY)


def _is_being_made(file: Path) -> bool:
    """Whether a file that nobody uses yet is empty, or comes to be used: another command may be making it."""
    for _ in range(_LOOKS):
        if os.stat(file).st_size == 0 or use_of(os.path.abspath(file)) is Use.OURS:
            return True
        threading.Event().wait(_LOOK_EVERY)
    return False
