"""What a scheduler answers when it is asked why a job ran, when it will, or how it is itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aurora_scheduler.instants import presented
from aurora_scheduler.model import Change, Execution

__all__ = ["Explanation", "Health", "Outlook"]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a job ran at an instant, or why it did not.

    Attributes:
        job_id: the job.
        at: the instant, in microseconds since the epoch, UTC; `asked_for` is the same as a datetime.
        timezone: the job's time zone.
        verdict: one word: the status of its last execution; or, where it has none, "to_come", "due", "paused",
            "deactivated", "unresolved", "finished", "before_created", "before_start", "after_end", "excluded",
            "edited", "forgotten", "no_instant".
        text: the same in a sentence.
        executions: its attempts, or the row of the range that it is in.
        changes: what happened to the job that explains it.
    """

    job_id: str
    at: int
    timezone: str
    verdict: str
    text: str
    executions: tuple[Execution, ...] = ()
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        return f"{self.asked_for}: {self.text}"

    @property
    def asked_for(self) -> datetime:
        """The instant, in the job's time zone."""
        moment = presented(self.at, self.timezone)
        assert moment is not None
        return moment


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is to come of a job, as it stands now.

    Attributes:
        job_id: the job.
        description: its schedule in words, with its zone.
        next_run_times: its next firings, in its time zone, within `start_at`, `end_at` and `max_runs`; with `jitter`,
            when they are really due. Empty where nothing is to come, and for a job that is not active.
    """

    job_id: str
    description: str
    next_run_times: tuple[datetime, ...]

    def __str__(self) -> str:
        return self.description


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a scheduler is, as of now.

    Attributes:
        status: "ok": it fires; "standby": another process fires, and this one takes over when that is gone;
            "degraded": it fires late or not at all, and goes on trying; "stopped": it does not fire.
        reason: why it is not "ok"; None where it is.
        jobs: how many jobs are looked after here.
        running: how many executions run here.
        overdue: how many jobs have been due for more than a second, and have not begun.
        loop_lag: for how many seconds the scheduler's loop was late when it was asked to do something.
        store: "ok", or what was wrong when it was written to last.
        left: the names of the jobs whose callbacks would not end when it was stopped, and were let go of.
    """

    status: str
    reason: str | None = None
    jobs: int = 0
    running: int = 0
    overdue: int = 0
    loop_lag: float = 0.0
    store: str = "ok"
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.status if self.reason is None else f"{self.status}: {self.reason}"

    @property
    def is_ok(self) -> bool:
        """Whether all is well: it fires, or stands by."""
        return self.status in ("ok", "standby")
