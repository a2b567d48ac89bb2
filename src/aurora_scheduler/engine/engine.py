"""The nest of nurseries, and the order of dying.

The engine keeps one task per active job, and keeps the tasks equal to the store. Everything that changes a job, from
whichever thread or process, is a write to the store; the engine hears of it, reads the job anew, and starts, wakes or
cancels its task.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import trio

from aurora_scheduler.commands import recover_orphans
from aurora_scheduler.engine import keeper
from aurora_scheduler.engine.book import Attempt, Entry
from aurora_scheduler.engine.lookup import Callbacks
from aurora_scheduler.engine.perform import perform
from aurora_scheduler.engine.runners import Home, Runners
from aurora_scheduler.engine.slots import Slots
from aurora_scheduler.engine.tending import tend
from aurora_scheduler.errors import CallbackError, ScheduleError
from aurora_scheduler.model import Commit, Execution, JobStatus
from aurora_scheduler.ports import Clock, Refused, Snapshot, Store, Writer
from aurora_scheduler.rules import resolved
from aurora_scheduler.rules.firing import Reason, schedule_of

__all__ = ["Engine", "Settings"]

_log = logging.getLogger("aurora_scheduler.engine")

#: How long, in seconds, cancelled callbacks may take to end.
_AFTER_CANCEL = 10.0
#: How many jobs get their task before others get a turn.
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the engine can be told. Times in seconds; `poll` and `prune_every` can be None: never."""

    max_workers: int = 40
    max_concurrent: int = 1000
    keep_executions: int = 1000
    keep_days: int = 90
    runner: str = "auto"
    poll: float | None = 0.5
    own_every: float = 0.5
    unresolved_every: float = 60.0
    prune_every: float | None = 60.0
    watch_clock: bool = True


