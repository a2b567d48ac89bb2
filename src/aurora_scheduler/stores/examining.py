"""How a database is, looked at from outside: nothing is changed, and nobody is held up."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.files import looked_at
from aurora_scheduler.stores.locks import FileLock
from aurora_scheduler.stores.migrations import KNOWN, steps_of

__all__ = ["Examination", "examine", "job_names"]

#: How many of its complaints SQLite is asked for.
_COMPLAINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found."""

    size: int
    log_size: int
    damage: tuple[str, ...]
    """What SQLite says of its pages and indexes; empty where all is well."""
    version: int
    """How many steps of the schema there are in the database."""
    owner: int | None
    """The process that fires the jobs; None: nobody does just now."""

    @property
    def behind(self) -> str:
        """What this release is going to do about the schema; empty where it is of this release."""
        if self.version == len(KNOWN):
            return ""
        return f"version {self.version}; whoever opens it with this release brings it to version {len(KNOWN)}"


def examine(path: str) -> Examination:
    """Look at a database. Raises `StoreError` where it cannot be read, or a newer release has made it."""
    file = os.path.realpath(path)
    with translated(path), closing(sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True)) as sql:
        version = len(steps_of(sql, path))
        complaints = [str(row[0]) for row in sql.execute(f"PRAGMA integrity_check({_COMPLAINTS})")]
    return Examination(
        size=os.stat(file).st_size,
        log_size=_size(f"{file}-wal"),
        damage=tuple(line for line in complaints if line != "ok"),
        version=version,
        owner=_owner(f"{file}-aurora.owner"),
    )


def job_names(path: str, beginning: str, most: int) -> list[tuple[str, str]]:
    """The ids and names of jobs, of which one begins so: `most` at most, oldest first.

    Raises `StoreError` where the database cannot be read; none are found where another program writes it just now.
    """
    begins = "substr({}, 1, length(:beginning)) = :beginning"
    query = f"SELECT id, name FROM aurora_jobs WHERE {begins.format('id')} OR {begins.format('name')} LIMIT :most"
    found: list[tuple[str, str]] = []

    def see(look: sqlite3.Connection) -> None:
        found.extend(look.execute(query, {"beginning": beginning, "most": most}))

    with translated(path), looked_at(path, see):
        return found


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _owner(path: str) -> int | None:
    if not os.path.exists(path):
        return None
    lock = FileLock(path)
    try:
        if lock.try_lock():  # and gives it back at once: who wants to be the owner tries again
            return None
        note = Path(path).read_text(errors="replace").split()
        return int(note[-1]) if note and note[-1].isdigit() else 0
    finally:
        lock.close()
