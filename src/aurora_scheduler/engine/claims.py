"""The claim of a firing: asked for, granted a slot, decided, written; then, and only then, its execution begins.

A firing with which there is nothing else to decide is claimed a moment ahead of its instant, as if that had come: so
its callback begins when it is due, and not a commit later.
"""

from __future__ import annotations

from functools import partial

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.engine.requests import Request
from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.rules import Claim

__all__ = ["ask"]


def ask(book: Book, entry: Entry, claim: Claim | None, due: int) -> None:
    """Have a claim written as soon as there is a slot for it, and its execution begin then, and only then.

    None: whatever is to be claimed then, of a job that is due. Nobody has to wait: what is being written goes on if the
    job is paused meanwhile, and who pauses it finds the attempt running. Until it is made, or where it fails, it is the
    entry's `request`.
    """
    request = entry.request = Request(entry.job, claim)
    request.place = book.slots.ask(due, partial(_granted, book, entry, request))


def _granted(book: Book, entry: Entry, request: Request, waited: bool) -> None:
    """There is a slot. Time may have gone by: what is claimed is what is due now."""
    claim, now = request.claim, book.clock.now()
    if entry.job is not request.job:
        claim = None
    elif claim is None or waited:
        claim = _decided(book, entry, now)
    if claim is None:
        book.slots.give_back()
        entry.nudge()
        return
    after = claim.commit.job
    if after is not None and not claim.is_behind:
        book.set_alarm(entry, after.next_due, after)
    request.is_being_written = True
    book.begin_claim(entry, claim.execution)
    book.hand_in(claim.commit, _claimed, book, entry, request, claim, now)


def _decided(book: Book, entry: Entry, now: int) -> Claim | None:
    """What is claimed of the job now; of one that is plainly due in a moment what will be then."""
    due = entry.job.next_due
    if due is not None and now < due and book.is_plainly_due(entry):
        now = due
    try:
        step = book.decide(entry, now)
    except ScheduleError:  # as the job's task is about to say
        return None
    return step if isinstance(step, Claim) else None


def _claimed(
    book: Book, entry: Entry, request: Request, claim: Claim, granted: int, error: BaseException | None
) -> None:
    book.end_claim(entry, claim.execution)
    request.is_being_written, request.is_made, request.error = False, error is None, error
    if error is None:
        book.writing.end()
        if entry.request is request:
            entry.request = None
        entry.apply(claim.commit)
        book.lead.note(book.clock.now() - granted, book.clock.monotonic())
        book.launch(entry, claim.execution)
    else:
        entry.note_unanswered(claim.execution.id)
        book.slots.give_back()
    # Mostly there is nothing to decide before the job's next firing, for which its task has set its alarm.
    if error is not None or request.is_awaited or entry.waiting or claim.is_behind:
        entry.nudge()
    book.note_idle()
