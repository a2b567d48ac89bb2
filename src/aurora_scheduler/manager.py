"""The async facade: `SchedulerManager`, for asyncio, Trio and any anyio program."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import anyio

from aurora_scheduler.answers import Explanation, Health, Outlook
from aurora_scheduler.definition import NewJob
from aurora_scheduler.engine import Home
from aurora_scheduler.errors import JobNotFoundError, SchedulerStopped, UnknownOptionError
from aurora_scheduler.events import Listener
from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus, ScheduleType
from aurora_scheduler.ports import Stale
from aurora_scheduler.scheduler import HEALTH_WITHIN, Scheduler

__all__ = ["SchedulerManager"]

#: A job that has changed so often between being read and being written is not changed by anybody.
_TRIES = 1000

F = TypeVar("F", bound=Callable[..., Any])


class SchedulerManager:
    """Persistent jobs, fired on time by a thread of the scheduler's own; created and watched from your event loop.

    ```python
    async with SchedulerManager("jobs.db") as manager:
        await manager.create_job(name="report", schedule="every 1 hour", callback="reports.send")
        ...
    ```

    or, where a program has no such block, `await manager.initialize()`, `manager.start()`, … `await manager.stop()`.
    A manager that was stopped can be initialised again.

    Args:
        database: a path, ":memory:", or "sqlite:///path"; None: the environment's `AURORA_SCHEDULER_DB`, else
            "aurora_scheduler.db" in the current directory.
        timezone: the IANA name of the zone that jobs are read and shown in, unless they name their own; None: the
            machine's own zone.
        runner: where async callbacks run, unless a job says otherwise: "auto" and "trio": in the scheduler's own Trio
            loop; "app": on the loop that `initialize` was awaited on.
        max_workers: how many sync callbacks run at once, each in a worker thread.
        max_concurrent: how many executions run at once, over all jobs.
        max_tasks: how many active jobs have a task that sleeps until they fire. Where there are more, those that fire
            last rest in the database until it is nearly their turn.
        durability: "full": what was answered survives a power cut; "normal": it survives the death of the process.
        keep_executions: how many executions of each job are kept.
        keep_days: for how many days executions, and jobs that are finished, are kept.
        allow_callbacks: the callbacks that may be stored and run, as names like "myapp.jobs.send", or "myapp.*" for all
            below myapp; None: all. What is not allowed is never imported.
        node_tags: of jobs that have a `node_tag` only those with one of these are fired here, like ["gpu"]; all others
            are in any case.
        on_failure: a function, or its name, that is called after each attempt that has failed, of every job that has no
            `on_failure` of its own; in a worker thread, or, an `async def`, in the scheduler's own loop.
        on_deactivate: the same for when a job's retries are used up. Neither is stored: they are this manager's.

    Raises:
        OptionError: an argument is not accepted.
        ScheduleError: `timezone` is unknown.
    """

    _kind: ClassVar[type[Scheduler]] = Scheduler

    def __init__(
        self,
        database: str | os.PathLike[str] | None = None,
        *,
        timezone: str | None = None,
        runner: str = "auto",
        max_workers: int = 40,
        max_concurrent: int = 1000,
        max_tasks: int = 50_000,
        durability: str = "full",
        keep_executions: int = 1000,
        keep_days: int = 90,
        allow_callbacks: Collection[str] | None = None,
        node_tags: Collection[str] = (),
        on_failure: Callable[..., object] | str | None = None,
        on_deactivate: Callable[..., object] | str | None = None,
        **options: Any,
    ) -> None:
        for option, value in options.items():
            raise UnknownOptionError(option, value, "this option is unknown")
        self._scheduler = self._kind(
            database,
            timezone=timezone,
            runner=runner,
            max_workers=max_workers,
            max_concurrent=max_concurrent,
            max_tasks=max_tasks,
            durability=durability,
            keep_executions=keep_executions,
            keep_days=keep_days,
            allow_callbacks=allow_callbacks,
            node_tags=node_tags,
            on_failure=on_failure,
            on_deactivate=on_deactivate,
        )
        self._declared: list[NewJob] = []

    def __repr__(self) -> str:
        return f"<SchedulerManager {self._scheduler.state}>"

    # -- life ---------------------------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Open the database, bring its schema up to date, and take calls. Nothing fires before `start`.

        The running loop is remembered: it is where `runner="app"` callbacks are awaited. Jobs declared by `job` are
        created or updated. A second call does nothing, unless the loop of the first has ended: then it is this loop.

        Raises:
            StoreError: the database cannot be used; its kinds say why.
        """
        await self._scheduler.open(Home.here()).wait()
        if self._declared:
            try:
                await self._scheduler.create(self._declared).wait()
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self.stop(drain=0)
                raise

    def start(self) -> None:
        """Begin firing, in the scheduler's own thread; returns at once. A second call does nothing.

        Where another process fires this database's jobs, this one stands by, and takes over when the other is gone.

        Raises:
            SchedulerStopped: `initialize` has not been awaited, or `stop` was called.
        """
        self._scheduler.begin()

    async def stop(self, drain: float = 30.0) -> None:
        """Stop firing, wait up to `drain` seconds for callbacks that run, then cancel async ones, and close.

        What cannot be ended is let go of, and recovered at the next start. From any thread or loop, as often as you
        like: a later call can only shorten the wait. Called from inside a callback it returns at once, and the
        scheduler stops when the callback has ended.
        """
        await self._scheduler.stop(drain).wait()
        self._scheduler.join()

    async def __aenter__(self) -> SchedulerManager:
        """Initialise and start."""
        await self.initialize()
        self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop. Where the block failed or was cancelled, callbacks get 5 seconds instead of 30."""
        with anyio.CancelScope(shield=True):
            await self.stop(drain=30.0 if exc is None else 5.0)

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the whole database, as it is now, to a new file, while everything goes on.

        Raises:
            StoreError: there is such a file already, or it cannot be made.
        """
        await self._scheduler.backup(path).wait()

    async def health(self) -> Health:
        """How the scheduler is: `status` is "ok", "standby", "degraded" or "stopped", and `reason` says why.

        Answers in any state, and within two seconds: a loop that is blocked is "degraded".
        """
        with anyio.move_on_after(HEALTH_WITHIN):
            return await self._scheduler.health().wait()
        return self._scheduler.health_unanswered()

    # -- creating jobs ------------------------------------------------------------------------------------------

    async def create_job(
        self,
        *,
        name: str,
        schedule: str,
        callback: Callable[..., object] | str,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job from any schedule: "in 30 minutes", "every 1 hour", "2030-05-28 15:00", "0 9 * * 1-5".

        Args:
            name: what people call it; need not be unique.
            schedule: when it fires; times without an offset are read in the job's time zone.
            callback: a function that can be imported again, or its name: "package.module.function".
            callback_args: its keyword arguments; JSON.
            **options: see the reference of options; `job_id`, `if_exists`, `timezone`, `max_retries`, `tags` …

        Returns:
            The job's id.

        Raises:
            ScheduleError: the schedule is not understood, is past, or would never fire.
            CallbackError: the callback cannot be found again, or does not take the arguments.
            OptionError: an option is unknown, or its value is not accepted.
            JobExistsError: `job_id` is taken, and `if_exists` does not say what then.
            SchedulerStopped: the manager is not initialised, or stopped.
        """
        new = NewJob(name=name, schedule=schedule, callback=callback, callback_args=callback_args, **options)
        return (await self.create_jobs([new]))[0]

    async def create_jobs(self, jobs: Iterable[NewJob]) -> list[str]:
        """Create many jobs in one transaction: all, or, where one is refused, none. Their ids, in order."""
        return await self._scheduler.create(list(jobs)).wait()

    async def create_relative_job(
        self,
        *,
        name: str,
        relative_time: str,
        callback_module: str,
        callback_function: str,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires once ("in 30 minutes") or again and again ("every 24 hours").

        The interval is elapsed time, counted from now (or from `start_at`), and does not drift. Returns and raises as
        `create_job`.
        """
        return await self._create_named(
            ScheduleType.RELATIVE, name, relative_time, callback_module, callback_function, callback_args, options
        )

    async def create_absolute_job(
        self,
        *,
        name: str,
        absolute_time: str,
        callback_module: str,
        callback_function: str,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires once, at a time: "2030-05-28 09:00:00", in the job's time zone.

        Returns and raises as `create_job`.
        """
        return await self._create_named(
            ScheduleType.ABSOLUTE, name, absolute_time, callback_module, callback_function, callback_args, options
        )

    async def create_cron_job(
        self,
        *,
        name: str,
        cron_expression: str,
        callback_module: str,
        callback_function: str,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires by a cron expression of five fields, in the job's time zone: "0 2 * * 0".

        Returns and raises as `create_job`.
        """
        return await self._create_named(
            ScheduleType.CRON, name, cron_expression, callback_module, callback_function, callback_args, options
        )

    async def _create_named(
        self,
        kind: ScheduleType,
        name: str,
        schedule: str,
        module: str,
        function: str,
        callback_args: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> str:
        new = NewJob.of_kind(
            kind, name=name, schedule=schedule, callback=(module, function), callback_args=callback_args, **options
        )
        return (await self.create_jobs([new]))[0]

    def job(self, schedule: str, *, callback_args: Mapping[str, Any] | None = None, **options: Any) -> Callable[[F], F]:
        """Declare a job in code: the decorated function is its callback, and its id is "module:qualname".

        The job is created when the manager is initialised, or made as declared where it exists, keeping its history.
        `aliases` are ids that it had before its function was renamed or moved: a job of one of them goes on as this.

        ```python
        @manager.job("every 5 minutes", max_retries=1)
        def refresh(): ...
        ```

        Raises:
            SchedulerStopped: the manager is initialised already: declare jobs before.
        """
        if self._scheduler.state != "stopped":
            raise SchedulerStopped("jobs are declared before initialize(); use create_job() on a manager that is open")

        def declare(function: F) -> F:
            job_id = f"{function.__module__}:{function.__qualname__}"
            said = {"name": function.__name__, "job_id": job_id, "if_exists": "update"} | options
            self._declared.append(NewJob(schedule=schedule, callback=function, callback_args=callback_args, **said))
            return function

        return declare

    # -- jobs ---------------------------------------------------------------------------------------------------

    async def get_job(self, job_id: str) -> Job | None:
        """The job as it is now, or None."""
        return await self._scheduler.job(job_id).wait()

    async def get_all_jobs(
        self,
        status: JobStatus | str | None = None,
        tag: str | None = None,
        *,
        limit: int | None = None,
        after: Job | None = None,
    ) -> list[Job]:
        """The jobs, oldest first; all, or those in a status, or with a tag.

        Where there are very many, ask for a page at a time: at most `limit` jobs, of those made after the job `after`,
        the last of the page before::

            page = await manager.get_all_jobs(limit=500)
            while page:
                ...
                page = await manager.get_all_jobs(limit=500, after=page[-1])
        """
        jobs: list[Job] = []
        while page := await self._scheduler.jobs(status, tag, limit, after).wait():
            jobs += page
            if limit is not None:
                break
            after = page[-1]
        return jobs

    async def update_job(self, job_id: str, **changes: Any) -> Job:
        """Change a job: `name`, `schedule`, `callback`, `callback_args`, `timezone`, `tags`, or any option.

        History and waiting retries are kept. A changed schedule starts after now, and so does one like "in 10 minutes"
        that is said again; another unchanged one keeps its anchor and its next firing.

        Raises:
            JobNotFoundError: there is no such job.
            ScheduleError, CallbackError, OptionError: as `create_job`; nothing is changed then.
        """
        for _ in range(_TRIES):
            job = await self.get_job(job_id)
            if job is None:
                raise JobNotFoundError(job_id)
            try:
                return await self._scheduler.edit(job, changes).wait()
            except Stale:  # it fired, or another call changed it, just now
                continue
        raise self._scheduler.cannot_write(job_id)

    async def deactivate_job(self, job_id: str, cancel_running: bool = False) -> bool:
        """Pause the job: no firings until `activate_job`. A callback that runs goes on, unless `cancel_running`.

        False where there is no such job.
        """
        return await self._scheduler.pause(job_id, cancel_running=cancel_running).wait()

    async def activate_job(self, job_id: str) -> bool:
        """Let a paused or deactivated job fire again, from now on. Whether it is active now.

        False where there is no such job, or where it has no firing to come. Raises `ScheduleError` where the job's time
        zone is unknown here.
        """
        return await self._scheduler.resume(job_id).wait()

    async def delete_job(self, job_id: str) -> bool:
        """Delete the job. A callback that runs goes on; the history stays. False where there is no such job."""
        return await self._scheduler.delete(job_id).wait()

    # -- executions ---------------------------------------------------------------------------------------------

    async def run_job(self, job_id: str, wait: bool = False) -> Execution:
        """Run the job now, by hand, whatever its schedule; also a paused one. Its schedule is not moved.

        Answers with the execution as it is asked for, waiting; with `wait=True`, with the final one. Where the job's
        earlier attempt still runs, the job's `overlap` decides; unless told otherwise, this one is `skipped`.

        Raises:
            JobNotFoundError: there is no such job.
            SchedulerStopped: `wait=True` inside a callback, on a manager that was not started, or that stops meanwhile.
        """
        return await (self._scheduler.run_to_end(job_id) if wait else self._scheduler.run(job_id)).wait()

    def events(self) -> Listener:
        """What happens to jobs and executions from now on, as this process writes it, until the scheduler stops.

        Read it with `async for event in manager.events()`, in one task, on any event loop.

        Each is a `JobEvent`, an `ExecutionEvent` or an `EventsLost`. Listening begins with this call. At most 1,000
        events wait for a slow reader; then the oldest are let go, and an `EventsLost` tells how many. It never holds up
        the scheduler.

        Raises `SchedulerStopped` on a manager that is not initialised.
        """
        return self._scheduler.listen()

    async def explain(self, job_id: str, at: datetime | str) -> Explanation:
        """Why the job ran at an instant, or why it did not: `print` it, or look at its `verdict` and `executions`.

        `at` is a datetime, or text like "2030-05-28 15:00"; without an offset it is read in the job's time zone. Where
        it names a whole minute or second, the first firing in it is meant; "now" is the minute that it is.

        Raises:
            JobNotFoundError: there is no such job.
            OptionError: `at` is no time.
        """
        return await self._scheduler.explain(job_id, at).wait()

    async def outlook(self, job_id: str, count: int = 5) -> Outlook:
        """What is to come of a job: its schedule in words (`description`), and its next firings (`next_run_times`).

        Raises:
            JobNotFoundError: there is no such job.
            ScheduleError: its time zone is unknown here.
            OptionError: `count` is no number from 1 to 100,000.
        """
        return await self._scheduler.outlook(job_id, count).wait()

    async def cancel_execution(self, execution_id: str) -> bool:
        """Cancel an execution: one that waits at once, an async callback at its next checkpoint.

        A thread cannot be stopped: a sync callback runs to its end, and is recorded as cancelled then. False where
        there is no such execution, or it is over.
        """
        return await self._scheduler.cancel(execution_id).wait()

    async def get_execution(self, execution_id: str) -> Execution | None:
        """The execution as it is now, or None."""
        return await self._scheduler.execution(execution_id).wait()

    async def get_executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | str | None = None,
        limit: int = 100,
        before: datetime | Execution | str | None = None,
    ) -> list[Execution]:
        """The history, newest first: of all jobs or one, in any status or one.

        `before` is the last execution of the page before (or its id), or a datetime: only what was scheduled earlier.
        """
        return await self._scheduler.executions(job_id, status, limit, before).wait()
