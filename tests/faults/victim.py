"""A program that is going to be killed: a scheduler on a real file, jobs of every kind, and a person who never rests.

Told by its environment: VICTIM_DATABASE, VICTIM_JOURNAL, VICTIM_NAME (two may live on one file), VICTIM_FACADE
("asyncio", "trio", or "plain" for `CronService`), VICTIM_SECONDS until it stops by itself, VICTIM_SEED,
VICTIM_DELIVERY; and KILL_AT, a point, with KILL_ON, at which passing of it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from aurora_scheduler import CronService, Execution, Job, SchedulerManager
from aurora_scheduler.stores import checkpoints
from faults import work
from faults.points import watch

__all__: list[str] = []

#: The log is moved into the database after so many bytes, not megabytes: often enough to be killed in it.
_CHECKPOINT_BYTES = 192 * 1024
#: What runs gets so long; it takes about a second.
_STOP_WITHIN, _STOPS_IN = 20.0, 1.0


@dataclass
class Told:
    """What the environment says."""

    database: str = field(default_factory=lambda: os.environ["VICTIM_DATABASE"])
    name: str = field(default_factory=lambda: os.environ.get("VICTIM_NAME", "a"))
    facade: str = field(default_factory=lambda: os.environ.get("VICTIM_FACADE", "asyncio"))
    seconds: float = field(default_factory=lambda: float(os.environ.get("VICTIM_SECONDS", "3")))
    seed: int = field(default_factory=lambda: int(os.environ.get("VICTIM_SEED", "0")))
    delivery: str = field(default_factory=lambda: os.environ.get("VICTIM_DELIVERY", "at_least_once"))


class _Plain:
    """`CronService` under the names of `SchedulerManager`, called from worker threads."""

    def __init__(self, cron: CronService) -> None:
        self.get_job = _threaded(cron.get_job)
        self.deactivate_job = _threaded(cron.pause_job)
        self.activate_job = _threaded(cron.resume_job)
        self.delete_job = _threaded(cron.cancel_job)
        self.run_job = _threaded(cron.run_job)
        self.cancel_execution = _threaded(cron.cancel_execution)
        self._create = _threaded(cron.schedule_from_text)

    async def create_job(self, *, schedule: str, **options: Any) -> str:
        return await self._create(schedule_text=schedule, **options)


def _threaded(call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def in_thread(*args: Any, **options: Any) -> Any:
        return await anyio.to_thread.run_sync(partial(call, *args, **options))

    return in_thread


@asynccontextmanager
async def _scheduler(told: Told) -> AsyncIterator[Person]:
    """A person with a scheduler that is started; it is stopped cleanly, if it comes to that."""
    settings: dict[str, Any] = {"timezone": "UTC", "keep_executions": 1_000_000}
    work.journal.note("opening", name=told.name)
    if told.facade == "plain":
        cron = CronService(told.database, **settings)
        await cron.initialize()
        person = Person(_Plain(cron), told)
        stop = partial(anyio.to_thread.run_sync, partial(cron.shutdown, drain=_STOP_WITHIN))
    else:
        manager = SchedulerManager(told.database, **settings)
        await manager.initialize()
        person = Person(manager, told)
        await person.comes_first()
        manager.start()
        stop = partial(manager.stop, drain=_STOP_WITHIN)
    work.journal.note("started")
    yield person
    work.journal.note("stopping")
    with work.death.somewhere_in("during-stop", _STOPS_IN):
        await stop()
    work.journal.note("stopped", threads=_our_threads(), files=_our_files(told.database))


class Person:
    """Makes jobs, and calls of all kinds, one after the other; says each before it is made, and when it is answered."""

    def __init__(self, scheduler: Any, told: Told) -> None:
        self._scheduler = scheduler
        self._told = told
        self._random = random.Random(f"{told.seed} {told.name}")
        self._calls = 0

    async def comes_first(self) -> None:
        """Calls before anything fires, on jobs that came due while nobody was there."""
        edited, paused = self._random.sample([self._mine(f"tick-{number}") for number in range(1, 5)], 2)
        for job_id, call in ((edited, self.edit), (paused, self.rest)):
            if await self._scheduler.get_job(job_id) is not None:
                await call(job_id)

    async def make_the_standing_jobs(self) -> None:
        """Those that are there in every generation, begun at moments of their own."""
        standing: list[tuple[str, Callable[..., Any], str, dict[str, Any]]] = [
            ("tick-1", work.tick, "every 1 second", {}),
            ("tick-2", work.tick_async, "every 1 second", {}),
            ("tick-3", work.tick_app, "every 1 second", {"runner": "app"}),
            ("tick-4", work.tick, "every 2 seconds", {"start_at": datetime.now(UTC) + timedelta(seconds=0.4)}),
            ("slow-1", work.slow, "every 1 second", {}),
            ("slow-2", work.slow_async, "every 1 second", {}),
            ("flaky-1", work.flaky, "every 2 seconds", {"callback_args": {"successes": 3}, "retry_delay": 0.2}),
            ("flaky-2", work.flaky_async, "every 1 second", {"callback_args": {"successes": 2}, "retry_delay": 0.3}),
            ("sleeper", work.slow_async, "every 1 hour", {}),
            ("doomed", work.flaky, "every 1 second", {"callback_args": {"successes": 0}, "max_retries": 0}),
        ]
        for kind, callback, schedule, options in standing:
            job_id = self._mine(kind)
            job = await self._scheduler.get_job(job_id)
            if job is not None:
                work.journal.note("found", job=job_id, definition=_definition(job))
            else:
                retries = {"max_retries": 3} if callback in (work.flaky, work.flaky_async) else {}
                await self.create(job_id, callback, schedule, **retries | options)
                await self.pause_for_breath()

    async def go_on(self) -> None:
        """One round of calls, in an order of its own; until cancelled by whoever waits for the end of the time."""
        once, fresh = self._new("once"), self._new("fresh")
        tick = self._mine(self._random.choice(["tick-1", "tick-2", "tick-3", "tick-4"]))
        calls: list[Callable[[], Awaitable[Any]]] = [
            partial(self.create, once, work.tick, "in 1 second"),
            partial(self.edit, tick),
            partial(self.edit_anew, self._mine("tick-1")),
            partial(self.rest, tick),
            partial(self.run, self._mine("slow-1")),
            partial(self.run, tick),
            partial(self.run_and_cancel, self._mine("sleeper")),
            partial(self.resume, self._mine("doomed")),
            partial(self.live_twice, fresh),
        ]
        self._random.shuffle(calls)
        for call in calls:
            await call()
            await self.pause_for_breath()
        await self.rest(once)

    async def pause_for_breath(self) -> None:
        """A moment."""
        await anyio.sleep(self._random.uniform(0, 0.1))

    # -- calls --------------------------------------------------------------------------------------------------

    async def create(self, job_id: str, callback: Callable[..., Any], schedule: str, **options: Any) -> None:
        """A job that is not there."""
        name = self._new("name")
        async with self._call("create", job_id, name=name) as answer:
            await self._scheduler.create_job(
                name=name, job_id=job_id, schedule=schedule, callback=callback, delivery=self._told.delivery, **options
            )
            answer["definition"] = _definition(await self._scheduler.get_job(job_id))

    async def edit(self, job_id: str) -> None:
        """Another period, or only another name."""
        if isinstance(self._scheduler, _Plain):
            return
        changes = self._random.choice([{}, {"schedule": "every 1 second"}, {"schedule": "every 2 seconds"}])
        name = self._new("name")
        async with self._call("edit", job_id, name=name) as answer:
            job = await self._scheduler.update_job(job_id, name=name, **changes)
            answer["definition"] = _definition(job)

    async def edit_anew(self, job_id: str) -> None:
        """Declared again, as it was not before."""
        name = self._new("name")
        async with self._call("edit", job_id, name=name) as answer:
            await self._scheduler.create_job(
                name=name,
                job_id=job_id,
                if_exists="update",
                schedule=self._random.choice(["every 1 second", "every 2 seconds"]),
                callback=work.tick,
                delivery=self._told.delivery,
            )
            answer["definition"] = _definition(await self._scheduler.get_job(job_id))

    async def rest(self, job_id: str) -> None:
        """Paused, run by hand all the same, and resumed."""
        async with self._call("pause", job_id) as answer:
            answer["answer"] = await self._scheduler.deactivate_job(job_id)
        await self.pause_for_breath()
        if self._random.random() < 0.5:
            await self.run(job_id)
        await self.resume(job_id)

    async def resume(self, job_id: str) -> None:
        """Active again, if it can be."""
        async with self._call("resume", job_id) as answer:
            answer["answer"] = await self._scheduler.activate_job(job_id)

    async def run(self, job_id: str) -> Execution:
        """By hand."""
        async with self._call("run", job_id) as answer:
            execution: Execution = await self._scheduler.run_job(job_id)
            answer["execution"] = execution.id
        return execution

    async def run_and_cancel(self, job_id: str) -> None:
        """By hand, and then it was not meant."""
        execution = await self.run(job_id)
        await self.pause_for_breath()
        async with self._call("cancel", job_id, execution=execution.id) as answer:
            answer["answer"] = await self._scheduler.cancel_execution(execution.id)

    async def live_twice(self, job_id: str) -> None:
        """Created, deleted, and another created under its id, which comes to its end by itself."""
        await self.create(job_id, work.tick, "every 1 second", start_at=datetime.now(UTC) + timedelta(seconds=0.02))
        await self.pause_for_breath()
        async with self._call("delete", job_id) as answer:
            answer["answer"] = await self._scheduler.delete_job(job_id)
        await self.create(job_id, work.tick, "every 1 second", max_runs=2)

    @asynccontextmanager
    async def _call(self, call: str, job_id: str, **said: Any) -> AsyncIterator[dict[str, Any]]:
        self._calls += 1
        work.journal.note("call", call=call, number=self._calls, job=job_id, **said)
        answer: dict[str, Any] = {}
        yield answer
        work.journal.note("answer", call=call, number=self._calls, job=job_id, **said, **answer)
        work.death.passes(f"answered-{call}")

    def _mine(self, kind: str) -> str:
        return f"{self._told.name}:{kind}"

    def _new(self, kind: str) -> str:
        return self._mine(f"{kind}-{os.getpid()}-{self._calls}")


def _definition(job: Job) -> dict[str, Any]:
    """What the checker computes instants from."""
    return {
        "generation": job.generation,
        "name": job.name,
        "anchor": job.anchor,
        "schedule": job.schedule_value,
        "starts": job.policies.starts,
        "max_runs": job.max_runs,
    }


def _our_threads() -> list[str]:
    """Threads of the scheduler that are left. Trio keeps idle ones for its next run, and calls them by their number."""
    kept = ("Trio thread", "AnyIO worker thread")
    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    return [each.name for each in others if not each.name.startswith(kept)]


def _our_files(database: str) -> list[str]:
    """Files beside the database, and itself, that are still open."""
    left = []
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one that lists them
            continue
        if name.startswith(database):
            left.append(name)
    return left


async def _live(told: Told) -> None:
    async with _scheduler(told) as person:
        with anyio.move_on_after(told.seconds):
            async with anyio.create_task_group() as living:
                living.start_soon(_be_told_to_stop, living.cancel_scope)
                await person.make_the_standing_jobs()
                while True:
                    await person.go_on()


async def _be_told_to_stop(living: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        work.journal.note("hears")
        async for _ in signals:
            living.cancel()


def main() -> None:
    """Live, as told."""
    told = Told()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    watch(work.death)
    checkpoints._LONG = _CHECKPOINT_BYTES
    logging.basicConfig(filename="log.txt", level=logging.INFO, format="%(process)d %(message)s")
    anyio.run(_live, told, backend="trio" if told.facade == "trio" else "asyncio")


if __name__ == "__main__":
    main()