class Engine:
    """Fires a store's jobs: `await engine.run()` in a Trio nursery, with a writer that is open; `stop` ends it."""

    def __init__(self, writer: Writer, clock: Clock, settings: Settings, home: Home | None = None) -> None:
        self.writer = writer
        self.clock = clock
        self.settings = settings
        #: Identifies this run as the owner of what it claims.
        self.owner = clock.new_id()
        self.is_owner = False
        #: Whether callbacks were left behind that would not end.
        self.abandoned = False
        self.callbacks = Callbacks()
        self.runners = Runners(clock, home, settings.max_workers, settings.runner)
        self.slots = Slots(settings.max_concurrent)
        self.last_change = 0
        self._book: dict[str, Entry] = {}
        self._attempts: dict[str, Attempt] = {}
        self._idle = trio.Event()
        self._changed: dict[str, None] = {}
        self._news = trio.Event()
        self._stopping = trio.Event()
        self._drain = 0.0
        self._tending: trio.Nursery | None = None
        self._performing: trio.Nursery | None = None

    def __repr__(self) -> str:
        role = "owner" if self.is_owner else "standby"
        return f"<Engine {role} [{len(self._book)} jobs | {len(self._attempts)} running]>"

    # -- life and death -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Fire until `stop`; returns when everything that was begun has ended, or was let go of."""
        async with trio.open_nursery() as keeping:
            async with trio.open_nursery() as performing:
                self._performing = performing
                async with trio.open_nursery() as tending:
                    tending.start_soon(self._own_and_load, keeping, tending)
                    await self._stopping.wait()
                    self._tending = None
                    tending.cancel_scope.cancel()
                await self._end_running(performing)
            keeping.cancel_scope.cancel()
        if self.is_owner and not self.abandoned:
            self.is_owner = False
            await self.writer.write(lambda store: store.disown()).wait()

    def stop(self, drain: float) -> None:
        """Claim nothing more, and give running callbacks `drain` seconds to end. A second call changes nothing."""
        if not self._stopping.is_set():
            self._drain = drain
            self._stopping.set()

    async def _own_and_load(self, keeping: trio.Nursery, tending: trio.Nursery) -> None:
        """Stand by until this process is the owner; recover what a dead one left; give every active job its task."""
        standing_by = False
        while not await self.writer.write(lambda store: store.own(self.owner)).wait():
            if not standing_by:
                _log.info("another process owns the database; this one stands by")
                standing_by = True
            await trio.sleep(self.settings.own_every)
        self.is_owner = True
        self.last_change = await self.writer.read(lambda store: store.last_change()).wait()
        lost = await self.writer.write(lambda store: recover_orphans(store, self.clock, self.owner)).wait()
        if lost:
            _log.warning("%d executions of a scheduler that died were recovered", lost)
        self._tending = tending
        for number, snapshot in enumerate(await self.writer.read(lambda store: store.snapshots()).wait()):
            self._reconcile(snapshot.job.id, snapshot)
            if number % _BATCH == 0:
                await trio.lowlevel.checkpoint()
        self._start_keeping(keeping)

    def _start_keeping(self, nursery: trio.Nursery) -> None:
        settings = self.settings
        nursery.start_soon(keeper.follow_changes, self)
        nursery.start_soon(keeper.retry_unresolved, self, settings.unresolved_every)
        if settings.poll is not None:
            nursery.start_soon(keeper.follow_others, self, settings.poll)
        if settings.prune_every is not None:
            nursery.start_soon(keeper.keep_history, self, settings.prune_every)
        if settings.watch_clock:
            nursery.start_soon(keeper.watch_clock, self)

    async def _end_running(self, performing: trio.Nursery) -> None:
        """Wait for what runs; then cancel what can be cancelled; then let go of what will not end."""
        with trio.move_on_after(self._drain):
            await self._until_idle()
        for attempt in self._attempts.values():
            attempt.cancel(Reason.STOPPED)
        with trio.move_on_after(_AFTER_CANCEL):
            await self._until_idle()
        if self._attempts:
            for attempt in self._attempts.values():
                name = attempt.execution.job_name
                _log.error("the callback of job %r did not end; its firing is recovered at the next start", name)
            self.abandoned = True
            self.writer.close()
            performing.cancel_scope.cancel()

    async def _until_idle(self) -> None:
        while self._attempts:
            self._idle = trio.Event()
            await self._idle.wait()

    # -- the book: one entry, and one task, per job -------------------------------------------------------------

    def _reconcile(self, job_id: str, snapshot: Snapshot | None) -> None:
        """Make entry and task what the store says. One synchronous step: nothing can come in between."""
        entry = self._book.get(job_id)
        if entry is not None and (snapshot is None or snapshot.job.generation != entry.job.generation):
            del self._book[job_id]
            self._put_to_rest(entry)
            entry = None
        if snapshot is None:
            return
        if entry is None:
            entry = self._book[job_id] = Entry(snapshot.job)
        entry.take(snapshot)
        if not entry.needs_task:
            self._put_to_rest(entry)
            self._forget_if_over(entry)
        elif entry.scope is None and self._tending is not None:
            entry.scope = trio.CancelScope()
            self._tending.start_soon(tend, self, entry, entry.scope)

    def _put_to_rest(self, entry: Entry) -> None:
        # Out of the entry first, then cancelled: a job that is resumed at once gets a new task.
        scope, entry.scope = entry.scope, None
        if scope is not None:
            scope.cancel()

    def _forget_if_over(self, entry: Entry) -> None:
        over = not entry.needs_task and not entry.attempts and entry.job.status is not JobStatus.UNRESOLVED
        if over and not self.is_gone(entry):
            del self._book[entry.job.id]

    def task_ended(self, entry: Entry, scope: trio.CancelScope) -> None:
        """The job's task has returned: there is nothing more to wait for."""
        if entry.scope is scope:
            entry.scope = None
            self._forget_if_over(entry)

    def is_gone(self, entry: Entry) -> bool:
        """Whether the entry's job was deleted (a job created again under its id is another one)."""
        return self._book.get(entry.job.id) is not entry

    def nudge_all(self) -> None:
        """Have every job's task decide anew."""
        for entry in self._book.values():
            entry.nudge()

    # -- the store ----------------------------------------------------------------------------------------------

    async def commit(self, entry: Entry, commit: Commit) -> None:
        """Write a decision and bring it into the book. Raises `Refused` where it does not fit, or `StoreError`."""
        await self.writer.write(lambda store: store.commit(commit)).wait()
        entry.apply(commit)

    async def load(self, job_ids: Iterable[str]) -> None:
        """Read these jobs anew and reconcile."""
        wanted = list(job_ids)

        def read(store: Store) -> list[Snapshot | None]:
            return [store.snapshot(job_id) for job_id in wanted]

        for job_id, snapshot in zip(wanted, await self.writer.read(read).wait(), strict=True):
            self._reconcile(job_id, snapshot)

    def note_changes(self, job_ids: Iterable[str]) -> None:
        """These jobs were changed by a call; `follow_changes` reads them anew."""
        self._changed.update(dict.fromkeys(job_ids))
        if self._changed:
            self._news.set()

    async def changes_by_others(self) -> Sequence[str]:
        """The jobs that were changed since this was asked last, by whichever process."""
        number = self.last_change
        self.last_change, job_ids = await self.writer.read(lambda store: store.changes_since(number)).wait()
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
        assert self._performing is not None
        attempt = entry.attempts[execution.id] = self._attempts[execution.id] = Attempt(execution)
        self._performing.start_soon(perform, self, entry, attempt)

    def attempt_ended(self, entry: Entry, attempt: Attempt) -> None:
        """The attempt is over and written: its slot is free, its job decides anew."""
        del entry.attempts[attempt.execution.id], self._attempts[attempt.execution.id]
        self.slots.give_back()
        entry.nudge()
        self._forget_if_over(entry)
        if not self._attempts:
            self._idle.set()

    # -- jobs that cannot run here ------------------------------------------------------------------------------

    async def try_unresolved(self) -> None:
        """See whether the callbacks and zones that could not be found are there now."""
        self.callbacks.forget_failures()
        for entry in [entry for entry in self._book.values() if entry.job.status is JobStatus.UNRESOLVED]:
            try:
                schedule_of(entry.job)
                await self.callbacks.find(entry.job.callback)
            except (CallbackError, ScheduleError):
                continue
            commit = resolved(entry.job, self.clock.now())
            if commit is None or self.is_gone(entry):
                continue
            with suppress(Refused):  # changed meanwhile: then its change is being followed
                await self.commit(entry, commit)
            await self.load([entry.job.id])
