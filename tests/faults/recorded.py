"""What a database's own rows say, read by nobody's code but SQLite's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Row", "check_every_instant_once", "is_sound", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a job's firings."""

    id: str
    scheduled: int
    last: int
    count: int
    attempt: int
    status: str


def rows_of(path: Path, job_id: str) -> list[Row]:
    """The records of a job, in the order of their instants."""
    with closing(sqlite3.connect(path)) as sql:
        found = sql.execute(
            "SELECT id, scheduled, last_scheduled, count, attempt, status FROM aurora_executions"
            " WHERE job_id = ? AND \"trigger\" = 'schedule' ORDER BY scheduled, attempt",
            (job_id,),
        ).fetchall()
    return [Row(*values) for values in found]


def check_every_instant_once(rows: list[Row], period: int) -> None:
    """From the first record to the last, each instant of a job is in exactly one."""
    assert rows, "nothing is recorded"
    expected = rows[0].scheduled
    for row in rows:
        assert row.attempt == 1
        assert row.scheduled == expected, f"{row} should begin at {expected}"
        assert row.last == row.scheduled + (row.count - 1) * period, f"{row} does not stand for {row.count} instants"
        expected = row.last + period


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(path)) as sql:
        return sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
