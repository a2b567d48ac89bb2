"""What is true of all jobs, or of all attempts of a firing: found by looking through them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from aurora_scheduler.model import Execution
from aurora_scheduler.ports import Computed
from aurora_scheduler.stores.damaged import fetched

__all__ = ["computed_with", "deaths", "jobs_computed_with", "latest"]

_TO_FIRE = "FROM aurora_jobs WHERE status != 'finished' AND next_fire IS NOT NULL"


def computed_with(sql: sqlite3.Connection) -> Collection[Computed]:
    """With what data of which zones the next firings of unfinished jobs were computed."""
    rows = fetched(sql, f"SELECT DISTINCT timezone, zone_data, schedule_type {_TO_FIRE}")
    return [Computed(*row) for row in rows if isinstance(row[0], str)]


def jobs_computed_with(sql: sqlite3.Connection, data: Computed) -> list[str]:
    """The ids of those jobs, what fires first first."""
    query = f"SELECT id {_TO_FIRE} AND timezone = ? AND zone_data IS ? AND schedule_type = ? ORDER BY next_fire"
    return [job_id for (job_id,) in fetched(sql, query, data) if isinstance(job_id, str)]


def latest(sql: sqlite3.Connection) -> int:
    """The latest instant at which an active job was changed, or ran; 0 where there is none."""
    query = "SELECT max(max(updated, coalesce(last_run, updated))) FROM aurora_jobs WHERE status = 'active'"
    ((instant,),) = fetched(sql, query)
    return instant if isinstance(instant, int) else 0


def deaths(sql: sqlite3.Connection, row: Execution) -> int:
    """How many attempts of the row's firing were lost."""
    (count,) = sql.execute(
        "SELECT count(*) FROM aurora_executions"
        " WHERE job_id = ? AND generation = ? AND scheduled = ? AND status = 'lost'",
        (row.job_id, row.generation, row.scheduled),
    ).fetchone()
    return int(count)
