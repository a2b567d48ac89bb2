"""The good database that is damaged: jobs in every state, a history of several pages, free pages, a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import (
    CallbackName,
    Change,
    ChangeKind,
    ExecutionStatus,
    Job,
    JobStatus,
    ScheduleType,
    Trigger,
)
from aurora_scheduler.stores import SqliteStore
from faults.damage import Files, Good
from stores.making import add, insert, make_execution, make_job

__all__ = ["JOBS", "make_good"]

HOUR = 3600 * SECOND

#: The jobs' ids. "due" fires as soon as the scheduler has started.
JOBS = ("due", "asked", "paused", "lost", "retrying", "finished", "unresolved", "daily", "phrased")


def _jobs(now: int) -> list[Job]:
    common = {
        "callback": CallbackName("faults.callbacks", "work"),
        "timezone": "Europe/Berlin",
        "anchor": now - 10 * HOUR,
        "created": now - 10 * HOUR,
        "updated": now - 10 * HOUR,
        "next_fire": now + HOUR,
        "callback_args": {"text": "für Elise"},
    }
    plain = {job_id: make_job(job_id, name=job_id, **common) for job_id in JOBS}
    plain["due"] = replace(plain["due"], next_fire=now - 2 * HOUR, tags=("often", "née"), runs=8)
    plain["paused"] = replace(plain["paused"], status=JobStatus.PAUSED, last_run_result={"success": True})
    plain["retrying"] = replace(plain["retrying"], retry_count=1, last_run=now - HOUR)
    plain["finished"] = replace(plain["finished"], status=JobStatus.FINISHED, next_fire=None)
    plain["unresolved"] = replace(
        plain["unresolved"], status=JobStatus.UNRESOLVED, callback=CallbackName("no.such", "thing")
    )
    cron = {"schedule_type": ScheduleType.CRON, "schedule_value": "0 9 * * 1-5"}
    phrase = {"schedule_type": ScheduleType.PHRASE, "schedule_value": "every day at 9am"}
    plain["daily"] = replace(plain["daily"], **cron)
    plain["phrased"] = replace(plain["phrased"], **phrase)
    return list(plain.values())


def make_good(directory: Path) -> Good:
    """Make it with the real store."""
    now = SystemClock().now()
    path = directory / "good.db"
    Files(b"").put(path)
    store = SqliteStore(str(path))
    store.open()
    store.own("a-dead-owner")
    insert(store, *_jobs(now), make_job("short-lived", name="x" * 30_000))
    first = (now - 10 * HOUR) // SECOND - 2_000_000_000  # `make_execution` counts seconds from an instant of its own
    final = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.MISSED, ExecutionStatus.LOST)
    add(
        store,
        *(
            make_execution(
                first + number,
                job_id=JOBS[number % len(JOBS)],
                status=final[number % len(final)],
                result={"success": True, "message": f"number {number}"},
                traceback="Traceback (most recent call last)\n" * (number % 7),
                error="ValueError: no" if number % 2 else None,
                started=now - 10 * HOUR,
            )
            for number in range(600)
        ),
        make_execution(first + 700, job_id="lost", status=ExecutionStatus.RUNNING, owner="a-dead-owner"),
        make_execution(first + 701, job_id="retrying", attempt=2, due=now + HOUR),
        make_execution(first + 702, job_id="asked", trigger=Trigger.MANUAL),
    )
    with store.transaction():
        for job_id in JOBS:
            store.record(Change(job_id=job_id, generation=1, at=now - 10 * HOUR, kind=ChangeKind.CREATED))
    with store.transaction():  # leaves free pages behind
        gone = store.job("short-lived")
        assert gone is not None
        store.remove(gone)
    killed = Files.of(path)
    store.close()
    return Good(closed=Files.of(path), killed=killed)
