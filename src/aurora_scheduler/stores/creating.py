"""Jobs that are added: what there is of their ids already, and many at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from aurora_scheduler.model import Change, Job
from aurora_scheduler.stores.rows import change_row, job_row
from aurora_scheduler.stores.statements import INSERT_CHANGE, INSERT_JOB

__all__ = ["heard_of", "insert_all", "next_generation"]


def heard_of(sql: sqlite3.Connection, job_ids: Sequence[str]) -> set[str]:
    """Those of the ids of which there is a job, or the history of one."""
    if not job_ids:
        return set()
    found = sql.execute(
        "SELECT value FROM json_each(?) WHERE value IN (SELECT id FROM aurora_jobs)"
        " OR EXISTS (SELECT 1 FROM aurora_executions WHERE job_id = value)"
        " OR EXISTS (SELECT 1 FROM aurora_job_changes WHERE job_id = value)",
        (json.dumps(job_ids),),
    )
    return {job_id for (job_id,) in found}


def insert_all(sql: sqlite3.Connection, jobs: Sequence[Job], changes: Sequence[Change]) -> range:
    """Add jobs of whose ids there is nothing yet, and a line of history each; the numbers of these."""
    sql.executemany(INSERT_JOB, map(job_row, jobs))
    sql.executemany(INSERT_CHANGE, map(change_row, changes))
    (last,) = sql.execute("SELECT last_insert_rowid()").fetchone()
    return range(last - len(changes) + 1, last + 1)


def next_generation(sql: sqlite3.Connection, job_id: str) -> int:
    """One more than any job, execution or change of this id has."""
    (highest,) = sql.execute(
        "SELECT max(coalesce((SELECT max(CAST(generation AS INTEGER)) FROM aurora_jobs WHERE id = :id), 0),"
        " coalesce((SELECT max(CAST(generation AS INTEGER)) FROM aurora_executions WHERE job_id = :id), 0),"
        " coalesce((SELECT max(CAST(generation AS INTEGER)) FROM aurora_job_changes WHERE job_id = :id), 0))",
        {"id": job_id},
    ).fetchone()
    return int(highest) + 1
