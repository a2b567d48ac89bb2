"""What can be asked of a scheduler, once for every facade: each answer is a ticket.

The async facade awaits the tickets, the plain one blocks on them; neither knows more than that. What a user said is
checked here, in the caller's own thread, before anything is handed on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from aurora_scheduler import commands
from aurora_scheduler.answers import Explanation, Health, Outlook
from aurora_scheduler.callbacks import Allowed
from aurora_scheduler.definition import NewJob, amended, checked_hook, declare_all, refuse_shared_aliases
from aurora_scheduler.engine import Home, Settings, current_execution
from aurora_scheduler.errors import OptionError, SchedulerStopped, StoreCorruptError, one_of, shown
from aurora_scheduler.events import Listener
from aurora_scheduler.garbage import collector_held
from aurora_scheduler.host import Host
from aurora_scheduler.instants import instant_of
from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.options import checked_choice, checked_node_tags, duration, whole_number
from aurora_scheduler.ports import Clock, Refused, Store
from aurora_scheduler.runtime import Runtime, SystemRuntime
from aurora_scheduler.schedules import load_zone, local_zone_name
from aurora_scheduler.stores import open_store
from aurora_scheduler.tickets import Ticket, answered

__all__ = ["HEALTH_WITHIN", "Scheduler"]

#: For how many seconds `health` waits for the scheduler's loop.
HEALTH_WITHIN = 2.0

S = TypeVar("S", bound=StrEnum)
T = TypeVar("T")

#: While so many jobs are made, Python's garbage collector waits: it would look at all of them again and again.
_VERY_MANY = 1000
#: For so many seconds the making of jobs is put off, since one of those that are there already is claimed ahead.
_PATIENCE = 0.1
#: So many jobs are read in one go, where all are asked for.
_PAGE = 1000


class Scheduler:
    """A database and, between `open` and `stop`, the thread that works on it. All of it from any thread."""

    def __init__(
        self,
        database: str | os.PathLike[str] | None,
        *,
        timezone: str | None,
        runner: str,
        max_workers: int,
        max_concurrent: int,
        max_tasks: int,
        durability: str,
        keep_executions: int,
        keep_days: int,
        allow_callbacks: Collection[str] | None,
        node_tags: Collection[str],
        on_failure: Callable[..., object] | str | None,
        on_deactivate: Callable[..., object] | str | None,
    ) -> None:
        self._allowed = Allowed.read(allow_callbacks)
        self._settings = Settings(
            allowed=self._allowed,
            node_tags=checked_node_tags(node_tags),
            runner=checked_choice("runner", runner, ("auto", "thread", "trio", "app")),
            max_workers=whole_number("max_workers", max_workers, least=1, most=10_000),
            max_concurrent=whole_number("max_concurrent", max_concurrent, least=1),
            max_tasks=whole_number("max_tasks", max_tasks, least=1),
            keep_executions=whole_number("keep_executions", keep_executions, least=1),
            keep_days=whole_number("keep_days", keep_days, least=1, most=36_500),
            on_failure=checked_hook("on_failure", on_failure),
            on_deactivate=checked_hook("on_deactivate", on_deactivate),
            watch_loop=True,
        )
        self._new_store: Callable[[], Store] = partial(open_store, database, durability=durability)
        store = open_store(database, durability=durability)  # a name that cannot be one is refused where it was given
        self._path, self.in_memory = store.path, store.in_memory
        self._timezone = local_zone_name() if timezone is None else load_zone(timezone).key
        self._runtime: Runtime = SystemRuntime()
        self._host: Host | None = None
        self._gate = threading.RLock()

    @property
    def clock(self) -> Clock:
        """The only source of time and of ids."""
        return self._runtime.clock

    def stand_on(self, runtime: Runtime) -> None:
        """Have another ground than the machine's: before `open`."""
        self._runtime = runtime

    def adopt(self, home: Home) -> None:
        """Have `runner="app"` callbacks awaited on this loop from now on."""
        self._open_host().adopt(home)

    def runs(self, execution_id: str) -> bool:
        """Whether this execution runs here."""
        return self._host is not None and self._host.runs(execution_id)

    def check(self) -> None:
        """Raise `SchedulerStopped` where no calls are taken, and say why."""
        self._open_host().check()

    @property
    def state(self) -> str:
        """One word: "stopped", "open" (takes calls, fires nothing) or "started"."""
        host = self._host
        if host is None or not host.is_open:
            return "stopped"
        return "started" if host.is_firing else "open"

    def health(self) -> Ticket[Health]:
        """How the scheduler is."""
        if self._host is None:
            return answered(Health(status="stopped", reason="it was not initialised"))
        return self._host.health()

    def health_unanswered(self) -> Health:
        """How the scheduler is whose loop did not say it within `HEALTH_WITHIN`."""
        if self.state == "stopped":
            return Health(status="stopped", reason="it has just stopped")
        known = None if self._host is None else self._host.blocking
        reason = f"its loop has not answered for {HEALTH_WITHIN:.0f} s: {known or 'an async callback'} blocks it"
        return Health(status="degraded", reason=reason, loop_lag=HEALTH_WITHIN)

    # -- life ---------------------------------------------------------------------------------------------------

    def open(self, home: Home | None) -> Ticket[None]:
        """Open the database in a thread of its own. An open one is left as it is, but for a loop that is gone."""
        with self._gate:
            if self._host is None or not self._host.is_open:
                self._host = Host(self._new_store(), self._runtime, self._settings)
                self._host.open(home)
            else:
                self._host.offer(home)
            return self._host.opened

    def begin(self) -> None:
        """Begin firing."""
        self._open_host().begin()

    def stop(self, drain: float | str | Any) -> Ticket[None]:
        """Stop and close; answered when that is done, at once where there is nothing to stop or to wait for."""
        host, seconds = self._host, duration("drain", drain) / 1e6
        if host is None:
            return answered(None)
        ended = host.stop(seconds)
        # A callback that waited for the end of all callbacks would wait for itself.
        return ended if current_execution.get() is None else answered(None)

    def join(self) -> None:
        """After `stop` was answered: let the thread take its last steps."""
        if self._host is not None and current_execution.get() is None:
            self._host.join()

    def _write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Have `work` done, which reads what it decides upon in the transaction that it writes in."""

        def done(store: Store) -> T:
            try:
                return work(store)
            except Refused as error:
                what = f"{type(error).__name__}: {error}"
                reason = f"a row that was just read cannot be written ({what}); it is damaged: restore a backup"
                raise StoreCorruptError(self._path, reason) from error

        return self._open_host().write(done)

    def _open_host(self) -> Host:
        if self._host is None:
            raise SchedulerStopped("the scheduler is not open: await initialize() first, or start() a CronService")
        return self._host

    # -- jobs ---------------------------------------------------------------------------------------------------

    def create(self, jobs: Sequence[NewJob]) -> Ticket[list[str]]:
        """Create the jobs, all or none; their ids, in order."""
        host, clock = self._open_host(), self.clock
        host.check()
        for new in jobs:
            if not isinstance(new, NewJob):
                raise OptionError("jobs", new, "must be NewJob values, with create_job's arguments")
        all_declared = declare_all(
            jobs,
            now=clock.now(),
            new_id=clock.new_id,
            timezone=self._timezone,
            allowed=self._allowed,
            node_tags=self._settings.node_tags,
        )
        with collector_held() if len(jobs) > _VERY_MANY else nullcontext():
            declared = list(all_declared)
        refuse_shared_aliases(declared)
        until = clock.monotonic() + _PATIENCE
        return self._write(lambda store: commands.create_jobs(store, clock, declared, waits=clock.monotonic() < until))

    def job(self, job_id: str) -> Ticket[Job | None]:
        """The job, or None."""
        known = _text("job_id", job_id)
        return self._open_host().read(lambda store: store.job(known))

    def jobs(
        self,
        status: JobStatus | str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        after: Job | None = None,
    ) -> Ticket[list[Job]]:
        """A page of jobs, oldest first: so many that others can read in between, or as many as `limit` says."""
        wanted = _status(JobStatus, status)
        tagged = None if tag is None else _text("tag", tag)
        most = _PAGE if limit is None else whole_number("limit", limit, least=1)
        if after is not None and not isinstance(after, Job):
            raise OptionError("after", after, "must be a job: the last of the page before")
        return self._open_host().read(lambda store: store.jobs(wanted, tagged, most, after))

    def edit(self, job: Job, changes: Mapping[str, Any]) -> Ticket[Job]:
        """Write the job with these changes; fails with `Stale` where the job was changed since it was read."""
        now = self.clock.now()
        edit = amended(job, changes, now=now, allowed=self._allowed, node_tags=self._settings.node_tags)
        if edit.made_of(job, now) is None:
            return answered(job)
        return self._open_host().write(lambda store: commands.replace_job(store, self.clock, job, edit))

    def cannot_write(self, job_id: str) -> StoreCorruptError:
        """The error for a job that is there to be read, and not there to be written."""
        return StoreCorruptError(self._path, f"job {shown(job_id)} cannot be written; it is damaged: restore a backup")

    def delete(self, job_id: str) -> Ticket[bool]:
        """Delete the job; its history stays."""
        known = _text("job_id", job_id)
        return self._write(lambda store: commands.delete_job(store, self.clock, known))

    def pause(self, job_id: str, *, cancel_running: bool = False) -> Ticket[bool]:
        """Let the job rest."""
        known = _text("job_id", job_id)
        return self._write(lambda store: commands.deactivate_job(store, self.clock, known, cancel_running))

    def resume(self, job_id: str) -> Ticket[bool]:
        """Let the job fire again."""
        known = _text("job_id", job_id)
        return self._write(lambda store: commands.activate_job(store, self.clock, known))

    # -- executions ---------------------------------------------------------------------------------------------

    def run(self, job_id: str) -> Ticket[Execution]:
        """Ask for a run, now; answered when it is asked for."""
        known, execution_id = _text("job_id", job_id), self.clock.new_id()
        return self._write(lambda store: commands.run_job(store, self.clock, known, execution_id))

    def run_to_end(self, job_id: str) -> Ticket[Execution]:
        """Ask for a run, now; answered with its final row."""
        host, execution_id = self._open_host(), self.clock.new_id()
        known = _text("job_id", job_id)
        ended = host.await_end(execution_id)
        asked = self._write(lambda store: commands.run_job(store, self.clock, known, execution_id))
        asked.on_failure(partial(host.fail_end, execution_id))
        return ended

    def cancel(self, execution_id: str) -> Ticket[bool]:
        """Cancel an execution that waits or runs."""
        known = _text("execution_id", execution_id)
        return self._write(lambda store: commands.cancel_execution(store, self.clock, known))

    def execution(self, execution_id: str) -> Ticket[Execution | None]:
        """The execution, or None."""
        known = _text("execution_id", execution_id)
        return self._open_host().read(lambda store: store.execution(known))

    def executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | str | None = None,
        limit: int = 100,
        before: datetime | Execution | str | None = None,
    ) -> Ticket[list[Execution]]:
        """Executions, newest first."""
        known = None if job_id is None else _text("job_id", job_id)
        wanted = _status(ExecutionStatus, status)
        most = whole_number("limit", limit, least=1)
        until = self._before(before)
        return self._open_host().read(lambda store: store.executions(known, wanted, most, until))

    def listen(self) -> Listener:
        """What happens from now on."""
        host = self._open_host()
        host.check()
        return host.listen()

    def explain(self, job_id: str, at: object) -> Ticket[Explanation]:
        """Why the job ran at an instant, or did not."""
        known = _text("job_id", job_id)
        return self._open_host().read(lambda store: commands.explain(store, self.clock, known, at))

    def outlook(self, job_id: str, count: int) -> Ticket[Outlook]:
        """What is to come of the job."""
        known, most = _text("job_id", job_id), whole_number("count", count, least=1, most=100_000)
        return self._open_host().read(lambda store: commands.outlook(store, self.clock, known, most))

    def backup(self, path: object) -> Ticket[None]:
        """Copy the whole database, as it is now, to a new file."""
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise OptionError("path", path, "must be the path of a new file")
        file = os.fspath(path)
        return self._open_host().read(lambda store: store.backup(file))

    def _before(self, before: object) -> str | int | None:
        if before is None:
            return None
        if isinstance(before, str):
            return _text("before", before)
        if isinstance(before, Execution):
            return before.id
        if isinstance(before, datetime):
            zone = load_zone(self._timezone)
            return instant_of(before if before.utcoffset() is not None else before.replace(tzinfo=zone))
        raise OptionError("before", before, "must be an execution, the id of one, or a datetime")


def _status(kind: type[S], status: str | None) -> S | None:
    if status is None:
        return None
    try:
        return kind(status)
    except ValueError as error:
        raise OptionError("status", status, f"must be {one_of(kind)}") from error


def _text(option: str, value: object) -> str:
    """An id or a tag: any text that a database can be asked for."""
    if not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value):
        raise OptionError(option, value, "must be text")
    return value
