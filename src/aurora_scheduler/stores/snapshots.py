"""Jobs with their open rows, as they stand in one moment; and which of them need looking after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from aurora_scheduler.model import Execution, Job
from aurora_scheduler.ports import Nearest, Snapshot
from aurora_scheduler.stores.blocks import steady
from aurora_scheduler.stores.damaged import RowReader, fetched
from aurora_scheduler.stores.rows import OPEN_TEXTS
from aurora_scheduler.stores.statements import SELECT_EXECUTION, SELECT_JOB

__all__ = ["nearest", "snapshots_of"]

_OPEN = f"{SELECT_EXECUTION} WHERE status IN ({OPEN_TEXTS})"
_MANY = 100
_FIRST = "SELECT id, next_fire FROM aurora_jobs WHERE status = 'active' AND next_fire IS NOT NULL"
#: With open rows, or with nothing to come, which their task is to say.
_BUSY = (
    f"SELECT job_id FROM aurora_executions WHERE status IN ({OPEN_TEXTS})"
    " UNION SELECT id FROM aurora_jobs WHERE status = 'active' AND next_fire IS NULL"
)
_UNRESOLVED = "SELECT id FROM aurora_jobs WHERE status = 'unresolved' ORDER BY next_fire"
#: The ids are one argument, a list as JSON text: there may be any number of them.
_AMONG = "IN (SELECT value FROM json_each(?))"


def nearest(sql: sqlite3.Connection, most: int) -> Nearest:
    """The jobs that need looking after, `most` of those that only wait to fire; what fires first first."""
    first = f"{_FIRST} ORDER BY next_fire LIMIT {most + 1}"
    with steady(sql):
        busy, due, unresolved = (fetched(sql, query) for query in (_BUSY, first, _UNRESOLVED))
    until = None
    if len(due) > most:  # those that are left out rest behind some instant, even where a damaged row says no such
        until = max((at for _, at in due[:most] if isinstance(at, int)), default=0)
    ids = dict.fromkeys(row[0] for row in (*busy, *due[:most], *unresolved))
    return Nearest([job_id for job_id in ids if isinstance(job_id, str)], until)


def snapshots_of(sql: sqlite3.Connection, reader: RowReader, job_ids: Sequence[str]) -> list[Snapshot | None]:
    """The snapshots of these jobs, None where there is no such job."""
    wanted = json.dumps(list(job_ids))
    # Open rows of a few jobs are found among those jobs' own; of many, says the plus, among all that are open.
    its_own = "job_id" if len(job_ids) < _MANY else "+job_id"
    with steady(sql):
        rows = _by_job(reader, fetched(sql, f"{_OPEN} AND {its_own} {_AMONG} ORDER BY id", (wanted,)))
        jobs = reader.jobs(fetched(sql, f"{SELECT_JOB} WHERE id {_AMONG}", (wanted,)))
        found = {snapshot.job.id: snapshot for snapshot in _joined(jobs, rows)}
    return [found.get(job_id) for job_id in job_ids]


_Rows = dict[tuple[str, int], list[Execution]]


def _by_job(reader: RowReader, rows: Iterable[tuple[object, ...]]) -> _Rows:
    found: _Rows = {}
    for execution in reader.open_executions(rows):
        found.setdefault((execution.job_id, execution.generation), []).append(execution)
    return found


def _joined(jobs: Iterable[Job], rows: _Rows) -> Iterator[Snapshot]:
    for job in jobs:
        yield Snapshot(job, tuple(rows.get((job.id, job.generation), ())))
