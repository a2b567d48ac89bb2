"""What a user names as the database, and the store that it means."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Protocol

from aurora_scheduler.errors import OptionError, StoreError, shown
from aurora_scheduler.ports import Store
from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.files import looked_at
from aurora_scheduler.stores.migrations import has_begun
from aurora_scheduler.stores.sqlite import SqliteStore

__all__ = ["DEFAULT_PATH", "ENVIRONMENT", "Named", "is_in_use", "is_on_server", "open_store"]

ENVIRONMENT = "AURORA_SCHEDULER_DB"
DEFAULT_PATH = "aurora_scheduler.db"

_ACCEPTED = 'a path, ":memory:", "sqlite:///path" or "postgresql://user@host/name"'
_POSTGRES = ("postgresql", "postgres")


class Named(Store, Protocol):
    """A store that says what it is called."""

    path: str
    """What it is called where people read it."""
    in_memory: bool
    """Whether nobody else can ever see it."""


def open_store(database: str | os.PathLike[str] | None = None, *, durability: str = "full") -> Named:
    """The store for `database`: a path, ":memory:", "sqlite:///path" or "postgresql://…"; not yet connected.

    None means the environment's `AURORA_SCHEDULER_DB`, else "aurora_scheduler.db" in the current directory.

    Raises:
        OptionError: `database` is not text or a path.
        StoreError: it names a kind of database that is not supported, or whose driver is not installed.
    """
    if database is None:
        database = os.environ.get(ENVIRONMENT) or DEFAULT_PATH
    if not isinstance(database, str | os.PathLike):
        raise OptionError("database", database, f"must be {_ACCEPTED}")
    text = os.fspath(database)
    if not text.strip() or "\0" in text:
        raise OptionError("database", text, f"must be {_ACCEPTED}")
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() in _POSTGRES:
        return _postgres_store(f"{scheme.lower()}://{rest}", durability)
    if separator and scheme.lower() != "sqlite":
        raise StoreError(shown(text), f"there is no store for {scheme}://; accepted: {_ACCEPTED}")
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


def is_on_server(database: str) -> bool:
    """Whether this names a database that a server has, and not a file or memory."""
    scheme, separator, _ = database.partition("://")
    return bool(separator) and scheme.lower() in _POSTGRES


def _postgres_store(url: str, durability: str) -> Named:
    try:
        from aurora_scheduler.stores.postgres import PostgresStore
    except ImportError as error:
        needed = 'PostgreSQL needs the driver psycopg: pip install "aurora-scheduler[postgres]"'
        raise StoreError("postgresql://…", f"{needed} ({error})") from error
    return PostgresStore(url, durability=durability)


def is_in_use(path: str) -> bool:
    """Whether a scheduler has ever opened this file: our tables are in it. It is only looked at.

    What cannot be looked at counts as one: whoever opens it is told what is wrong with it.
    """
    used = True

    def see(look: sqlite3.Connection) -> None:
        nonlocal used
        used = has_begun(look, path)

    with translated(path), looked_at(path, see):
        return used
