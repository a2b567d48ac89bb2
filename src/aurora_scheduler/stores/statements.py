"""The statements that are said more than once, or for every firing."""

from __future__ import annotations

from aurora_scheduler.model import OPEN
from aurora_scheduler.stores.rows import EXECUTION_COLUMNS, JOB_COLUMNS, STATE_COLUMNS

__all__ = [
    "INSERT_EXECUTION",
    "INSERT_JOB",
    "MOVE_EXECUTION",
    "SAVE_JOB",
    "SAVE_STATE",
    "SELECT_EXECUTION",
    "SELECT_JOB",
]

_JOB_MARKS = ", ".join("?" * len(JOB_COLUMNS.split(",")))
_EXECUTION_MARKS = ", ".join("?" * len(EXECUTION_COLUMNS.split(",")))
_STATE_SET = ", ".join(f"{column} = ?" for column in STATE_COLUMNS.split(", "))
_JOB_SET = ", ".join(f"{column} = ?" for column in JOB_COLUMNS.split(", "))

SAVE_STATE = f"UPDATE aurora_jobs SET {_STATE_SET} WHERE id = ? AND generation = ? AND version = ?"
SAVE_JOB = f"UPDATE aurora_jobs SET {_JOB_SET} WHERE id = ? AND generation = ? AND version = ?"
INSERT_JOB = f"INSERT INTO aurora_jobs ({JOB_COLUMNS}) VALUES ({_JOB_MARKS})"
INSERT_EXECUTION = f"INSERT INTO aurora_executions ({EXECUTION_COLUMNS}) VALUES ({_EXECUTION_MARKS})"
#: Said with OR: for an IN of three SQLite builds a table, anew for each firing.
_IS_OPEN = " OR ".join(f"status = '{status.value}'" for status in sorted(OPEN))
#: What is final stays so, and what another owner holds stays his.
MOVE_EXECUTION = (
    "UPDATE aurora_executions SET status = ?, reason = ?, due = ?, started = ?, finished = ?, result = ?, error = ?, "
    f"traceback = ?, owner = ? WHERE id = ? AND ({_IS_OPEN}) AND (owner IS NULL OR owner = ?)"
)
SELECT_JOB = f"SELECT {JOB_COLUMNS} FROM aurora_jobs"
SELECT_EXECUTION = f"SELECT {EXECUTION_COLUMNS} FROM aurora_executions"
