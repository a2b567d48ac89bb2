"""What a user names as the database, and the store that it means."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from aurora_scheduler.errors import OptionError, StoreError, shown
from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.files import looked_at
from aurora_scheduler.stores.migrations import has_begun
from aurora_scheduler.stores.sqlite import SqliteStore

__all__ = ["DEFAULT_PATH", "ENVIRONMENT", "is_in_use", "open_store"]

ENVIRONMENT = "AURORA_SCHEDULER_DB"
DEFAULT_PATH = "aurora_scheduler.db"

_ACCEPTED = 'a path, ":memory:" or "sqlite:///path"'


def open_store(database: str | os.PathLike[str] | None = None, *, durability: str = "full") -> SqliteStore:
    """The store for `database`: a path, ":memory:", or "sqlite:///path"; not yet connected.

    None means the environment's `AURORA_SCHEDULER_DB`, else "aurora_scheduler.db" in the current directory.

    Raises:
        OptionError: `database` is not text or a path.
        StoreError: it names a kind of database that is not supported.
    """
    if database is None:
        database = os.environ.get(ENVIRONMENT) or DEFAULT_PATH
    if not isinstance(database, str | os.PathLike):
        raise OptionError("database", database, f"must be {_ACCEPTED}")
    text = os.fspath(database)
    if not text.strip() or "\0" in text:
        raise OptionError("database", text, f"must be {_ACCEPTED}")
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() in ("postgresql", "postgres"):
        raise StoreError(scheme + "://…", f"PostgreSQL is not supported yet; accepted: {_ACCEPTED}")
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
