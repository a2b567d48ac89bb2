"""How decisions are written: the job's state, rows moved and new, a line of history; one decision, or many at once.

Many are written by one statement for each kind of row. That costs no less of a processor, but while SQLite works other
threads run, and after each statement the one that writes has to wait until they let it go on: for thousands of
statements that is very long, for a handful it is nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from aurora_scheduler.model import Change, Commit, Job
from aurora_scheduler.ports import AlreadyRecorded, Fenced, Stale
from aurora_scheduler.stores.faults import is_taken
from aurora_scheduler.stores.rows import Row, change_row, execution_row, moved_row, state_row
from aurora_scheduler.stores.statements import (
    INSERT_CHANGE,
    INSERT_CHANGES,
    INSERT_EXECUTION,
    INSERT_EXECUTIONS,
    MOVE_EXECUTION,
    MOVE_EXECUTIONS,
    SAVE_STATE,
    SAVE_STATES,
    for_many,
)

__all__ = ["write_all", "write_change", "write_one"]


def write_one(sql: sqlite3.Connection, commit: Commit) -> int | None:
    """Write one decision; the number of its line of history. Raises `Stale`, `Fenced` or `AlreadyRecorded`."""
    job = commit.job
    if job is not None and sql.execute(SAVE_STATE, _saved(job)).rowcount != 1:
        raise Stale(job.id)
    for row in commit.moved:
        if sql.execute(MOVE_EXECUTION, moved_row(row)).rowcount != 1:
            raise Fenced(row.id)
    try:
        for row in commit.new:
            sql.execute(INSERT_EXECUTION, execution_row(row))
    except sqlite3.IntegrityError as error:
        if not is_taken(error):
            raise
        raise AlreadyRecorded(str(error)) from error
    return None if commit.change is None else write_change(sql, commit.change)


def write_change(sql: sqlite3.Connection, change: Change) -> int:
    """Write a line of a job's history; its number."""
    return sql.execute(INSERT_CHANGE, change_row(change)).lastrowid or 0


#: So many are written together rather than one by one.
_WORTH_IT = 4


def write_all(sql: sqlite3.Connection, commits: Sequence[Commit]) -> Sequence[int]:
    """Write decisions; the numbers of their lines of history.

    Raises `Refused` where one does not fit, and does not know which: what was written then has to be taken back.
    """
    if len(commits) < _WORTH_IT:
        return [number for commit in commits if (number := write_one(sql, commit)) is not None]
    saved = [_saved(commit.job) for commit in commits if commit.job is not None]
    if _changed(sql, SAVE_STATES, saved) != len(saved):
        raise Stale("one of many")
    moved = [moved_row(row) for commit in commits for row in commit.moved]
    if _changed(sql, MOVE_EXECUTIONS, moved) != len(moved):
        raise Fenced("one of many")
    try:
        _changed(sql, INSERT_EXECUTIONS, [execution_row(row) for commit in commits for row in commit.new])
    except sqlite3.IntegrityError as error:
        if not is_taken(error):
            raise
        raise AlreadyRecorded(str(error)) from error
    numbers: list[int] = []
    for text, values in for_many(INSERT_CHANGES, [change_row(each.change) for each in commits if each.change]):
        added = sql.execute(text, values)
        last = added.lastrowid or 0
        numbers += range(last - added.rowcount + 1, last + 1)
    return numbers


def _changed(sql: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> int:
    """Write so many rows; how many were written."""
    return sum(sql.execute(text, values).rowcount for text, values in for_many(statement, rows))


def _saved(job: Job) -> Row:
    return (*state_row(job), job.id, job.generation, job.version - 1)
