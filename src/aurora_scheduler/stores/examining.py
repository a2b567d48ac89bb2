"""How the database in a file is, looked at from outside: nothing is changed, and nobody is held up."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aurora_scheduler.stores.faults import translated
from aurora_scheduler.stores.files import looked_at
from aurora_scheduler.stores.locks import FileLock
from aurora_scheduler.stores.migrations import KNOWN, has_begun, steps_of

__all__ = ["Examination", "examine", "is_in_use", "job_names"]

#: How many of its complaints SQLite is asked for.
_COMPLAINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found."""

    kind: str
    """"file" or "database"."""
    place: str
    """Where it is."""
    size: int
    log_size: int | None
    """Of the write-ahead log beside it; None where that is the server's."""
    damage: tuple[str, ...] | None
    """What SQLite says of its pages and indexes: nothing where all is well; None where that was not asked."""
    version: int
    """How many steps of the schema there are in the database."""
    known: int
    """How many this release knows."""
    owner: str | None
    """Who fires the jobs; None: nobody does just now."""
    tags: frozenset[str] | None = None
    """The tags of all who share the jobs; None: they are one process's."""

    @property
    def behind(self) -> str:
        """What this release is going to do about the schema; empty where it is of this release."""
        if self.version == self.known:
            return ""
        if self.version > self.known:
            return f"version {self.version}, of a newer release; this one, of version {self.known}, works with it, too"
        return f"version {self.version}; whoever opens it with this release brings it to version {self.known}"


def examine(path: str) -> Examination:
    """Look at a database. Raises `StoreError` where it cannot be read, or a newer release has made it."""
    file = os.path.realpath(path)
    with translated(path), closing(sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True)) as sql:
        version = len(steps_of(sql, path))
        complaints = [str(row[0]) for row in sql.execute(f"PRAGMA integrity_check({_COMPLAINTS})")]
    return Examination(
        kind="file",
        place=path,
        size=os.stat(file).st_size,
        log_size=_size(f"{file}-wal"),
        damage=tuple(line for line in complaints if line != "ok"),
        version=version,
        known=len(KNOWN),
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


def _owner(path: str) -> str | None:
    if not os.path.exists(path):
        return None
    lock = FileLock(path)
    try:
        if lock.try_lock():  # and gives it back at once: who wants to be the owner tries again
            return None
        note = Path(path).read_text(errors="replace").split()
        return f"process {note[-1]} fires the jobs" if note and note[-1].isdigit() else "a process fires the jobs"
    finally:
        lock.close()
