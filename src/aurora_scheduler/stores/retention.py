"""What of the history is deleted, a little at a time; each function is a part of one transaction."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.stores.rows import OPEN_TEXTS

__all__ = ["crowded", "prune_before", "prune_job"]


def crowded(sql: sqlite3.Connection, keep: int, most: int) -> list[str]:
    """At most `most` ids of jobs that have more than `keep` final rows."""
    rows = sql.execute(
        f"SELECT job_id FROM aurora_executions WHERE status NOT IN ({OPEN_TEXTS})"
        " GROUP BY job_id HAVING count(*) > ? LIMIT ?",
        (keep, most),
    ).fetchall()
    return [job_id for (job_id,) in rows]


def prune_job(sql: sqlite3.Connection, job_id: str, keep: int, most: int) -> int:
    """Delete at most `most` of the job's oldest final rows beyond the newest `keep`; how many it were."""
    return sql.execute(
        "DELETE FROM aurora_executions WHERE id IN (SELECT id FROM aurora_executions"
        f" WHERE job_id = ? AND status NOT IN ({OPEN_TEXTS}) ORDER BY id DESC LIMIT ? OFFSET ?)",
        (job_id, most, keep),
    ).rowcount


def prune_before(sql: sqlite3.Connection, instant: int, most: int) -> int:
    """Delete at most `most` each of final rows, finished jobs and changes older than `instant`; how many it were."""
    executions = sql.execute(
        "DELETE FROM aurora_executions WHERE id IN (SELECT id FROM aurora_executions"
        f" WHERE id < ? AND status NOT IN ({OPEN_TEXTS}) AND finished < ? LIMIT ?)",
        (f"{max(instant, 0):016x}", instant, most),
    ).rowcount
    jobs = sql.execute(
        "DELETE FROM aurora_jobs WHERE id IN (SELECT id FROM aurora_jobs"
        " WHERE status = 'finished' AND max(updated, coalesce(last_run, updated)) < ?"
        f" AND id NOT IN (SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS})) LIMIT ?)",
        (instant, most),
    ).rowcount
    changes = sql.execute(
        "DELETE FROM aurora_job_changes WHERE number IN"
        " (SELECT number FROM aurora_job_changes WHERE at < ? ORDER BY number LIMIT ?)",
        (instant, most),
    ).rowcount
    return executions + jobs + changes
