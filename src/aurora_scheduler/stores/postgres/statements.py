"""The statements that write: each takes any number of rows, a list for each column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from aurora_scheduler.stores.postgres.schema import TYPES
from aurora_scheduler.stores.rows import (
    CHANGE_COLUMNS,
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    OPEN_TEXTS,
    STATE_COLUMNS,
)

__all__ = [
    "INSERT_CHANGES",
    "INSERT_JOBS",
    "SAVE_JOBS",
    "SELECT_EXECUTION",
    "SELECT_JOB",
    "all_together",
    "together",
]

SELECT_JOB = f"SELECT {JOB_COLUMNS} FROM aurora_jobs"
SELECT_EXECUTION = f"SELECT {EXECUTION_COLUMNS} FROM aurora_executions"

#: Which version of a job is written over, after the values that it gets.
_SEEN = ("seen_id", "seen_generation", "seen_version")
#: And who must hold it; NULL: whoever does.
_HOLDER = "seen_holder"
#: What an attempt's further life changes of its row.
_MOVED = ("status", "reason", "due", "started", "finished", "result", "error", "traceback", "owner")
_TYPES = {
    **TYPES,
    "seen_id": "text",
    "seen_generation": "bigint",
    "seen_version": "bigint",
    "seen_owner": "text",
    "holder": "text",
    _HOLDER: "text",
}


def _names(columns: str) -> list[str]:
    return [name.strip('" ') for name in columns.split(",")]


def _given(names: Iterable[str]) -> str:
    """The rows that a statement is given, as a table."""
    names = list(names)
    lists = ", ".join(f"%s::{_TYPES[name]}[]" for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    return f"unnest({lists}) AS given({columns})"


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) SELECT * FROM {_given(_names(columns))}"


#: Whoever holds it goes on doing so, but not if he is gone.
_LIVING = "CASE WHEN job.holder IN (SELECT id FROM aurora_nodes) THEN job.holder END"


def _save(names: Sequence[str], seen: Sequence[str]) -> str:
    setting = ", ".join(f"{name} = given.{name}" for name in names)
    return (
        f"UPDATE aurora_jobs AS job SET {setting}, holder = {_LIVING} FROM {_given([*names, *seen])}"
        " WHERE job.id = seen_id AND job.generation = seen_generation AND job.version = seen_version"
    )


#: Where a row of that key is there already, it is not written: who looks at the count sees it.
INSERT_JOBS = f"{_insert('aurora_jobs', f'{JOB_COLUMNS}, holder')} ON CONFLICT DO NOTHING"
_INSERT_EXECUTIONS = f"{_insert('aurora_executions', EXECUTION_COLUMNS)} ON CONFLICT DO NOTHING"
INSERT_CHANGES = f"{_insert('aurora_job_changes', CHANGE_COLUMNS)} RETURNING number"
SAVE_JOBS = _save(_names(JOB_COLUMNS), _SEEN)
_SAVE_STATES = f"{_save(_names(STATE_COLUMNS), (*_SEEN, _HOLDER))} AND ({_HOLDER} IS NULL OR job.holder = {_HOLDER})"
#: What is final stays so, and what another owner holds stays his. It is looked up by its key: the
#: index of statuses, which is of no use to a status that is made of two texts, also leads to all that once had it.
_MOVE_EXECUTIONS = (
    f"UPDATE aurora_executions AS attempt SET {', '.join(f'{name} = given.{name}' for name in _MOVED)}"
    f" FROM {_given([*_MOVED, 'id', 'seen_owner'])}"
    f" WHERE attempt.id = given.id AND (attempt.status || '') IN ({OPEN_TEXTS})"
    " AND (attempt.owner IS NULL OR attempt.owner = seen_owner)"
)

#: What decisions write, in the order in which it is given.
_DECISIONS = {
    "saved": f"{_SAVE_STATES} RETURNING job.id",
    "moved": f"{_MOVE_EXECUTIONS} RETURNING attempt.id",
    "added": f"{_INSERT_EXECUTIONS} RETURNING id",
    "told": INSERT_CHANGES,
}


@cache
def together(*kinds: str) -> str:
    """One statement, to be prepared, for these kinds of rows: "saved", "moved", "added" and "told", in this order.

    After their values it is given how many there are of each of the first three, and answers with the ids of which that
    is not so, NULL where it is; and with the numbers of what was told. To ask the server something costs more than what
    it is about, and nobody else writes meanwhile.
    """
    written = [
        f"(SELECT CASE WHEN count(*) = %s THEN NULL ELSE coalesce(array_agg(id), '{{}}') END FROM {kind})"
        for kind in kinds
        if kind != "told"
    ]
    return _numbered(f"{_with(kinds)} SELECT {', '.join([*written, _numbers(kinds)])}")


@cache
def all_together(*kinds: str) -> str:
    """The same, but it divides by zero where not all was written, and answers with the numbers only."""
    written = [f"(SELECT count(*) FROM {kind}) = %s" for kind in kinds if kind != "told"]
    return _numbered(f"{_with(kinds)} SELECT 1 / ({' AND '.join(written)})::int, {_numbers(kinds)}")


def _numbered(statement: str) -> str:
    """The statement as it is prepared: its values have numbers."""
    parts = statement.split("%s")
    return parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], 1))


def _with(kinds: Iterable[str]) -> str:
    return f"WITH {', '.join(f'{kind} AS ({_DECISIONS[kind]})' for kind in kinds)}"


def _numbers(kinds: Iterable[str]) -> str:
    return "(SELECT array_agg(number ORDER BY number) FROM told)" if "told" in kinds else "NULL"
