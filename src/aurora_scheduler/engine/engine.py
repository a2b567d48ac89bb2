"""The nest of nurseries, and the order of dying."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import trio

from aurora_scheduler.answers import Health
from aurora_scheduler.callbacks import ANY, Allowed
from aurora_scheduler.commands import outdated_jobs
from aurora_scheduler.engine import keeper
from aurora_scheduler.engine.admission import admit, admit_first, keep_admitting, renew
from aurora_scheduler.engine.alarms import Alarms
from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.hints import Hints
from aurora_scheduler.engine.hooks import Hooks
from aurora_scheduler.engine.horizon import Horizon
from aurora_scheduler.engine.lead import Lead
from aurora_scheduler.engine.lookup import Callbacks
from aurora_scheduler.engine.mailbox import Mailbox
from aurora_scheduler.engine.patience import AWAY, until_there
from aurora_scheduler.engine.perform import begin
from aurora_scheduler.engine.rewinding import comes_from_later, rewind
from aurora_scheduler.engine.runners import Home, Runners
from aurora_scheduler.engine.sharing import Sharing
from aurora_scheduler.engine.slots import Slots
from aurora_scheduler.engine.tending import tend
from aurora_scheduler.engine.threads import CallbackThreads
from aurora_scheduler.engine.watch import Blocking, LoopWatch
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import about, logger
from aurora_scheduler.ports import Clock, Store, Writer
from aurora_scheduler.rules import CORRECTION
from aurora_scheduler.rules.firing import Reason

__all__ = ["Engine", "Settings"]

_log = logger("engine")

#: How long, in seconds, cancelled callbacks may take to end.
_AFTER_CANCEL = 10.0
#: How long, in seconds, the store may still take to come back, where nothing is left but ends that wait for it.
_FOR_STORE = 1.0
#: How long, in seconds, worker threads may take to go that have nothing to do.
_FOR_THREADS = 1.0
#: For how many seconds the loop may be late before that is told.
_LATE = 1.0
#: So many jobs with changed zone data are computed anew before anything fires; more are so beside.
_FEW = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the engine can be told. Times in seconds; `poll` and `prune_every` can be None: never.

    `claim_ahead`: so long before its instant a firing is claimed at least, so that its callback begins in time.
    `inline`: plain functions are called in the loop itself, for simulations, and not in worker threads.
    """

    max_workers: int = 40
    max_concurrent: int = 1000
    max_tasks: int = 50_000
    keep_executions: int = 1000
    keep_days: int = 90
    runner: str = "auto"
    allowed: Allowed = ANY
    node_tags: frozenset[str] = frozenset()
    on_failure: Callable[..., Any] | None = None
    on_deactivate: Callable[..., Any] | None = None
    poll: float | None = 0.8
    own_every: float = 0.5
    unresolved_every: float = 60.0
    prune_every: float | None = 60.0
    watch_clock: bool = True
    claim_ahead: float = 0.0
    inline: bool = False
    watch_loop: bool = False
    """Whether a thread looks on for what blocks the loop: in real time only."""


