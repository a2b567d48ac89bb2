"""The words of the reference: a job, its records, what runs of it, and what a callback does. All can change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aurora_scheduler.model import ExecutionStatus as Is
from aurora_scheduler.model import JobStatus, Trigger
from aurora_scheduler.schedules import Schedule

__all__ = ["DEFAULTS", "HOURS_3", "LONGEST_PAUSE", "MOST", "OPEN", "SECOND", "Is", "Job", "Part", "Pause", "Row", "Run"]

SECOND = 1_000_000
HOURS_3 = 3 * 3600 * SECOND
#: How many firings wait in a queue, and how many of a backlog are made up for.
MOST = 100
OPEN = (Is.WAITING, Is.RUNNING, Is.CANCELLING)
FIRST_PAUSE, LONGEST_PAUSE = SECOND // 10, 5 * SECOND

#: The policies, and what they are where nothing is said. Durations in microseconds.
DEFAULTS: dict[str, Any] = {
    "misfire": "run_once", "misfire_grace": 60 * SECOND, "overlap": "skip", "max_instances": None, "timeout": None,
    "max_retries": None, "retry_delay": 300 * SECOND, "retry_backoff": 1.0, "max_retry_delay": 86_400 * SECOND,
    "on_exhausted": "deactivate", "start_at": None, "end_at": None, "max_runs": None, "jitter": 0,
    "delivery": "at_least_once",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What a callback does: it takes so long (None: it never ends by itself), and then fails or not."""

    takes: int | None
    fails: bool = False
    #: It does not hear that it is cancelled.
    deaf: bool = False


@dataclass(eq=False)
class Row:
    """One record."""

    number: int
    scheduled: int
    last: int
    count: int
    attempt: int
    trigger: Trigger
    status: Is
    reason: str | None
    due: int
    claimed: int = 0
    text: str = ""
    """The schedule that it is of."""

    def stands_to(self, now: int) -> int:
        """The last instant that it stands for; a wrong clock has made a range that reaches far beyond now."""
        return self.scheduled if self.status is Is.MISSED and self.last > now + HOURS_3 else self.last

    def told(self) -> tuple[Any, ...]:
        """What is compared."""
        facts = (self.scheduled, self.last, self.count, self.attempt, self.trigger, self.status, self.reason, self.due)
        return tuple(str(fact) if isinstance(fact, str) else fact for fact in facts)


@dataclass
class Pause:
    """Whoever could not write tries again after a pause, each twice as long as the one before."""

    until: int | None = None
    next: int = FIRST_PAUSE

    def begin(self, mono: int) -> None:
        """It could not be written."""
        self.until, self.next = mono + self.next, min(2 * self.next, LONGEST_PAUSE)

    def over(self) -> None:
        """It could."""
        self.until, self.next = None, FIRST_PAUSE


@dataclass(eq=False)
class Run:
    """An attempt that runs in the process."""

    row: Row
    began: int
    part: Part
    ends: int | None
    overdue: int | None
    marks: int | None = None
    cancelled: str | None = None
    #: What it came to, once its callback has ended.
    outcome: Is | None = None
    is_written: bool = False
    #: The process knows that its row says so.
    was_cancelling: bool = False
    pause: Pause = field(default_factory=Pause)
    marking: Pause = field(default_factory=Pause)

    def alarms(self) -> Iterable[int | None]:
        """When something happens to it."""
        if self.outcome is not None:
            return (self.pause.until,)
        return (self.ends, self.overdue, self.marks, self.marking.until)


