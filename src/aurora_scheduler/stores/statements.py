"""The statements that are said more than once, or for every firing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

from aurora_scheduler.model import OPEN
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, EXECUTION_COLUMNS, JOB_COLUMNS, STATE_COLUMNS, Row

__all__ = [
    "INSERT_CHANGE",
    "INSERT_CHANGES",
    "INSERT_EXECUTION",
    "INSERT_EXECUTIONS",
    "INSERT_JOB",
    "MOVE_EXECUTION",
    "MOVE_EXECUTIONS",
    "SAVE_JOB",
    "SAVE_STATE",
    "SAVE_STATES",
    "SELECT_EXECUTION",
    "SELECT_JOB",
    "for_many",
]


def _count(columns: str) -> int:
    return len(columns.split(","))


def _marks(columns: str) -> str:
    return ", ".join("?" * _count(columns))


_STATE_SET = ", ".join(f"{column} = ?" for column in STATE_COLUMNS.split(", "))
_JOB_SET = ", ".join(f"{column} = ?" for column in JOB_COLUMNS.split(", "))

SAVE_STATE = f"UPDATE aurora_jobs SET {_STATE_SET} WHERE id = ? AND generation = ? AND version = ?"
SAVE_JOB = f"UPDATE aurora_jobs SET {_JOB_SET} WHERE id = ? AND generation = ? AND version = ?"
INSERT_JOB = f"INSERT INTO aurora_jobs ({JOB_COLUMNS}) VALUES ({_marks(JOB_COLUMNS)})"
INSERT_EXECUTION = f"INSERT INTO aurora_executions ({EXECUTION_COLUMNS}) VALUES ({_marks(EXECUTION_COLUMNS)})"
INSERT_CHANGE = f"INSERT INTO aurora_job_changes ({CHANGE_COLUMNS}) VALUES ({_marks(CHANGE_COLUMNS)})"
#: What an attempt's further life changes of its row.
_MOVED = ("status", "reason", "due", "started", "finished", "result", "error", "traceback", "owner")
#: Said with OR: for an IN of three SQLite builds a table, anew for each firing. Each after a plus, else SQLite might
#: look for the row among all that are open, and not by its id.
_IS_OPEN = " OR ".join(f"+status = '{status.value}'" for status in sorted(OPEN))
#: What is final stays so, and what another owner holds stays his.
MOVE_EXECUTION = (
    f"UPDATE aurora_executions SET {', '.join(f'{column} = ?' for column in _MOVED)} "
    f"WHERE id = ? AND ({_IS_OPEN}) AND (owner IS NULL OR owner = ?)"
)
SELECT_JOB = f"SELECT {JOB_COLUMNS} FROM aurora_jobs"
SELECT_EXECUTION = f"SELECT {EXECUTION_COLUMNS} FROM aurora_executions"


# -- many at once ------------------------------------------------------------------------------------------------

#: The rows in `{}`: SQLite calls their columns column1, column2 and so on.
_ROWS = "(VALUES {}) AS row"


def _set(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} = row.column{number}" for number, column in enumerate(columns, start=1))


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) SELECT * FROM {_ROWS} WHERE row.column1 IS NOT NULL"


_STATES = STATE_COLUMNS.split(", ")
SAVE_STATES = (
    f"UPDATE aurora_jobs SET {_set(_STATES)} FROM {_ROWS} WHERE id = row.column{len(_STATES) + 1} "
    f"AND generation = row.column{len(_STATES) + 2} AND version = row.column{len(_STATES) + 3}"
)
MOVE_EXECUTIONS = (
    f"UPDATE aurora_executions SET {_set(_MOVED)} FROM {_ROWS} WHERE id = row.column{len(_MOVED) + 1} "
    f"AND ({_IS_OPEN}) AND (owner IS NULL OR owner = row.column{len(_MOVED) + 2})"
)
INSERT_EXECUTIONS = _insert("aurora_executions", EXECUTION_COLUMNS)
INSERT_CHANGES = _insert("aurora_job_changes", CHANGE_COLUMNS)

#: So many rows a statement is made for; what is fewer is filled up with rows of nothing, which are passed over. They
#: cost nearly as much as real ones: so each is twice the one before, and no smaller.
_SIZES = tuple(4 << step for step in range(9))


def for_many(statement: str, rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[object]]]:
    """One of the statements for many rows, as often as it takes, each with its arguments."""
    width = len(rows[0]) if rows else 0
    for start in range(0, len(rows), _SIZES[-1]):
        some = rows[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(some))
        nothing = (None,) * (width * (size - len(some)))
        yield _made(statement, size, width), (*chain.from_iterable(some), *nothing)


@lru_cache(maxsize=64)
def _made(statement: str, size: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(", ".join([row] * size))
