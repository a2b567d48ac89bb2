"""A job that goes on under another id, and takes its history with it."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.errors import JobExistsError
from aurora_scheduler.model import Job
from aurora_scheduler.ports import Stale
from aurora_scheduler.stores.faults import is_taken
from aurora_scheduler.stores.rows import job_row
from aurora_scheduler.stores.statements import SAVE_JOB

__all__ = ["rename"]

_WITH_IT = ("aurora_executions", "aurora_job_changes")


def rename(sql: sqlite3.Connection, before: Job, after: Job) -> None:
    """Write the job as `after`, and give its executions and changes the same id and generation.

    Those of former jobs of the old id stay where they are. Raises `Stale` or `JobExistsError`.
    """
    try:
        saved = sql.execute(SAVE_JOB, (*job_row(after), before.id, before.generation, after.version - 1))
    except sqlite3.IntegrityError as error:
        if not is_taken(error):
            raise
        raise JobExistsError(after.id) from error
    if saved.rowcount != 1:
        raise Stale(before.id)
    for table in _WITH_IT:
        sql.execute(
            f"UPDATE {table} SET job_id = ?, generation = ? WHERE job_id = ? AND generation = ?",
            (after.id, after.generation, before.id, before.generation),
        )
