"""What of the history is deleted, a little at a time; each function is a part of one transaction."""

from __future__ import annotations

import sqlite3

from aurora_scheduler.stores.damaged import fetched
from aurora_scheduler.stores.rows import OPEN_TEXTS

__all__ = ["crowded", "fired_since", "prune_before", "prune_job"]

#: Among so many of the first changes old ones are looked for: they are in the order of time, but for a clock set back.
_OLDEST = 10_000


def crowded(sql: sqlite3.Connection, keep: int, after: str, most: int) -> tuple[list[str], str | None]:
    """Of the next `most` jobs with ids after `after`: those with more than `keep` rows; and the last that was seen."""
    rows = sql.execute(
        "SELECT job_id, count(*) FROM aurora_executions WHERE job_id > ? GROUP BY job_id ORDER BY job_id LIMIT ?",
        (after, most),
    ).fetchall()
    return [job_id for job_id, count in rows if count > keep], rows[-1][0] if len(rows) == most else None


def fired_since(sql: sqlite3.Connection, row: str, share: int) -> list[str]:
    """The jobs of one in `share` of the rows newer than `row`: which, the ends of the rows' ids decide."""
    drawn = f"{max(1, 0x10000 // share):05x}"
    query = "SELECT DISTINCT job_id FROM aurora_executions WHERE id > ? AND '0' || substr(id, -4) < ?"
    return [job_id for (job_id,) in fetched(sql, query, (row, drawn)) if isinstance(job_id, str)]


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
        "DELETE FROM aurora_job_changes WHERE number IN (SELECT number FROM"
        " (SELECT number, at FROM aurora_job_changes ORDER BY number LIMIT ?) WHERE at < ? LIMIT ?)",
        (_OLDEST, instant, most),
    ).rowcount
    return executions + jobs + changes
