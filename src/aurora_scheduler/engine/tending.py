"""The task of one active job: decide, then act, and again. The rules know what; this knows how."""

from __future__ import annotations

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
    """Look after one job until it needs no task, or until `scope` is cancelled: it was put to rest."""
    pauses = Pauses()
    recorded = False
    with scope:
        while True:
            try:
                step = Record(await book.passing_over(entry)) if recorded else await _next_step(book, entry)
                recorded = False
                if isinstance(step, Rest):
                    break
                if isinstance(step, Sleep):
                    if book.may_rest(entry):
                        break
                    _set_alarm(book, entry, step.until)
                    await entry.bell.wait()
                elif isinstance(step, Record):
                    await book.commit(entry, step.commit)
                elif not await _claim(book, entry, step):
                    continue
                pauses.reset()
            except AlreadyRecorded:
                recorded = True
            except Refused:
                await pauses.after_refusal(f"job {entry.job.name!r}")
                await book.load([entry.job.id])
            except AWAY as error:
                # No store, no start. What is due stays due.
                extra = {"job_id": entry.job.id}
                _log.warning("job %r waits for the database: %s", entry.job.name, error, extra=extra)
                await pauses.wait()
    book.task_ended(entry, scope)


async def _next_step(book: Book, entry: Entry) -> Step:
    entry.begin_deciding()
    job, clock = entry.job, book.clock
    try:
        if job.is_active and book.callbacks.known(job.callback) is None:
            await book.callbacks.find(job.callback)
        return decide(entry.job, entry.waiting, entry.running(), clock.now(), owner=book.owner, new_id=clock.new_id)
    except (CallbackError, ScheduleError) as error:
        _log.error("job %r cannot run here: %s", job.name, error, extra={"job_id": job.id})
        commit = unresolved(job, str(error), clock.now())
        return Rest() if commit is None else Record(commit)


async def _claim(book: Book, entry: Entry, claim: Claim) -> bool:
    """Have the claim made, and the callback begin then; and sleep until the firing after this one.

    False where something has woken the task before there was a slot: it is to decide, and ask, anew.
    """
    request = book.ask(entry, claim)
    try:
        after = claim.commit.job
        if after is not None and not claim.is_behind:
            _set_alarm(book, entry, after.next_due)
        await entry.bell.wait()
    finally:
        request.withdraw()
    while request.is_being_written:
        request.is_awaited = True
        entry.begin_deciding()
        await entry.bell.wait()
    if request.error is not None:
        raise request.error
    return request.is_made


def _set_alarm(book: Book, entry: Entry, until: int | None) -> None:
    """Have the task that is about to sleep woken then; None: only when something happens to the job."""
    if until is not None:
        # The clock has gone on since the decision: what was still to come may have come.
        book.alarms.set(entry.bell, max(0, until - book.clock.now()) / SECOND)
