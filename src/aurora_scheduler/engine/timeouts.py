"""An attempt that may run only so long: an async callback is cancelled then, a thread is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.entries import Attempt, Entry
from aurora_scheduler.engine.patience import AWAY, Pauses
from aurora_scheduler.logs import about, logger
from aurora_scheduler.model import Outcome
from aurora_scheduler.ports import Fenced, Refused
from aurora_scheduler.rules import overrun
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.tickets import Ticket

__all__ = ["run_within"]

_log = logger("engine")

#: How long, in seconds, a cancelled callback may take to end before its row says that it has not.
_TO_END = 1.0


async def run_within(
    book: Book, entry: Entry, attempt: Attempt, seconds: float, run: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Run an attempt; from `seconds` after its callback began on it is asked to end, because of its timeout.

    The time counts from the callback's begin, by the monotonic clock; what comes to its end later has timed out too,
    even where nobody could interrupt it.
    """
    attempt.begun = Ticket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, book, entry, attempt, seconds)
        outcome = await run()
        nursery.cancel_scope.cancel()
    if attempt.ran_for(book.clock) >= seconds:
        attempt.cancel(Reason.TIMEOUT)
    return outcome


async def _watch(book: Book, entry: Entry, attempt: Attempt, seconds: float) -> None:
    assert attempt.begun is not None
    await attempt.begun.wait()
    await trio.sleep(max(0.0, seconds - attempt.ran_for(book.clock)))
    attempt.cancel(Reason.TIMEOUT)
    if attempt.cancel_reason != Reason.TIMEOUT:
        return
    if attempt.is_interruptible:
        await trio.sleep(_TO_END)
    _log.warning(
        "job %r runs longer than its timeout of %g s, and %s", attempt.execution.job_name, seconds,
        "has not ended though it was cancelled" if attempt.is_interruptible else "its thread cannot be stopped",
        extra=about(attempt.execution),
    )  # fmt: skip
    await _mark(book, entry, attempt)


async def _mark(book: Book, entry: Entry, attempt: Attempt) -> None:
    """Have the row say that the attempt was asked to end."""
    pauses, fields = Pauses(), about(attempt.execution)
    while True:
        job = None if book.is_gone(entry) else entry.job
        try:
            with trio.CancelScope(shield=True):  # what is committed must be in the book
                await book.commit(entry, overrun(job, attempt.execution))
        except Fenced:
            return  # which its end finds out, too
        except Refused:
            await pauses.after_refusal(f"the timeout of execution {attempt.execution.id}", fields)
            await book.load([entry.job.id])
        except AWAY as error:
            await pauses.through(book.writing, error, f"marking execution {attempt.execution.id}", fields)
        else:
            return
