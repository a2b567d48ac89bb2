"""Jobs whose callback or zone cannot be found here: left to others, or tried again until it is there."""

from __future__ import annotations

from contextlib import suppress

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.patience import AWAY
from aurora_scheduler.errors import CallbackError, ScheduleError
from aurora_scheduler.logs import logger
from aurora_scheduler.model import CallbackName, Job, JobStatus
from aurora_scheduler.ports import Refused
from aurora_scheduler.rules import resolved
from aurora_scheduler.rules.timing import schedule_of
from aurora_scheduler.schedules import load_zone

__all__ = ["leave_to_others", "try_unresolved"]

_log = logger("engine")


async def leave_to_others(book: Book, job: Job) -> bool:
    """Leave a job that cannot run here to processes that can, with all that are like it; False: there are none."""
    job_ids = await book.writer.write(lambda store: store.refuse(job)).wait()
    book.note_changes(job_ids)
    return job.id in job_ids


async def try_unresolved(book: Book) -> None:
    """See whether the callbacks and zones that could not be found are there now."""
    book.callbacks.forget_failures()
    unresolved = [entry for entry in book.entries() if entry.job.status is JobStatus.UNRESOLVED]
    if not unresolved:
        book.none_is_unresolved()
    missing = dict[tuple[CallbackName, str | None], Job]()
    # Once for all jobs of a zone: where it is not found, it takes a while to say what may have been meant.
    known = {zone for zone in {entry.job.timezone for entry in unresolved} if _is_known(zone)}
    for entry in unresolved:
        if entry.job.timezone not in known:
            continue
        try:
            schedule_of(entry.job)
            await book.callbacks.prepare(entry.job)
        except ScheduleError:
            continue
        except CallbackError:
            missing.setdefault((entry.job.callback, entry.job.node_tag), entry.job)
            continue
        commit = resolved(entry.job, entry.waiting, book.clock.now())
        if commit is None or book.is_gone(entry):
            continue
        try:
            with suppress(Refused):  # changed meanwhile: then its change is being followed
                await book.commit(entry, commit)
        except AWAY as error:  # for the next time
            book.writing.note(error)
            continue
        await book.load([entry.job.id])
    with suppress(*AWAY):  # they are asked about again
        for job in missing.values():
            await leave_to_others(book, job)


def _is_known(zone: str) -> bool:
    try:
        load_zone(zone)
    except ScheduleError:
        return False
    return True
