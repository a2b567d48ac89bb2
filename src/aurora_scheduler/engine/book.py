"""The book: one entry per job that needs looking after, kept equal to the store, and the tasks kept equal to the book.

Everything that changes a job, from whichever thread or process, is a write to the store; the book hears of it, reads
the job anew, and starts, wakes or cancels its task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import trio

from aurora_scheduler.engine.alarms import Alarms
from aurora_scheduler.engine.entries import Attempt, Entry
from aurora_scheduler.engine.hooks import Hooks
from aurora_scheduler.engine.horizon import Horizon
from aurora_scheduler.engine.lead import Lead
from aurora_scheduler.engine.lookup import Callbacks
from aurora_scheduler.engine.mailbox import Mailbox
from aurora_scheduler.engine.pace import Pace
from aurora_scheduler.engine.patience import Outage, until_there
from aurora_scheduler.engine.runners import Runners
from aurora_scheduler.engine.signs import Signs
from aurora_scheduler.engine.slots import Slots
from aurora_scheduler.garbage import collector_held
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import about, logger
from aurora_scheduler.model import ChangeKind, Commit, Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.ports import AlreadyRecorded, Clock, Decision, Snapshot, Store, Writer
from aurora_scheduler.rules import (
    Step,
    decide,
    is_ahead,
    is_near,
    is_plainly_due,
    may_be_ahead,
    pass_over,
    standing,
)
from aurora_scheduler.rules.firing import Reason, stepped
from aurora_scheduler.tickets import Ticket

__all__ = ["TOGETHER", "Book"]

_log = logger("engine")

#: So many jobs are read at once: others shall have their turn between.
TOGETHER = 500


class Book:
    """The jobs that are looked after here, and the attempts that run.

    `tend` is the task of one job, a coroutine function; `begin` begins one attempt. Both get the book itself.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        owner: str,
        mailbox: Mailbox,
        alarms: Alarms,
        runners: Runners,
        slots: Slots,
        callbacks: Callbacks,
        horizon: Horizon,
        hooks: Hooks,
        lead: Lead,
        *,
        tend: Callable[[Book, Entry, trio.CancelScope], Awaitable[None]],
        begin: Callable[[Book, Entry, Attempt], None],
    ) -> None:
        self.writer = writer
        self.clock = clock
        self.owner = owner
        #: What answers from other threads come by: its task is the last that runs among the attempts.
        self.mailbox = mailbox
        self.runners = runners
        self.slots = slots
        self.callbacks = callbacks
        #: What fires later than this rests in the store, and has neither entry nor task.
        self.horizon = horizon
        #: What is told to the outside.
        self.hooks = hooks
        #: By how much firings are claimed ahead.
        self.lead = lead
        self.alarms = alarms
        #: For what is claimed ahead.
        self.early_alarms = Alarms(clock, lead.seconds)
        #: The times in which the store cannot be written, or read.
        self.writing, self.reading = Outage("written", clock), Outage("read", clock)
        #: The signs of life that are given to others who share the jobs.
        self.signs = Signs(clock)
        #: How many decisions are written.
        self.pace = Pace(clock)
        self.attempts: dict[str, Attempt] = {}
        self.last_change = 0
        #: The attempts that have ended while the store is away.
        self.held: set[Attempt] = set()
        #: Where the jobs' tasks run; None: no task is started, before and after the firing.
        self.tending: trio.Nursery | None = None
        #: Where the attempts run.
        self.performing: trio.Nursery | None = None
        self._tend = tend
        self._begin = begin
        self._outbox: list[Decision] = []
        self._entries: dict[str, Entry] = {}
        #: Set while there are jobs that cannot run here, or were a moment ago.
        self.unresolved = trio.Event()
        #: How many claims are being written.
        self._claims = 0
        self._idle = trio.Event()
        self._to_cancel: Mapping[str, str] = {}
        self._changed: dict[str, None] = {}
        self._loading = trio.Lock()
        self._news = trio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    # -- entries and tasks --------------------------------------------------------------------------------------

    def reconcile(self, job_id: str, snapshot: Snapshot | None) -> None:
        """Make entry and task what the store says. One synchronous step: nothing can come in between."""
        entry = self._entries.get(job_id)
        if entry is not None and (snapshot is None or snapshot.job.generation != entry.job.generation):
            self._forget(entry)
            self._put_to_rest(entry)
            entry = None
        if snapshot is None:
            return
        if entry is None:
            entry = self._entries[job_id] = self._former(snapshot) or Entry(snapshot.job)
            self.horizon.look(len(self._entries))
        entry.take(snapshot)
        self._note_unresolved(entry)
        if not entry.needs_task or self.may_rest(entry):
            self._put_to_rest(entry)
            self._forget_if_over(entry)
        elif entry.scope is None and self.tending is not None:
            entry.scope = trio.CancelScope()
            self.tending.start_soon(self._tend, self, entry, entry.scope)

    def _former(self, snapshot: Snapshot) -> Entry | None:
        """The entry of a job that goes on under another id while attempts of it run here: they are its own still."""
        former = None
        for row in snapshot.open:
            attempt = self.attempts.get(row.id)
            if attempt is not None and attempt.entry is not None:
                attempt.execution, former = row, attempt.entry
        if former is not None:
            if not self.is_gone(former):
                self._forget(former)
                self._put_to_rest(former)
            former.job = snapshot.job
        return former

    def _note_unresolved(self, entry: Entry) -> None:
        if entry.job.status is JobStatus.UNRESOLVED:
            self.unresolved.set()

    def none_is_unresolved(self) -> None:
        """There is nothing to try again, until there is."""
        self.unresolved = trio.Event()

    def _put_to_rest(self, entry: Entry) -> None:
        # Out of the entry first, then cancelled: a job that is resumed at once gets a new task.
        scope, entry.scope = entry.scope, None
        entry.withdraw()
        if scope is not None:
            scope.cancel()

    def may_rest(self, entry: Entry) -> bool:
        """Whether the job is nothing but to wait for a firing beyond the horizon: it is left to the store."""
        return self.horizon.hides(entry.job) and not (entry.waiting or entry.is_busy)

    def let_rest(self) -> None:
        """Leave to the store what fires beyond the horizon."""
        for entry in self._entries.values():
            if self.may_rest(entry):
                entry.nudge()

    def _forget_if_over(self, entry: Entry) -> None:
        if entry.is_busy or entry.job.status is JobStatus.UNRESOLVED or self.is_gone(entry):
            return
        # One that is left to the store goes with its task.
        if not (entry.needs_task and (entry.scope is not None or not self.may_rest(entry))):
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.job.id]
        self.horizon.look(len(self._entries))

    def task_ended(self, entry: Entry, scope: trio.CancelScope) -> None:
        """The job's task has returned: there is nothing more to wait for."""
        if entry.scope is scope:
            entry.scope = None
            entry.withdraw()
            self._forget_if_over(entry)

    def entries(self) -> list[Entry]:
        """All that are looked after here."""
        return list(self._entries.values())

    def entry(self, job_id: str) -> Entry | None:
        """The job's, if it is looked after here."""
        return self._entries.get(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether the job is looked after here, and does not rest in the store."""
        return job_id in self._entries

    def is_gone(self, entry: Entry) -> bool:
        """Whether the entry's job was deleted (a job created again under its id is another one)."""
        return self._entries.get(entry.job.id) is not entry

    def overdue(self, by: int) -> int:
        """How many jobs have been due for more than `by` microseconds, and have not begun."""
        since = self.clock.now() - by
        due = (entry.job.next_due for entry in self._entries.values() if entry.job.is_active)
        return sum(instant is not None and instant < since for instant in due)

    def nudge_all(self) -> None:
        """Have every job's task decide anew, and see which jobs are the nearest now."""
        self.horizon.nudge()
        for entry in self._entries.values():
            entry.nudge()

    def set_alarm(self, entry: Entry, until: int | None, after: Job | None = None) -> None:
        """Have the job's task woken then, to decide anew, or in time to claim ahead what is due then.

        None: only when something happens to the job. `after`: the job as it will be when what runs has ended.
        """
        if until is not None:
            job, is_alone = (entry.job, entry.is_idle) if after is None else (after, not entry.waiting)
            # The clock has gone on since the decision: what was still to come may have come.
            left = until - self.clock.now()
            is_early = left > self.lead.time and is_alone and until == job.next_due and may_be_ahead(job)
            (self.early_alarms if is_early else self.alarms).set(entry.bell, max(0, left) / SECOND)

    # -- the store ----------------------------------------------------------------------------------------------

    async def commit(self, entry: Entry, commit: Commit) -> None:
        """Write a decision and bring it into the book. Raises `Refused` where it does not fit, or `StoreError`."""
        ticket: Ticket[None] = Ticket()

        def tell(error: BaseException | None) -> None:
            if error is None:
                ticket.answer(None)
            else:
                ticket.fail(error)

        check = partial(_check, commit=commit, now=self.clock.now()) if _accepts(commit) else self._check_of(commit)
        self.writer.decide([Decision(commit, check, tell, ticket.take)])
        await ticket.wait()
        self.writing.end()
        self.apply(entry, commit)

    def hand_in(self, commit: Commit, then: Callable[..., object], *args: Any) -> None:
        """Have a decision written; then `then(*args, error)` is called here, with None for the error if all is well."""
        if not self._outbox:
            self.mailbox.put_last(self._send)
        self._outbox.append(Decision(commit, self._check_of(commit), partial(self.mailbox.put, then, *args)))

    def _check_of(self, commit: Commit) -> Callable[[Store], object] | None:
        for row in commit.new:
            if row.count > 1:
                return partial(_check, commit=commit, now=self.clock.now())
        return None

    def _send(self) -> None:
        # All that was decided in the same instant, so that it is written together.
        decisions, self._outbox = self._outbox, []
        self.writer.decide(decisions)
        self.pace.note(len(decisions))

    def apply(self, entry: Entry, commit: Commit) -> None:
        """Bring a decision that is written into the book."""
        before = entry.job
        entry.apply(commit)
        after = entry.job
        if after is not before and (
            entry.waiting or after.status is not before.status or after.next_due != before.next_due
        ):
            entry.nudge()
        self._note_unresolved(entry)
        for row in commit.moved:
            if row.status is ExecutionStatus.CANCELLING and row.id in self.attempts:
                self.attempts[row.id].note_cancelling(row.reason or Reason.BY_HAND)

    # -- claims -------------------------------------------------------------------------------------------------

    def decide(self, entry: Entry, now: int | None = None) -> Step:
        """The job's next step, as things are now, or were they so then.

        Raises `ScheduleError` where its zone is unknown here.
        """
        clock = self.clock
        now = clock.now() if now is None else now
        return decide(entry.job, entry.waiting, entry.running(), now, owner=self.owner, new_id=clock.new_id)

    def is_plainly_due(self, entry: Entry) -> bool:
        """Whether one firing is due, or may be claimed ahead now, and there is nothing else to decide."""
        job, now = entry.job, self.clock.now()
        if job.next_due is not None and job.next_due > now:
            if not entry.is_idle or not may_be_ahead(job):
                return False
            now += self.lead.reach
        return is_plainly_due(job, entry.waiting, entry.attempts, now)

    def begin_claim(self, entry: Entry, execution: Execution) -> None:
        """The execution's claim is about to be written."""
        entry.claiming.append(execution.id)
        self._claims += 1

    def end_claim(self, entry: Entry, execution: Execution) -> None:
        """It is written, or has failed. Whatever that leads to comes before `note_idle`."""
        entry.claiming.remove(execution.id)
        self._claims -= 1

    def note_idle(self) -> None:
        """Have those see who wait until no attempt runs, or no claim is being written."""
        if not self.attempts or not self._claims:
            self._idle.set()

    async def passing_over(self, entry: Entry) -> Commit:
        """What takes the job past instants that have their record already."""
        job, now = entry.job, self.clock.now()
        if job.next_fire is None or job.next_due is None:
            return Commit(job=stepped(job))
        if is_near(job.next_due, now):  # its claim was made ahead
            now = job.next_due
        first = job.next_fire
        records = await self.writer.read(lambda store: store.recorded(job, first, max(first, now))).wait()
        return pass_over(job, records, now, self.clock.new_id)

    async def load(self, job_ids: Iterable[str]) -> None:
        """Read these jobs anew and reconcile; and cancel here what was marked to be cancelled."""
        wanted = list(job_ids)
        with collector_held() if len(wanted) > TOGETHER else nullcontext():
            for start in range(0, len(wanted), TOGETHER):
                await self._load(wanted[start : start + TOGETHER])
                await trio.lowlevel.checkpoint()  # their tasks begin

    async def _load(self, job_ids: list[str]) -> None:
        def read(store: Store) -> tuple[list[Snapshot | None], Mapping[str, str]]:
            return store.held(job_ids), store.cancelling()

        async def ask() -> tuple[list[Snapshot | None], Mapping[str, str]]:
            return await self.writer.read(read).wait()

        async with self._loading:  # what was read later is brought in later
            snapshots, self._to_cancel = await until_there(self.reading, ask, "reading jobs")
            for execution_id in self._to_cancel.keys() & self.attempts.keys():
                self.attempts[execution_id].note_cancelling(self._to_cancel[execution_id])
            for job_id, snapshot in zip(job_ids, snapshots, strict=True):
                self.reconcile(job_id, snapshot)
                if snapshot is not None:
                    self._begin_unanswered(snapshot)

    def _begin_unanswered(self, snapshot: Snapshot) -> None:
        """Begin what was claimed by a commit that seemed to fail: it took effect, and only the answer was lost."""
        entry = self._entries.get(snapshot.job.id)
        if self.tending is None or entry is None:  # once stopping, nothing begins any more: it is for the next start
            return
        if entry.job.version != snapshot.job.version:  # older than what is known: ends may be missing
            return
        for row in snapshot.open:
            if entry.is_unanswered(row):
                told = "the claim of execution %s was committed though that had seemed to fail"
                _log.warning(told, row.id, extra=about(row))
                self.slots.take_anyway()
                self.launch(entry, row)

    def note_changes(self, job_ids: Iterable[str]) -> None:
        """These jobs were changed by a call; `follow_changes` reads them anew."""
        self._changed.update(dict.fromkeys(job_ids))
        if self._changed:
            self._news.set()

    async def changes_by_others(self) -> Sequence[str]:
        """The jobs that were changed since this was asked last, by whichever process.

        It is a write with nothing to write, so that it is seen now, and not when something is due, that the store is
        away or another's; and it is one, since it is what a scheduler does that has nothing to do.
        """
        number = self.last_change

        def look(store: Store) -> tuple[int, Sequence[str]]:
            store.own(self.owner)
            return store.changes_since(number)

        self.last_change, job_ids = await self.writer.write(look).wait()
        return job_ids

    async def next_changes(self) -> list[str]:
        """Wait until jobs were changed: which."""
        await self._news.wait()
        self._news = trio.Event()
        changed, self._changed = list(self._changed), {}
        return changed

    # -- attempts -----------------------------------------------------------------------------------------------

    def launch(self, entry: Entry, execution: Execution) -> None:
        """Start a claimed execution."""
        assert self.performing is not None
        entry.note_begun()
        attempt = entry.attempts[execution.id] = self.attempts[execution.id] = Attempt(execution, entry)
        if execution.id in self._to_cancel:  # between its claim and now
            attempt.note_cancelling(self._to_cancel[execution.id])
        self._begin_in_time(entry, attempt)

    def _begin_in_time(self, entry: Entry, attempt: Attempt) -> None:
        """Begin what is due; what was claimed ahead, when it is, but a clock that was set back holds nothing up."""
        execution, now = attempt.execution, self.clock.now()
        if execution.started is not None and is_ahead(execution, now):
            begin = partial(self._begin_in_time, entry, attempt)
            self.alarms.call(begin, (execution.started - now) / SECOND, entry.bell)
        else:
            self._begin(self, entry, attempt)

    def callback_ended(self, attempt: Attempt) -> None:
        """Its slot is free: the next claim is made while its end is written."""
        if attempt.has_slot:
            attempt.has_slot = False
            self.slots.give_back()

    def attempt_ended(self, entry: Entry, attempt: Attempt) -> None:
        """The attempt is over and written: its job decides anew."""
        del entry.attempts[attempt.execution.id], self.attempts[attempt.execution.id]
        self.callback_ended(attempt)
        entry.note_ended()
        if self.may_rest(entry):
            entry.nudge()  # its task is about to leave it to the store
        self._forget_if_over(entry)
        self.note_idle()

    async def until_claimed(self) -> None:
        """Wait until no claim is being written."""
        while self._claims:
            await self._until_idler()

    async def until_idle(self) -> None:
        """Wait until no attempt runs, and none is about to."""
        while self.attempts or self._claims:
            await self._until_idler()

    async def _until_idler(self) -> None:
        if self._idle.is_set():
            self._idle = trio.Event()
        await self._idle.wait()


def _accepts(commit: Commit) -> bool:
    """Whether it says that a callback is there again."""
    return commit.job is not None and commit.change is not None and commit.change.kind is ChangeKind.RESOLVED


def _check(store: Store, commit: Commit, now: int) -> None:
    """See that no instant within a range has its record; that one alone has, the store itself sees."""
    job = commit.job
    for row in commit.new:
        if job is not None and row.count > 1:
            records = store.recorded(job, row.scheduled, row.last_scheduled)
            if standing(job, records, row.scheduled, now):
                raise AlreadyRecorded(row.id)
    if job is not None and _accepts(commit):
        store.accept(job)
