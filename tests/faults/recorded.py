"""What a database's own rows say, read by nobody's code but SQLite's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

__all__ = ["Row", "check_effects", "check_every_instant_once", "check_firings", "is_sound", "rows_by_job", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a job's firings."""

    id: str
    scheduled: int
    last: int
    count: int
    attempt: int
    status: str
    started: int | None = None
    finished: int | None = None
    owner: str | None = None


def rows_of(path: Path, job_id: str, trigger: str = "schedule") -> list[Row]:
    """The records of a job, in the order of their instants. Also of a database in use: its log is not touched."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as sql:
        found = sql.execute(
            "SELECT id, scheduled, last_scheduled, count, attempt, status, started, finished, owner"
            ' FROM aurora_executions WHERE job_id = ? AND "trigger" = ? ORDER BY scheduled, attempt',
            (job_id, trigger),
        ).fetchall()
    return [Row(*values) for values in found]


def rows_by_job(path: Path) -> dict[str, list[Row]]:
    """The records of all jobs' firings, each in the order of its instants, in one reading."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as sql:
        found = sql.execute(
            "SELECT job_id, id, scheduled, last_scheduled, count, attempt, status, started, finished, owner"
            " FROM aurora_executions WHERE \"trigger\" = 'schedule' ORDER BY job_id, scheduled, attempt"
        )
        return {job_id: [Row(*values) for _, *values in its] for job_id, its in groupby(found, lambda row: str(row[0]))}


def check_every_instant_once(rows: list[Row], period: int) -> None:
    """From the first record to the last, each instant of a job is in exactly one."""
    assert rows, "nothing is recorded"
    expected = rows[0].scheduled
    for row in rows:
        assert row.attempt == 1
        assert row.scheduled == expected, f"{row} should begin at {expected}"
        assert row.last == row.scheduled + (row.count - 1) * period, f"{row} does not stand for {row.count} instants"
        expected = row.last + period


def check_firings(rows: Sequence[Row], period: int) -> None:
    """Each instant is in exactly one firing record, and only what was lost has a further attempt."""
    assert rows, "nothing is recorded"
    last: list[Row] = []
    for _, same in groupby(rows, lambda row: row.scheduled):
        attempts = list(same)
        assert [row.attempt for row in attempts] == list(range(1, len(attempts) + 1)), f"these attempts: {attempts}"
        assert all(row.status == "lost" for row in attempts[:-1]), f"more than what was lost was run again: {attempts}"
        last.append(attempts[-1])
    check_every_instant_once([replace(row, attempt=1) for row in last], period)


def check_effects(rows: Iterable[Row], effects: Mapping[str, int]) -> None:
    """Each execution that succeeded has one effect, one that was lost one at most, and there are no others."""
    left = dict(effects)
    for row in rows:
        most, least = {"succeeded": (1, 1), "lost": (1, 0)}.get(row.status, (0, 0))
        count = left.pop(row.id, 0)
        assert least <= count <= most, f"{count} effects of {row}"
    assert not left, f"effects without a record: {left}"


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(path)) as sql:
        return sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
