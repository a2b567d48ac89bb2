"""The task of one active job: decide, then act, and again. The rules know what; this knows how."""

from __future__ import annotations

import trio

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.claims import ask
from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.engine.patience import AWAY, Pauses
from aurora_scheduler.engine.requests import Request
from aurora_scheduler.engine.unresolved import leave_to_others
from aurora_scheduler.errors import CallbackError, ScheduleError
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import AlreadyRecorded, Refused
from aurora_scheduler.rules import Claim, Record, Rest, Sleep, Step, unresolved

__all__ = ["tend"]

_log = logger("engine")


async def tend(book: Book, entry: Entry, scope: trio.CancelScope) -> None:
    """Look after one job until it needs no task, or until `scope` is cancelled: it was put to rest."""
    pauses = Pauses()
    recorded = in_full = False
    try:
        with scope:
            while entry.needs_task:
                try:
                    step = (
                        Record(await book.passing_over(entry)) if recorded else await _next_step(book, entry, in_full)
                    )
                    recorded = in_full = False
                    if isinstance(step, Rest) or (isinstance(step, Sleep) and book.may_rest(entry)):
                        break
                    if isinstance(step, Record):
                        await book.commit(entry, step.commit)
                    else:
                        _set_out(book, entry, step)
                        del step  # while a task sleeps it keeps nothing: there may be very many
                        await entry.bell.wait()
                        if entry.request is not None and not await _answered(entry, entry.request):
                            in_full = True
                            continue
                    pauses.reset()
                except AlreadyRecorded:
                    recorded = True
                except Refused:
                    await pauses.after_refusal(f"job {entry.job.name!r}", {"job_id": entry.job.id})
                    await book.load([entry.job.id])
                except AWAY as error:
                    # No store, no start. What is due stays due.
                    await pauses.through(book.writing, error, f"job {entry.job.name!r}", {"job_id": entry.job.id})
    finally:
        book.task_ended(entry, scope)


async def _next_step(book: Book, entry: Entry, in_full: bool) -> Step | None:
    """None: a firing is due; what is claimed of it is decided when there is a slot, unless `in_full` is asked for."""
    entry.begin_deciding()
    job = entry.job
    try:
        if (job.is_active or entry.waiting) and not book.callbacks.can_call(job):
            await book.callbacks.prepare(job)
        if not in_full and book.is_plainly_due(entry):
            return None
        if entry.is_held_up:  # what has ended keeps nothing from running, though the store is away
            entry.awaits_end = True
            return Sleep(None)
        return book.decide(entry)
    except (CallbackError, ScheduleError) as error:
        if isinstance(error, CallbackError) and await leave_to_others(book, job):
            _log.info("job %r is left to other processes: %s", job.name, error, extra={"job_id": job.id})
            return Rest()
        if isinstance(error, CallbackError) and not job.is_active:  # what was asked for by hand fails by it
            return book.decide(entry)
        _log.error("job %r cannot run here: %s", job.name, error, extra={"job_id": job.id})
        commit = unresolved(job, str(error), book.clock.now())
        return Rest() if commit is None else Record(commit)


def _set_out(book: Book, entry: Entry, step: Claim | Sleep | None) -> None:
    """Before the task sleeps: have the claim made, and its callback begin then; or set the alarm for what is next."""
    if isinstance(step, Sleep):
        book.set_alarm(entry, step.until)
    elif step is not None:
        ask(book, entry, step, step.execution.due)
    else:
        due = entry.job.next_due
        assert due is not None
        ask(book, entry, None, due)


async def _answered(entry: Entry, request: Request) -> bool:
    """Whether the claim that the task asked for was made, though something has woken it before.

    False where there was no slot yet: the task is to decide, and ask, anew. Raises what the claim failed by.
    """
    request.withdraw()
    while request.is_being_written:
        request.is_awaited = True
        entry.begin_deciding()
        await entry.bell.wait()
    entry.request = None
    if request.error is not None:
        raise request.error
    return request.is_made
