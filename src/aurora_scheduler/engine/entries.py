"""What the engine knows of each job: the store's rows in memory, and what of them runs here."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass

import trio

from aurora_scheduler.engine.alarms import Bell
from aurora_scheduler.engine.requests import Request
from aurora_scheduler.model import CallbackName, Commit, Execution, ExecutionStatus, Job, Outcome, Trigger
from aurora_scheduler.ports import Clock, Snapshot
from aurora_scheduler.rules.overlap import has_room
from aurora_scheduler.tickets import Ticket
from aurora_scheduler.values import replace

__all__ = ["Attempt", "Entry", "current_execution"]

#: The id of the execution whose callback runs in this context; None outside of callbacks.
current_execution: ContextVar[str | None] = ContextVar("aurora_scheduler_execution", default=None)

#: How many claims of a job that seemed to fail are remembered.
_UNANSWERED = 10_000


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt that runs here."""

    execution: Execution
    entry: Entry | None = None
    """The job's; None where it runs for nobody's job, as a hook does."""
    callback: CallbackName | None = None
    """What it calls; None before it is looked up."""
    scope: trio.CancelScope | None = None
    """What an interruptible callback, an async one, runs in. A thread cannot be stopped."""
    started: int | None = None
    """When the callback really began: after the claim, and after a wait for a worker thread."""
    began: float | None = None
    """The same by the monotonic clock."""
    ran: float = 0.0
    """For how many seconds it ran in all, by the monotonic clock."""
    begun: Ticket[None] | None = None
    """Answered when the callback begins, where somebody waits for that."""
    finished: int | None = None
    """When the callback had ended; its end may be written later."""
    has_slot: bool = True
    """Whether it has one of the slots for what runs at once: until its callback has ended."""
    cancel_reason: str | None = None
    came_to: Outcome | None = None
    """What the callback came to; None: it has not ended, or what it came to is lost."""

    def begin(self, clock: Clock) -> None:
        """The callback begins here and now, in whichever thread."""
        self.started, self.began = clock.now(), clock.monotonic()
        if self.begun is not None:
            self.begun.answer(None)

    def finish(self, clock: Clock) -> None:
        """The callback has ended, here and now."""
        self.finished, self.ran = clock.now(), self.ran_for(clock)

    def ran_for(self, clock: Clock) -> float:
        """For how many seconds the callback runs, or ran when it has just ended; 0 where it has not begun."""
        return clock.monotonic() - self.began if self.began is not None else 0.0

    def cancel(self, reason: str) -> None:
        """Ask the attempt to end; a second reason changes nothing."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            if self.scope is not None:
                self.scope.cancel()

    def note_cancelling(self, reason: str) -> None:
        """The row says that the attempt is asked to end: it is, and is known as such."""
        self.execution = replace(self.execution, status=ExecutionStatus.CANCELLING, reason=reason)
        self.cancel(reason)

    @property
    def is_interruptible(self) -> bool:
        """Whether cancelling stops the callback."""
        return self.scope is not None

    def make_interruptible(self) -> trio.CancelScope:
        """From here on cancelling stops the callback, which runs in this scope; also where that was asked before."""
        self.scope = trio.CancelScope()
        if self.cancel_reason is not None:
            self.scope.cancel()
        return self.scope


class Entry:
    """A job in the book: its last known rows, its attempts that run here, and the scope of its task."""

    __slots__ = ("attempts", "awaits_end", "bell", "claiming", "job", "request", "scope", "unanswered", "waiting")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.waiting: tuple[Execution, ...] = ()
        self.attempts: dict[str, Attempt] = {}
        #: The executions whose claims seemed to fail, the last of them: they have not begun. Where one is in the store
        #: all the same, its commit took effect, and only the answer was lost.
        self.unanswered: deque[str] | None = None
        #: The executions whose claims are being committed, one as often as it is tried: a task that was put to rest in
        #: the midst of it ends it, beside the job's new one.
        self.claiming: list[str] = []
        #: The cancel scope of the job's task; None while it has none.
        self.scope: trio.CancelScope | None = None
        #: Whether the task waits for an attempt's end to be written.
        self.awaits_end = False
        #: The claim that the task asked for, until it is made.
        self.request: Request | None = None
        #: Rung when the job's task is to decide anew.
        self.bell = Bell()

    def __repr__(self) -> str:
        return f"<Entry {self.job.name!r} {self.job.status} | {len(self.attempts)} running | next {self.job.next_fire}>"

    @property
    def needs_task(self) -> bool:
        """Whether there is something to wait for: the job is active, or a run was asked for by hand."""
        return self.job.is_active or any(row.trigger is Trigger.MANUAL for row in self.waiting)

    @property
    def is_busy(self) -> bool:
        """Whether something of the job runs here, or is about to, or may have been claimed."""
        return bool(self.attempts or self.claiming or self.unanswered)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the job runs, and nothing waits."""
        return not (self.waiting or self.is_busy)

    @property
    def is_held_up(self) -> bool:
        """Whether there is no room for another attempt, but will be as soon as an end is written that has come."""
        attempts = self.attempts.values()
        return any(attempt.finished is not None for attempt in attempts) and not has_room(self.job, self.attempts)

    def running(self) -> list[Execution]:
        """The attempts that run here, as they were claimed."""
        return [attempt.execution for attempt in self.attempts.values()]

    def take(self, snapshot: Snapshot) -> None:
        """Replace what is known, unless it is newer than the snapshot."""
        if snapshot.job.version < self.job.version:
            return
        self.job = snapshot.job
        self.waiting = tuple(row for row in snapshot.open if row.status is ExecutionStatus.WAITING)
        self.nudge()

    def apply(self, commit: Commit) -> None:
        """Bring in what a commit of our own wrote, unless what is known is newer already."""
        if commit.job is None or commit.job.version <= self.job.version:
            return
        self.job = commit.job
        if self.waiting:
            moved = {row.id for row in commit.moved}
            self.waiting = tuple(row for row in self.waiting if row.id not in moved)
        for rows in (commit.moved, commit.new):
            for row in rows:
                if row.status is ExecutionStatus.WAITING:
                    self.waiting = (*self.waiting, row)

    def is_unanswered(self, row: Execution) -> bool:
        """Whether the row was claimed here by a commit that seemed to fail, and nobody has begun it or is about to."""
        known = row.id in self.attempts or row.id in self.claiming
        unanswered = self.unanswered is not None and row.id in self.unanswered
        return unanswered and not known and row.status is not ExecutionStatus.WAITING

    def note_unanswered(self, execution_id: str) -> None:
        """The claim of this execution seemed to fail."""
        if self.unanswered is None:
            self.unanswered = deque(maxlen=_UNANSWERED)
        if execution_id not in self.attempts and execution_id not in self.unanswered:
            self.unanswered.append(execution_id)

    def withdraw(self) -> None:
        """The claim that was asked for is not wanted any more; what is being written is not stopped."""
        request, self.request = self.request, None
        if request is not None:
            request.withdraw()

    def note_begun(self) -> None:
        """A claimed execution begins: its commit was the next after what was known, so no other took effect unseen."""
        self.unanswered = None

    def nudge(self) -> None:
        """Wake the job's task, so that it decides anew."""
        self.bell.ring()

    def note_ended(self) -> None:
        """An attempt is over: that matters to a job with firings that wait, or with none to come any more.

        And to one whose task waits for just that. Any other one sleeps until its next firing, and need not be woken in
        between.
        """
        if self.waiting or self.job.next_due is None or self.awaits_end:
            self.nudge()

    def begin_deciding(self) -> None:
        """From here on a nudge means that something happened after what is being looked at."""
        self.bell.still()
        self.awaits_end = False