class Engine:
    """Fires a store's jobs: `await engine.run()` in a Trio nursery, with a writer that is open; `stop` ends it."""

    def __init__(self, writer: Writer, clock: Clock, settings: Settings, home: Home | None = None) -> None:
        self.writer = writer
        self.clock = clock
        self.settings = settings
        #: Identifies this run as the owner of what it claims.
        self.owner = clock.new_id()
        self.is_owner = False
        #: Whether callbacks or hooks were left behind that would not end.
        self.abandoned = False
        #: The names of the jobs whose callbacks were.
        self.left: tuple[str, ...] = ()
        self._watch = LoopWatch(clock)
        mailbox = Mailbox()
        self._threads = None if settings.inline else CallbackThreads(settings.max_workers, mailbox)
        runners = Runners(clock, home, self._threads, settings.runner, self._watch)
        alarms = Alarms(clock)
        slots = Slots(settings.max_concurrent, mailbox, clock, alarms)
        callbacks = Callbacks(settings.allowed, settings.node_tags, inline=settings.inline)
        horizon = Horizon(settings.max_tasks)
        general = {"on_failure": settings.on_failure, "on_deactivate": settings.on_deactivate}
        self.hooks = Hooks(settings.allowed, general, self._watch, inline=settings.inline)
        self.book = Book(
            writer, clock, self.owner, mailbox, alarms, runners, slots, callbacks, horizon, self.hooks,
            Lead(settings.claim_ahead), tend=tend, begin=begin,
        )  # fmt: skip
        self._hints = Hints()
        self._sharing = Sharing(self.book, self._hints)
        self._stands_by = self._shares = False
        self._stopping = trio.Event()
        self._threads_ended = trio.Event()
        #: Until when, by the monotonic clock, callbacks that run may end by themselves; and the scope of that wait.
        self._ends_by = math.inf
        self._draining: trio.CancelScope | None = None

    def __repr__(self) -> str:
        role = "owner" if self.is_owner else "standby"
        return f"<Engine {role} [{len(self.book)} jobs | {len(self.book.attempts)} running]>"

    async def run(self) -> None:
        """Fire until `stop`; returns when everything that was begun has ended, or was let go of.

        The indentation is the order of dying: first the jobs' tasks, so that nothing more is claimed; then, in their
        own time, the attempts that run, and the hooks that they lead to; then what serves them and goes on beside. The
        writer, which all of them need, is closed by whoever opened it.
        """
        async with trio.open_nursery() as keeping:
            keeping.start_soon(self.book.alarms.run)
            keeping.start_soon(self.book.early_alarms.run)
            async with trio.open_nursery() as performing:
                self.book.performing = self.hooks.performing = performing
                performing.start_soon(self.book.mailbox.run)
                if self._threads is not None:
                    performing.start_soon(self._keep_threads, self._threads)
                if self.settings.watch_loop:
                    keeping.start_soon(self._watch.run, performing)
                async with trio.open_nursery() as tending:
                    tending.start_soon(self._own_and_load, keeping, tending)
                    await self._stopping.wait()
                    self.book.tending = None
                    tending.cancel_scope.cancel()
                if self._shares:
                    await self._sharing.leave()
                await self._end_attempts()
                await self._end_threads()
                keeping.cancel_scope.cancel()
        if self.is_owner and not self.abandoned:
            self.is_owner = False
            try:
                await self.writer.write(lambda store: store.disown()).wait()
            except AWAY as error:  # others will see that nobody is there any more
                _log.warning("the database could not be told that this scheduler has stopped: %s", error)

    @property
    def hears_all(self) -> bool:
        """Whether whatever becomes of an execution is written here: no other process fires jobs."""
        return self.is_owner and not self._shares

    @property
    def idle_threads(self) -> int:
        """How many worker threads wait for a callback to be called."""
        return 0 if self._threads is None else self._threads.idle

    @property
    def blocking(self) -> Blocking | None:
        """The callback that blocks the loop just now, as far as that is seen. From any thread."""
        return self._watch.blocking

    def health(self, lag: float, trouble: str | None) -> Health:
        """How it is; `lag` is for how long the one who asks had to wait, `trouble` what is wrong with the store."""
        book, lag = self.book, max(lag, self._watch.lag)
        overdue = book.overdue(SECOND)
        culprit = "does a callback block it?" if self.blocking is None else f"{self.blocking} blocked it"
        wrong = [
            *([] if trouble is None else [trouble]),
            *([f"its loop was {lag:.1f} s late: {culprit}"] if lag > _LATE else []),
            *([f"{overdue:,} job(s) are overdue"] if overdue else []),
        ]
        status, reason = ("degraded", "; ".join(wrong)) if wrong else ("ok", None)
        if not wrong and not self.is_owner:
            other = "another scheduler fires the jobs of this database"
            status, reason = "standby", other if self._stands_by else "it is starting"
        return Health(
            status=status,
            reason=reason,
            jobs=len(book),
            running=len(book.attempts),
            overdue=overdue,
            loop_lag=lag,
            store=trouble or "ok",
        )

    def stop(self, drain: float) -> None:
        """Claim nothing more, and give running callbacks `drain` seconds to end. A later call can only shorten that."""
        ends_by = min(self.clock.monotonic() + drain, self._ends_by)
        if self._draining is not None:
            self._draining.deadline -= self._ends_by - ends_by
        self._ends_by = ends_by
        self._stopping.set()

    def note_changes(self, job_ids: Iterable[str]) -> None:
        """These jobs were changed by a call: their tasks will follow."""
        self.book.note_changes(job_ids)

    async def _own_and_load(self, keeping: trio.Nursery, tending: trio.Nursery) -> None:
        """Stand by until this process is the owner; recover what a dead one left; give every active job its task."""
        while not await until_there(self.book.writing, lambda: self.writer.write(self._own).wait(), "starting"):
            if not self._stands_by:
                _log.info("another process owns the database; this one stands by")
                self._stands_by = True
            await trio.sleep(self.settings.own_every)
        self.is_owner = True
        outdated = await until_there(self.book.writing, self._take_over, "starting")
        if self._shares:
            keeping.start_soon(self._sharing.keep)
            keeping.start_soon(self._hints.listen, self.writer)
        await renew(self.book, outdated[:_FEW])
        self.book.tending = tending
        keeping.start_soon(keeper.follow_changes, self.book)
        if not self.settings.inline:
            keeping.start_soon(keeper.hold_collector, self.book)
            keeping.start_soon(keeper.spare_collector, self.book)
        await admit_first(self.book)
        await admit(self.book)
        await self._see_whether_set_back()
        self._start_keeping(keeping)
        keeping.start_soon(renew, self.book, outdated[_FEW:])

    def _own(self, store: Store) -> bool:
        self._shares = store.is_shared
        return store.own(self.owner, self.settings.node_tags)

    async def _take_over(self) -> list[str]:
        """Recover what a dead owner left. The jobs whose zones have changed while nobody was here."""
        self.book.last_change = await self.writer.read(lambda store: store.last_change()).wait()
        await self._sharing.begin()
        return await self.writer.read(outdated_jobs).wait()

    async def _see_whether_set_back(self) -> None:
        if await comes_from_later(self.book, CORRECTION):
            _log.warning("the wall clock was set back by far since the jobs were looked after last")
            await rewind(self.book)

    def _start_keeping(self, nursery: trio.Nursery) -> None:
        settings = self.settings
        nursery.start_soon(keep_admitting, self.book)
        nursery.start_soon(keeper.retry_unresolved, self.book, settings.unresolved_every)
        if settings.poll is not None and not self._shares:
            nursery.start_soon(keeper.follow_others, self.book, settings.poll)
        if settings.prune_every is not None:
            nursery.start_soon(
                keeper.keep_history, self.book, settings.keep_executions, settings.keep_days, settings.prune_every
            )
        if settings.watch_clock:
            nursery.start_soon(keeper.watch_clock, self.book)

    async def _keep_threads(self, threads: CallbackThreads) -> None:
        await threads.run()
        self._threads_ended.set()

    async def _end_threads(self) -> None:
        """Nothing runs any more that is waited for: the worker threads go, at once where all is well."""
        if self._threads is not None:
            self._threads.close()
            if not self.abandoned:
                with trio.move_on_after(_FOR_THREADS):
                    await self._threads_ended.wait()

    async def _end_attempts(self) -> None:
        """Wait for what runs; then cancel what can be cancelled; then let go of what will not end."""
        with trio.CancelScope(shield=True):
            await self.book.until_claimed()
        with trio.move_on_after(max(0.0, self._ends_by - self.clock.monotonic())) as self._draining:
            await self.book.until_idle()
            await self.hooks.until_idle()
        for attempt in self.book.attempts.values():
            attempt.cancel(Reason.STOPPED)
        self.hooks.close()
        only_held = self.book.held.issuperset(self.book.attempts.values()) and not self.hooks.are_open
        with trio.move_on_after(_FOR_STORE if only_held else _AFTER_CANCEL):
            await self.book.until_idle()
            await self.hooks.until_idle()
        if self.book.attempts or self.hooks.are_open:
            self.abandoned = True
            rows = [attempt.execution for attempt in self.book.attempts.values() if attempt.finished is None]
            self.left = tuple(row.job_name for row in rows)
            for row in rows:
                told = "the callback of job %r did not end; its firing is recovered at the next start"
                _log.error(told, row.job_name, extra=about(row))
            self.hooks.tell_of_open()
            self.writer.close()
            self.book.writing.wake_all()  # who waits for the store, to write an end, waits for nothing any more
