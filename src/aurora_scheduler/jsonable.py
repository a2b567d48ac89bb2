"""Values as JSON has them, by the names that a user knows them under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

__all__ = ["EXECUTION", "JOB", "jsonable"]

JOB = (
    "id", "name", "status", "status_reason", "schedule_type", "schedule_value", "timezone", "callback",
    "callback_args", "tags", "next_run_time", "last_run_time", "last_run_result", "retry_count", "max_retries",
    "created_at", "updated_at",
)  # fmt: skip
EXECUTION = (
    "id", "job_id", "job_name", "scheduled_for", "last_scheduled_for", "count", "attempt", "trigger", "status",
    "reason", "due_at", "started_at", "finished_at", "lateness", "result", "error", "traceback", "owner",
)  # fmt: skip


def jsonable(value: object, names: Iterable[str]) -> dict[str, Any]:
    """These attributes of a value: times as ISO 8601 with their offset, durations in seconds."""
    return {name: _plain(getattr(value, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
