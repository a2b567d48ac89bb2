"""What people list: jobs and executions, a page at a time."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.model import ExecutionStatus, Job, JobStatus
from aurora_scheduler.stores.damaged import fetched
from aurora_scheduler.stores.rows import Row
from aurora_scheduler.stores.statements import SELECT_EXECUTION, SELECT_JOB

__all__ = ["executions", "jobs"]

_IS_AS_WANTED = (
    "(:status IS NULL OR status = :status) AND (:tag IS NULL OR CASE WHEN json_valid(tags)"
    " THEN EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :tag) END)"
)
#: Rows are numbered as they are made. One that is not there any more had its place behind those made before it.
_AFTER = (
    "rowid > coalesce((SELECT rowid FROM aurora_jobs WHERE id = :after),"
    " (SELECT max(rowid) FROM aurora_jobs WHERE created <= :made), 0)"
)


def jobs(
    sql: sqlite3.Connection, status: JobStatus | None, tag: str | None, limit: int, after: Job | None
) -> list[Row]:
    """The rows of jobs, in the order in which they were made; at most `limit`, -1: all, of those made after `after`."""
    where = _IS_AS_WANTED if after is None else f"{_IS_AS_WANTED} AND {_AFTER}"
    place = {"after": None, "made": None} if after is None else {"after": after.id, "made": after.created}
    wanted = {"status": status, "tag": tag, "limit": limit, **place}
    return fetched(sql, f"{SELECT_JOB} WHERE {where} ORDER BY rowid LIMIT :limit", wanted)


def executions(
    sql: sqlite3.Connection,
    job_id: str | None,
    status: ExecutionStatus | None,
    limit: int,
    before: str | int | None,
) -> list[Row]:
    """The rows of executions, newest first; `before` is the id of one, or an instant."""
    wanted: list[tuple[str, object]] = []
    if job_id is not None:
        wanted.append(("job_id = ?", job_id))
    if status is not None:  # said with a plus, SQLite looks among the job's own rows, and not among all of that status
        wanted.append(("status = ?" if job_id is None else "+status = ?", status.value))
    if isinstance(before, str):
        wanted.append(("id < ?", before))
    elif before is not None:
        wanted.append(("scheduled < ?", before))
    where = f" WHERE {' AND '.join(text for text, _ in wanted)}" if wanted else ""
    # Of all jobs, what was scheduled before an instant is found, and so comes, in the order of its schedule.
    order = "scheduled DESC, id DESC" if isinstance(before, int) and job_id is None else "id DESC"
    query = f"{SELECT_EXECUTION}{where} ORDER BY {order} LIMIT ?"
    return fetched(sql, query, (*(value for _, value in wanted), limit))
