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
from aurora_scheduler.errors import shown
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.stores import is_in_use

__all__ = ["ask", "database_option", "existing_file", "file_of", "is_there"]

T = TypeVar("T")

#: How often, and how many seconds apart, it is looked whether somebody else is making a database just now.
_LOOKS, _LOOK_EVERY = 20, 0.1

database_option = click.option(
    "--db",
    "database",
    metavar="PATH",
    envvar="AURORA_SCHEDULER_DB",
    default="aurora_scheduler.db",
    show_default="$AURORA_SCHEDULER_DB, else ./aurora_scheduler.db",
    help="The database: a path, or sqlite:///path.",
)


def ask(database: str, question: Callable[[SchedulerManager], Awaitable[T]], *, makes: bool = False) -> T:
    """What `question` answers on a manager that is open, and not started. With `makes` a database may come into being.

    Raises:
        Failure: there is no such database.
        AuroraError: whatever the database or the question has to say.
    """
    manager = SchedulerManager(database)  # first, as it refuses what cannot name a database
    existing_file(database, or_none=makes)

    async def asked() -> T:
        await manager.initialize()
        try:
            return await question(manager)
        finally:
            with anyio.CancelScope(shield=True):
                await manager.stop(drain=0)

    return anyio.run(asked, backend="trio")


def existing_file(database: str, *, or_none: bool = False) -> Path:
    """The file of a database that a scheduler has used; or, where that will do, of one that is not there yet.

    Raises `Failure`.
    """
    file = file_of(database)
    if file is None:
        raise Failure("a database in memory is seen only by the program that has it; give the path of a file by --db")
    if not os.path.exists(file):
        if or_none:
            return file
        raise Failure(f"there is no database at {shown(str(file), 300)}; say by --db where it is (none was created)")
    if os.path.isdir(file):
        raise Failure(f"{shown(str(file), 300)} is a directory; give the path of a file in it")
    if os.path.isfile(file) and not (is_in_use(str(file)) or (or_none and _is_being_made(file))):
        raise Failure(
            f"no scheduler has ever used the file {shown(str(file), 300)}; "
            "say by --db which database is meant (nothing was created in this one)"
        )
    return file


def is_there(database: str) -> bool:
    """Whether there is a file of that name."""
    file = file_of(database)
    return file is not None and file.exists()


def _is_being_made(file: Path) -> bool:
    """Whether a file that nobody uses yet is empty, or comes to be used: another command may be making it."""
    for _ in range(_LOOKS):
        if os.stat(file).st_size == 0 or is_in_use(str(file)):
            return True
        threading.Event().wait(_LOOK_EVERY)
    return False


def file_of(database: str) -> Path | None:
    """The file that a database's name means, or None for one that is no file."""
    scheme, separator, rest = database.partition("://")
    if separator and scheme.lower() != "sqlite":
        return None
    path = rest.removeprefix("/") if separator else database
    return None if path in ("", ":memory:") else Path(path).expanduser()
