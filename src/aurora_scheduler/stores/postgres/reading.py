"""What is asked of jobs and their history."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.ports import Nearest, Snapshot
from aurora_scheduler.stores.damaged import RowReader
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.statements import SELECT_EXECUTION, SELECT_JOB
from aurora_scheduler.stores.rows import OPEN_TEXTS, Row

__all__ = ["executions", "jobs", "nearest", "orphans", "snapshots_of"]

_OPEN = f"WHERE status IN ({OPEN_TEXTS})"


def snapshots_of(sql: Connection, reader: RowReader, job_ids: Sequence[str]) -> list[Snapshot | None]:
    """The snapshots of these jobs, None where there is no such job."""
    wanted = list(job_ids)
    rows: dict[tuple[str, int], list[Execution]] = {}
    for row in reader.open_executions(sql.find(f"{SELECT_EXECUTION} {_OPEN} AND job_id = ANY(%s) ORDER BY id", wanted)):
        rows.setdefault((row.job_id, row.generation), []).append(row)
    found = reader.jobs(sql.find(f"{SELECT_JOB} WHERE id = ANY(%s)", wanted))
    by_id = {job.id: Snapshot(job, tuple(rows.get((job.id, job.generation), ()))) for job in found}
    return [by_id.get(job_id) for job_id in job_ids]


def nearest(sql: Connection, most: int, holder: str | None) -> Nearest:
    """The jobs that `holder`, if it is one, looks after, `most` of those that only wait; what fires first first."""
    mine, whose = ("", []) if holder is None else (" AND holder = %s", [holder])
    busy = sql.find(
        f"SELECT job_id FROM aurora_executions AS row {_OPEN}"
        f" AND EXISTS (SELECT 1 FROM aurora_jobs WHERE id = row.job_id{mine})"
        f" UNION SELECT id FROM aurora_jobs WHERE status = 'active' AND next_fire IS NULL{mine} ORDER BY 1",
        *whose,
        *whose,
    )
    due = sql.find(
        f"SELECT id, next_fire FROM aurora_jobs WHERE status = 'active' AND next_fire IS NOT NULL{mine}"
        " ORDER BY next_fire LIMIT %s",
        *whose,
        most + 1,
    )
    unresolved = sql.find(f"SELECT id FROM aurora_jobs WHERE status = 'unresolved'{mine} ORDER BY next_fire", *whose)
    until = max((at for _, at in due[:most]), default=0) if len(due) > most else None
    return Nearest(list(dict.fromkeys(row[0] for row in (*busy, *due[:most], *unresolved))), until)


def orphans(sql: Connection, reader: RowReader, owner: str) -> list[tuple[Execution, int]]:
    """Attempts that others began who are gone, oldest first, each with its firing's earlier lost ones."""
    of_the_gone = (
        "WHERE status IN ('running', 'cancelling') AND owner IS DISTINCT FROM %s"
        " AND NOT EXISTS (SELECT 1 FROM aurora_nodes AS node WHERE node.id = owner)"
    )
    rows = sql.find(f"{SELECT_EXECUTION} {of_the_gone} ORDER BY id", owner)
    return [(row, _deaths(sql, row)) for row in reader.open_executions(rows)]


def _deaths(sql: Connection, row: Execution) -> int:
    query = (
        "SELECT count(*) FROM aurora_executions"
        " WHERE job_id = %s AND generation = %s AND scheduled = %s AND status = 'lost'"
    )
    ((deaths,),) = sql.find(query, row.job_id, row.generation, row.scheduled)
    return int(deaths)


def jobs(sql: Connection, status: JobStatus | None, tag: str | None, limit: int, after: Job | None) -> list[Row]:
    """The rows of jobs, in the order in which they were made; at most `limit`, -1: all, of those made after `after`."""
    wanted = list[tuple[str, list[object]]]()
    if status is not None:
        wanted.append(("status = %s", [status.value]))
    if tag is not None:
        wanted.append(("tags::jsonb ? %s", [tag]))
    if after is not None:  # one that is not there any more had its place behind those made before it
        place = (
            "number > coalesce((SELECT number FROM aurora_jobs WHERE id = %s),"
            " (SELECT max(number) FROM aurora_jobs WHERE created <= %s), 0)"
        )
        wanted.append((place, [after.id, after.created]))
    where = " AND ".join(text for text, _ in wanted) or "true"
    values = [value for _, some in wanted for value in some]
    return sql.find(f"{SELECT_JOB} WHERE {where} ORDER BY number LIMIT %s", *values, None if limit < 0 else limit)


def executions(
    sql: Connection, job_id: str | None, status: ExecutionStatus | None, limit: int, before: str | int | None
) -> list[Row]:
    """The rows of executions, newest first; `before` is the id of one, or an instant."""
    wanted: list[tuple[str, object]] = []
    if job_id is not None:
        wanted.append(("job_id = %s", job_id))
    if status is not None:
        wanted.append(("status = %s", status.value))
    if before is not None:
        wanted.append(("id < %s" if isinstance(before, str) else "scheduled < %s", before))
    where = " AND ".join(text for text, _ in wanted) or "true"
    # Of all jobs, what was scheduled before an instant comes in the order of its schedule.
    order = "scheduled DESC, id DESC" if isinstance(before, int) and job_id is None else "id DESC"
    query = f"{SELECT_EXECUTION} WHERE {where} ORDER BY {order} LIMIT %s"
    return sql.find(query, *(value for _, value in wanted), limit)
