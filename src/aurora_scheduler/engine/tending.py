"""The task of one active job: decide, then act, and again. The rules know what; this knows how."""

from __future__ import annotations

import math

import trio

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.engine.patience import AWAY, Pauses
from aurora_scheduler.errors import CallbackError, ScheduleError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import AlreadyRecorded, Refused
from aurora_scheduler.rules import Claim, Record, Rest, Sleep, Step, decide, unresolved

__all__ = ["tend"]

_log = logger("engine")


async def tend(book: Book, entry: Entry, scope: trio.CancelScope) -> None:
    """Look after one job until it needs no task any more, or until `scope` is cancelled: it was put to rest."""
    with scope:
        await _keep_deciding(book, entry)
    book.task_ended(entry, scope)


async def _keep_deciding(book: Book, entry: Entry) -> None:
    pauses = Pauses()
    recorded = False
    while True:
        try:
            step = Record(await book.passing_over(entry)) if recorded else await _next_step(book, entry)
            recorded = False
            match step:
                case Rest():
                    return
                case Sleep(until=until):
                    # The clock has gone on since the decision: what was still to come may have come.
                    seconds = math.inf if until is None else max(0, until - book.clock.now()) / SECOND
                    await book.alarms.sleep(entry.nudged, seconds)
                case Record(commit=commit):
                    await book.commit(entry, commit)
                case Claim():
                    await _claim(book, entry, step)
            pauses.reset()
        except AlreadyRecorded:
            recorded = True
        except Refused:
            await pauses.after_refusal(f"job {entry.job.name!r}")
            await book.load([entry.job.id])
        except AWAY as error:
            # No store, no start. What is due stays due.
            _log.warning("job %r waits for the database: %s", entry.job.name, error, extra={"job_id": entry.job.id})
            await pauses.wait()


async def _next_step(book: Book, entry: Entry) -> Step:
    entry.begin_deciding()
    job, clock = entry.job, book.clock
    try:
        if job.is_active:
            await book.callbacks.find(job.callback)
        return decide(entry.job, entry.waiting, entry.running(), clock.now(), owner=book.owner, new_id=clock.new_id)
    except (CallbackError, ScheduleError) as error:
        _log.error("job %r cannot run here: %s", job.name, error, extra={"job_id": job.id})
        commit = unresolved(job, str(error), clock.now())
        return Rest() if commit is None else Record(commit)


async def _claim(book: Book, entry: Entry, claim: Claim) -> None:
    """Have the claim written, and the callback begin then: never the other way round, and never only the first."""
    if await book.slots.take(claim.execution.due):
        # Time went by: what is claimed is what is due now.
        step: Step | None = None
        try:
            step = await _next_step(book, entry)
        finally:
            if not isinstance(step, Claim):
                book.slots.give_back()
        if not isinstance(step, Claim):
            return
        claim = step
    written = book.claim(entry, claim)
    await trio.lowlevel.checkpoint()
    while claim.execution.id in entry.claiming:
        entry.begin_deciding()
        await entry.nudged.wait()
    written.result()
