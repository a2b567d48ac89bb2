"""What of the history is deleted, a little at a time; each function is a part of one transaction."""

from __future__ import annotations

from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.rows import OPEN_TEXTS

__all__ = ["crowded", "fired_since", "prune_before", "prune_job"]

#: Among so many of the first changes old ones are looked for: they are in the order of time, but for a clock set back.
_OLDEST = 10_000
_PRUNE_CHANGES = (
    "DELETE FROM aurora_job_changes WHERE number = ANY(ARRAY(SELECT number FROM"
    f" (SELECT number, at FROM aurora_job_changes ORDER BY number LIMIT {_OLDEST}) AS oldest"
    " WHERE at < %s ORDER BY number LIMIT %s))"
)
_IS_HELD = "EXISTS (SELECT 1 FROM aurora_jobs WHERE id = job_id AND holder = %s)"


def crowded(sql: Connection, keep: int, after: str, most: int) -> tuple[list[str], str | None]:
    """Of the next `most` jobs with ids after `after`: those with more than `keep` rows; and the last that was seen."""
    rows = sql.find(
        "SELECT job_id, count(*) FROM aurora_executions WHERE job_id > %s GROUP BY job_id ORDER BY job_id LIMIT %s",
        after,
        most,
    )
    return [job_id for job_id, count in rows if count > keep], rows[-1][0] if len(rows) == most else None


def fired_since(sql: Connection, row: str, share: int, holder: str | None) -> list[str]:
    """The jobs, of those that `holder` holds, if it is one, of one in `share` of the rows newer than `row`.

    Which these are, the ends of the rows' ids decide, so all nodes would look through the same jobs.
    """
    drawn = f"{max(1, 0x10000 // share):05x}"
    query = "SELECT DISTINCT job_id FROM aurora_executions WHERE id > %s AND '0' || right(id, 4) < %s"
    rows = sql.find(query, row, drawn) if holder is None else sql.find(f"{query} AND {_IS_HELD}", row, drawn, holder)
    return [job_id for (job_id,) in rows]


def prune_job(sql: Connection, job_id: str, keep: int, most: int) -> int:
    """Delete at most `most` of the job's oldest final rows beyond the newest `keep`; how many it were."""
    return sql.do(
        "DELETE FROM aurora_executions WHERE id IN (SELECT id FROM aurora_executions"
        f" WHERE job_id = %s AND status NOT IN ({OPEN_TEXTS}) ORDER BY id DESC LIMIT %s OFFSET %s)",
        job_id,
        most,
        keep,
    )


def prune_before(sql: Connection, instant: int, most: int) -> int:
    """Delete at most `most` each of final rows, finished jobs and changes older than `instant`; how many it were."""
    executions = (
        "DELETE FROM aurora_executions WHERE id IN (SELECT id FROM aurora_executions"
        f" WHERE id < %s AND status NOT IN ({OPEN_TEXTS}) AND finished < %s LIMIT %s)"
    )
    jobs = (
        "DELETE FROM aurora_jobs WHERE id IN (SELECT id FROM aurora_jobs"
        " WHERE status = 'finished' AND greatest(updated, last_run) < %s"
        f" AND id NOT IN (SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS})) LIMIT %s)"
    )
    return (
        sql.do(executions, f"{max(instant, 0):016x}", instant, most)
        + sql.do(jobs, instant, most)
        + sql.do(_PRUNE_CHANGES, instant, most)
    )
