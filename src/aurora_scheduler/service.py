"""The plain facade: `CronService`, for programs without an event loop, and for calls from any thread of any program."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from aurora_scheduler.answers import Explanation, Health, Outlook
from aurora_scheduler.definition import NewJob
from aurora_scheduler.engine import Home
from aurora_scheduler.errors import JobNotFoundError
from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus, ScheduleType
from aurora_scheduler.scheduler import HEALTH_WITHIN, Scheduler

__all__ = ["CronService", "get_cron_service", "schedule_task"]

Callback = Callable[..., object] | str


class CronService:
    """A scheduler with plain calls: each blocks for one commit at most, from any thread, also inside an event loop.

    One that changes a job which is about to fire waits for that, 80 ms at most.

    ```python
    with CronService("jobs.db") as cron:
        cron.schedule_relative(name="cleanup", relative_time="every 24 hours", callback="my_module.cleanup")
        ...
    ```

    In an async program, `await cron.initialize()` and later `cron.shutdown()`. Arguments as for `SchedulerManager`.
    """

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
        on_failure: Callback | None = None,
        on_deactivate: Callback | None = None,
    ) -> None:
        self._scheduler = Scheduler(
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

    @classmethod
    def of(cls, scheduler: Scheduler) -> CronService:
        """The plain facade of a scheduler that has another one already."""
        service = cls.__new__(cls)
        service._scheduler = scheduler
        return service

    def __repr__(self) -> str:
        return f"<CronService {self._scheduler.state}>"

    # -- life ---------------------------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Open the database and begin firing; async callbacks with `runner="app"` are awaited on this loop.

        A second call does nothing, unless the loop of the first has ended, or that was `start`: then it is this loop.
        Raises `StoreError` where the database cannot be used.
        """
        await self._scheduler.open(Home.here()).wait()
        self._scheduler.begin()

    def start(self) -> None:
        """Open the database and begin firing, without an event loop. A second call does nothing.

        Raises `StoreError` where the database cannot be used.
        """
        self._scheduler.open(None).result()
        self._scheduler.begin()

    def shutdown(self, drain: float = 30.0) -> None:
        """Stop firing, wait up to `drain` seconds for callbacks that run, then cancel async ones, and close.

        From any thread, as often as you like. Inside a callback it returns at once, and the service stops when the
        callback has ended. On the loop where `runner="app"` callbacks run, they cannot go on while this blocks it.
        """
        self._scheduler.stop(drain).result()
        self._scheduler.join()

    def __enter__(self) -> CronService:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Shut down. Where the block failed, callbacks get 5 seconds instead of 30."""
        self.shutdown(drain=30.0 if exc is None else 5.0)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the whole database, as it is now, to a new file, while everything goes on.

        Raises:
            StoreError: there is such a file already, or it cannot be made.
        """
        self._scheduler.backup(path).result()

    def health(self) -> Health:
        """How the service is: `status` is "ok", "standby", "degraded" or "stopped", and `reason` says why.

        Answers in any state, and within two seconds: a loop that is blocked is "degraded".
        """
        try:
            return self._scheduler.health().result(HEALTH_WITHIN)
        except TimeoutError:
            return self._scheduler.health_unanswered()

    # -- creating jobs ------------------------------------------------------------------------------------------

    def schedule_relative(
        self,
        *,
        name: str,
        relative_time: str,
        callback: Callback,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires once ("in 30 minutes") or again and again ("every 24 hours"); its id.

        Options, and what is raised, as for `SchedulerManager.create_job`.
        """
        return self._schedule(ScheduleType.RELATIVE, name, relative_time, callback, callback_args, options)

    def schedule_absolute(
        self,
        *,
        name: str,
        absolute_time: str,
        callback: Callback,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires once, at "2030-05-28 15:00" in the job's time zone; its id."""
        return self._schedule(ScheduleType.ABSOLUTE, name, absolute_time, callback, callback_args, options)

    def schedule_cron(
        self,
        *,
        name: str,
        cron_expression: str,
        callback: Callback,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job that fires by a cron expression of five fields, in the job's time zone; its id."""
        return self._schedule(ScheduleType.CRON, name, cron_expression, callback, callback_args, options)

    def schedule_from_text(
        self,
        *,
        name: str,
        schedule_text: str,
        callback: Callback,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Create a job from any schedule: "in 30 minutes", "every 1 hour", "2030-05-28 15:00", "0 9 * * 1-5".

        Returns its id.
        """
        return self._schedule(None, name, schedule_text, callback, callback_args, options)

    def _schedule(
        self,
        kind: ScheduleType | None,
        name: str,
        schedule: str,
        callback: object,
        callback_args: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> str:
        new = NewJob.of_kind(
            kind, name=name, schedule=schedule, callback=callback, callback_args=callback_args, **options
        )
        return self._scheduler.create([new]).result()[0]

    # -- jobs ---------------------------------------------------------------------------------------------------

    def get_job(self, job_id: str) -> Job | None:
        """The job as it is now, or None."""
        return self._scheduler.job(job_id).result()

    def get_all_jobs(
        self,
        status: JobStatus | str | None = None,
        tag: str | None = None,
        *,
        limit: int | None = None,
        after: Job | None = None,
    ) -> list[Job]:
        """The jobs, oldest first; all, or those in a status, or with a tag; or a page, as `SchedulerManager` gives."""
        jobs: list[Job] = []
        while page := self._scheduler.jobs(status, tag, limit, after).result():
            jobs += page
            if limit is not None:
                break
            after = page[-1]
        return jobs

    def get_job_status(self, job_id: str) -> dict[str, Any]:
        """The job in plain values, fit for JSON; times as ISO text. Raises `JobNotFoundError`."""
        job = self.get_job(job_id)
        if job is None:
            raise JobNotFoundError(job_id)
        return _as_plain(job)

    def pause_job(self, job_id: str) -> bool:
        """Let the job rest; a callback that runs goes on. False where there is no such job."""
        return self._scheduler.pause(job_id).result()

    def resume_job(self, job_id: str) -> bool:
        """Let the job fire again, from now on. Whether it is active now.

        Raises `ScheduleError` where the job's time zone is unknown here.
        """
        return self._scheduler.resume(job_id).result()

    def cancel_job(self, job_id: str) -> bool:
        """Delete the job; a callback that runs goes on, the history stays. False where there is no such job."""
        return self._scheduler.delete(job_id).result()

    # -- executions ---------------------------------------------------------------------------------------------

    def run_job(self, job_id: str, wait: bool = False) -> Execution:
        """Run the job now, by hand; with `wait=True`, block until it has ended, and answer with the final execution.

        Raises `JobNotFoundError`; and `SchedulerStopped` for `wait=True` inside a callback.
        """
        return (self._scheduler.run_to_end(job_id) if wait else self._scheduler.run(job_id)).result()

    def explain(self, job_id: str, at: datetime | str) -> Explanation:
        """Why the job ran at an instant, or why it did not: `print` it, or look at its `verdict` and `executions`.

        `at` is a datetime, or text like "2030-05-28 15:00"; without an offset it is read in the job's time zone. Where
        it names a whole minute or second, the first firing in it is meant; "now" is the minute that it is.

        Raises:
            JobNotFoundError: there is no such job.
            OptionError: `at` is no time.
        """
        return self._scheduler.explain(job_id, at).result()

    def outlook(self, job_id: str, count: int = 5) -> Outlook:
        """What is to come of a job: its schedule in words (`description`), and its next firings (`next_run_times`).

        Raises:
            JobNotFoundError: there is no such job.
            ScheduleError: its time zone is unknown here.
            OptionError: `count` is no number from 1 to 100,000.
        """
        return self._scheduler.outlook(job_id, count).result()

    def cancel_execution(self, execution_id: str) -> bool:
        """Cancel an execution that waits or runs. False where there is none, or it is over."""
        return self._scheduler.cancel(execution_id).result()

    def get_execution(self, execution_id: str) -> Execution | None:
        """The execution as it is now, or None."""
        return self._scheduler.execution(execution_id).result()

    def get_executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | str | None = None,
        limit: int = 100,
        before: datetime | Execution | str | None = None,
    ) -> list[Execution]:
        """The history, newest first; `before` is the last execution of the page before, or a datetime."""
        return self._scheduler.executions(job_id, status, limit, before).result()


def _as_plain(job: Job) -> dict[str, Any]:
    def iso(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat()

    return {
        "id": job.id,
        "name": job.name,
        "status": job.status.value,
        "status_reason": job.status_reason,
        "is_active": job.is_active,
        "schedule_type": job.schedule_type.value,
        "schedule_value": job.schedule_value,
        "timezone": job.timezone,
        "next_run_time": iso(job.next_run_time),
        "last_run_time": iso(job.last_run_time),
        "last_run_result": None if job.last_run_result is None else dict(job.last_run_result),
        "retry_count": job.retry_count,
        "max_retries": job.max_retries,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
    }


_service: tuple[int, CronService] | None = None
_gate = threading.RLock()


def get_cron_service() -> CronService:
    """The process's own service, on the default database, made at the first call. A forked child gets its own."""
    global _service
    with _gate:
        if _service is None or _service[0] != os.getpid():
            _service = (os.getpid(), CronService())
        return _service[1]


def schedule_task(
    name: str,
    when: str,
    callback: Callback,
    callback_args: Mapping[str, Any] | None = None,
    **options: Any,
) -> str:
    """Create a job on the process's own service, which is started if it is not; the job's id.

    ```python
    schedule_task("backup", "every 6 hours", backup)
    ```

    `when` is any schedule; options, and what is raised, as for `SchedulerManager.create_job`.
    """
    service = get_cron_service()
    service.start()
    return service.schedule_from_text(
        name=name, schedule_text=when, callback=callback, callback_args=callback_args, **options
    )