@dataclass(eq=False)
class Job:
    """One generation of a job."""

    id: str
    generation: int
    text: str
    options: dict[str, Any]
    created: int
    anchor: int
    schedule: Schedule
    status: JobStatus = JobStatus.ACTIVE
    next: int | None = None
    runs: int = 0
    streak: int = 0
    rows: list[Row] = field(default_factory=list)
    #: When it was changed last, and when the attempt began that ended last: by the wall clock as it was then.
    updated: int = 0
    last_run: int = 0
    is_gone: bool = False
    is_unclear: bool = False
    # -- in the process
    here: list[Run] = field(default_factory=list)
    #: Claimed, but nobody was told: the answer was lost.
    unseen: list[Row] = field(default_factory=list)
    #: Something was written, but nobody was told.
    is_stale: bool = False
    #: What was decided for it last was written, but nobody was told: it will be tried again.
    is_unsure: bool = False
    wakes: int | None = None
    pause: Pause = field(default_factory=Pause)

    def __getattr__(self, name: str) -> Any:
        """The job's policies."""
        try:
            return self.__dict__["options"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def is_active(self) -> bool:
        """Whether it fires."""
        return self.status is JobStatus.ACTIVE

    @property
    def retries(self) -> int:
        """How many failures in a row are retried."""
        if self.max_retries is None:
            return 3 if self.delivery == "at_least_once" else 0
        return int(self.max_retries)

    @property
    def most_at_once(self) -> int | None:
        """How many attempts run at once; None: any number."""
        return self.max_instances if self.overlap == "allow" else 1

    @property
    def keeps_retries(self) -> bool:
        """Whether a retry that waits and a newer firing both run."""
        return self.overlap in ("allow", "queue_one", "queue_all")

    def waiting(self) -> list[Row]:
        """The rows that wait, oldest first."""
        return [row for row in self.rows if row.status is Is.WAITING]

    def taken(self) -> int:
        """The places among `max_runs` that are taken: by what was claimed, and by what has its turn."""
        return self.runs + sum(
            row.reason in ("queued", "backlog") and row.trigger is Trigger.SCHEDULE and row.attempt == 1
            for row in self.waiting()
        )

    def instant_after(self, after: int) -> int | None:
        """The first instant after `after` within the job's bounds."""
        if self.start_at is not None:
            after = max(after, self.start_at - 1)
        instant = self.schedule.next_instant(after)
        return None if instant is None or (self.end_at is not None and instant > self.end_at) else instant

    def following(self, after: int, more: int = 0) -> int | None:
        """The firing that comes after `after`, if `max_runs` leaves one when `more` are taken than now."""
        if self.max_runs is not None and self.taken() + more >= self.max_runs:
            return None
        return self.instant_after(after)

    def due(self, instant: int) -> int:
        """When an instant is due: with jitter a little later, and before the next one."""
        if not self.jitter:
            return instant
        most, after = self.jitter, self.schedule.next_instant(instant)
        if after is not None:
            most = min(most, after - instant - 1)
        number = hashlib.blake2b(f"{self.id}:{instant}".encode(), digest_size=8).digest()
        return instant + int.from_bytes(number, "big") % (most + 1)

    def next_due(self) -> int | None:
        """When the next firing is due."""
        return None if self.next is None else self.due(self.next)

    def record_of(self, instant: int, now: int) -> Row | None:
        """The record that stands for an instant of the schedule, if it has one, as seen from now."""
        rows = (row for row in self.rows if row.trigger is Trigger.SCHEDULE)
        found = next((row for row in rows if row.scheduled <= instant <= row.stands_to(now)), None)
        if found is not None and found.count > 1 and found.text != self.text:
            self.is_unclear = True  # the clock was set back, and the schedule changed: is it one of the range's?
        if found is not None and found.scheduled < instant and found.last > now + 2 * HOURS_3 // 3:
            self.is_unclear = True  # when it was said to be the next, the range reached far beyond that time
        return found

    def next_from(self, after: int) -> int | None:
        """The first firing after `after`, but not one within a range that has its record."""
        instant = self.following(after)
        record = None if instant is None else self.record_of(instant, after)
        return instant if record is None or record.scheduled == instant else self.following(record.last)

    def overdue(self, until: int) -> list[int]:
        """The instants that have come due by `until` from the next one on, one by one."""
        found, instant = [], self.next
        while instant is not None and self.due(instant) <= until:
            found.append(instant)
            instant = self.instant_after(instant)
        return found
