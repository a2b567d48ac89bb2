"""The words that say what a job or an attempt is in, what asked for it, and what happened."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OPEN", "ChangeKind", "ExecutionStatus", "JobStatus", "ScheduleType", "Trigger"]


class _Word(StrEnum):
    """A text that is one of a few."""

    # As the text it equals. An enum's own is written in Python, and asked for several times a firing.
    __hash__ = str.__hash__


class ScheduleType(_Word):
    """How a schedule was said."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    CRON = "cron"
    PHRASE = "phrase"


class JobStatus(_Word):
    """The state of a job. Only an active job fires."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Put to rest by a person."""
    DEACTIVATED = "deactivated"
    """Put to rest by the retry rule: it failed more often than its retries allow."""
    UNRESOLVED = "unresolved"
    """Its callback cannot be imported, or its time zone is unknown here. Kept, shown, and tried again."""
    FINISHED = "finished"
    """No firing is to come, no attempt waits or runs."""


class ExecutionStatus(_Word):
    """The state of one attempt, or the reason why there was none."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Its process died, or lost the database, before the end could be written."""
    SKIPPED = "skipped"
    MISSED = "missed"

    @property
    def is_final(self) -> bool:
        """Whether this state never changes again."""
        return self not in OPEN


#: The states that are not final.
OPEN = frozenset({ExecutionStatus.WAITING, ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING})


class Trigger(_Word):
    """What asked for a firing."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"


class ChangeKind(_Word):
    """What happened to a job other than its firings."""

    CREATED = "created"
    UPDATED = "updated"
    PAUSED = "paused"
    RESUMED = "resumed"
    DEACTIVATED = "deactivated"
    UNRESOLVED = "unresolved"
    RESOLVED = "resolved"
    FINISHED = "finished"
    DELETED = "deleted"
    RENAMED = "renamed"
    """It goes on under another id: told under both, each with the other."""
    RUN_REQUESTED = "run_requested"
    CANCEL_REQUESTED = "cancel_requested"
