"""What a user names as the database, the store that it means, and what there is of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from aurora_scheduler.errors import OptionError, StoreError, masked, shown
from aurora_scheduler.ports import Store
from aurora_scheduler.stores import examining
from aurora_scheduler.stores.examining import Examination
from aurora_scheduler.stores.lookalikes import why_no_address
from aurora_scheduler.stores.sqlite import SqliteStore
from aurora_scheduler.stores.tables import Tables

__all__ = [
    "DEFAULT_PATH",
    "ENVIRONMENT",
    "Named",
    "Use",
    "examine",
    "file_of",
    "job_names",
    "open_store",
    "use_of",
]

ENVIRONMENT = "AURORA_SCHEDULER_DB"
DEFAULT_PATH = "aurora_scheduler.db"

_ACCEPTED = 'a path, ":memory:", "sqlite:///path" or "postgresql://user@host/name"'
_POSTGRES = ("postgresql", "postgres")
_SCHEME = re.compile(r"[\w+.-]+")


class _Room(Protocol):
    """What there is for the databases of a server."""

    @property
    def PostgresStore(self) -> Callable[..., Named]: ...  # noqa: N802
    def is_in_use(self, database: str, /) -> bool: ...
    def examine(self, database: str, /) -> Examination: ...
    def job_names(self, database: str, beginning: str, most: int, /) -> list[tuple[str, str]]: ...


class Named(Store, Protocol):
    """A store that says what it is called."""

    path: str
    """What it is called where people read it."""
    in_memory: bool
    """Whether nobody else can ever see it."""

    @property
    def tables(self) -> Tables:
        """All rows, as they stand; within a transaction."""
        ...


def open_store(database: str | os.PathLike[str] | None = None, *, durability: str = "full") -> Named:
    """The store for `database`: a path, ":memory:", "sqlite:///path" or "postgresql://…"; not yet connected.

    None means the environment's `AURORA_SCHEDULER_DB`, else "aurora_scheduler.db" in the current directory.

    Raises:
        OptionError: `database` is not text or a path.
        StoreError: it names a kind of database that is not supported, or whose driver is not installed; or it is meant
            for a server, and is no address.
    """
    if database is None:
        database = os.environ.get(ENVIRONMENT) or DEFAULT_PATH
    if not isinstance(database, str | os.PathLike):
        raise OptionError("database", _told(database), f"must be {_ACCEPTED}")
    text = os.fspath(database)
    if not text.strip() or "\0" in text:
        raise OptionError("database", masked(text), f"must be {_ACCEPTED}")
    if (reason := why_no_address(text)) is not None:
        raise StoreError(masked(text), reason)
    scheme, separator, rest = text.partition("://")
    if _is_on_server(text):
        return _server_room().PostgresStore(f"{scheme.lower()}://{rest}", durability=durability)
    if separator and scheme.lower() != "sqlite":
        kind = f"{scheme}://" if _SCHEME.fullmatch(scheme) else "such an address"
        raise StoreError(masked(text), f"there is no store for {kind}; accepted: {_ACCEPTED}")
    if separator:
        # As SQLAlchemy has it: "sqlite:///jobs.db" is relative, "sqlite:////var/jobs.db" absolute, "sqlite://" memory.
        text = rest.removeprefix("/") or ":memory:"
    if text == ":memory:":
        return SqliteStore(text, durability=durability)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # "~nobody/…"
        raise OptionError("database", text, f"{error}; accepted: {_ACCEPTED}") from error
    return SqliteStore(str(path), durability=durability)


def _told(database: object) -> object:
    """What is no text, as an error may show it: an object of somebody's may show a password."""
    told = shown(database, 10_000)
    return database if masked(told) == told else masked(told)


def _server_room() -> _Room:
    try:
        from aurora_scheduler.stores import postgres
    except ImportError as error:
        needed = 'PostgreSQL needs the driver psycopg: pip install "aurora-scheduler[postgres]"'
        raise StoreError("postgresql://…", f"{needed} ({error})") from error
    return postgres


class Use(Enum):
    """What there is where a database is named."""

    OURS = auto()
    """A database that a scheduler has used."""
    ANOTHERS = auto()
    """A file that none has, or that is no database."""
    UNUSED = auto()
    """A server's database with nothing of ours in it."""
    NOTHING = auto()
    DIRECTORY = auto()
    MEMORY = auto()
    """Nobody but the program that has it can see it."""


def use_of(database: str) -> Use:
    """What there is. It is only looked at. Raises `StoreError` where a server does not let us look.

    A file that cannot be looked at counts as ours: whoever opens it is told what is wrong with it.
    """
    if _is_on_server(database):
        return Use.OURS if _server_room().is_in_use(database) else Use.UNUSED
    file = file_of(database)
    if file is None:
        return Use.MEMORY
    if not os.path.exists(file):
        return Use.NOTHING
    if os.path.isdir(file):
        return Use.DIRECTORY
    return Use.ANOTHERS if os.path.isfile(file) and not examining.is_in_use(str(file)) else Use.OURS


def examine(database: str) -> Examination:
    """How a database is. Raises `StoreError` where it cannot be read, or a newer release has made it."""
    if _is_on_server(database):
        return _server_room().examine(database)
    return examining.examine(str(file_of(database)))


def job_names(database: str, beginning: str, most: int) -> list[tuple[str, str]]:
    """The ids and names of jobs, of which one begins so: `most` at most, oldest first. Raises `StoreError`."""
    if _is_on_server(database):
        return _server_room().job_names(database, beginning, most)
    file = file_of(database)
    return [] if file is None else examining.job_names(str(file), beginning, most)


def file_of(database: str) -> Path | None:
    """The file that a database's name means, or None for one that is no file."""
    if why_no_address(database) is not None:
        return None
    scheme, separator, rest = database.partition("://")
    if separator and scheme.lower() != "sqlite":
        return None
    path = rest.removeprefix("/") if separator else database
    return None if path in ("", ":memory:") else Path(path).expanduser()


def _is_on_server(database: str) -> bool:
    scheme, separator, _ = database.partition("://")
    return bool(separator) and scheme.lower() in _POSTGRES
