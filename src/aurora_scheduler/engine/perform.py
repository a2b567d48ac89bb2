"""One attempt, from its claim to its end, as a row of small steps; whatever happens becomes an outcome."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import trio

from aurora_scheduler.callbacks import bind, is_async, raised
from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.entries import Attempt, Entry, current_execution
from aurora_scheduler.engine.patience import AWAY, Pauses, until_there
from aurora_scheduler.engine.timeouts import run_within
from aurora_scheduler.errors import CallbackError, SchedulerStopped
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ChangeKind, Commit, Execution, ExecutionStatus, Outcome
from aurora_scheduler.ports import Fenced, Refused
from aurora_scheduler.rules import settle
from aurora_scheduler.rules.firing import Reason

__all__ = ["perform"]

_log = logging.getLogger("aurora_scheduler.engine")


async def perform(book: Book, entry: Entry, attempt: Attempt) -> None:
    """Run the callback of a claimed execution and write its end."""
    try:
        current_execution.set(attempt.execution.id)
        outcome = await _run(book, entry, attempt)
        attempt.finish(book.clock)
        with trio.CancelScope(shield=True):
            await _write_end(book, entry, attempt, outcome)
    finally:
        book.attempt_ended(entry, attempt)


async def _run(book: Book, entry: Entry, attempt: Attempt) -> Outcome:
    job, execution = entry.job, attempt.execution
    attempt.callback = job.callback
    try:
        function = await book.callbacks.find(job.callback)
    except CallbackError as error:
        return raised(error)
    try:
        arguments = bind(function, job.callback_args, _context(execution))
        run = book.runners.choose(job.policies.runner, is_async(function))
    except Exception as error:
        return raised(error)
    if job.policies.timeout is None:
        return await run(attempt, function, arguments)
    seconds = job.policies.timeout / SECOND
    return await run_within(book, entry, attempt, seconds, partial(run, attempt, function, arguments))


def _context(execution: Execution) -> dict[str, Any]:
    return {
        "job_id": execution.job_id,
        "job_name": execution.job_name,
        "execution_id": execution.id,
        "scheduled_for": execution.scheduled_for,
        "attempt": execution.attempt,
        "idempotency_key": execution.idempotency_key,
    }


def _as_cancelled(attempt: Attempt, outcome: Outcome) -> Outcome:
    """A cancelled attempt is recorded as cancelled, with what it came to: a thread runs on to its end all the same.

    What came to its end though the scheduler stops has its own outcome: it must not be run again.
    """
    if attempt.cancel_reason is None:
        return outcome
    if attempt.cancel_reason == Reason.TIMEOUT:
        return _as_timed_out(attempt.ran)
    to_its_end = not attempt.interruptible or outcome.status is ExecutionStatus.SUCCEEDED
    if attempt.cancel_reason == Reason.STOPPED and to_its_end:
        return outcome
    return replace(outcome, status=ExecutionStatus.CANCELLED, reason=attempt.cancel_reason)


def _as_timed_out(ran: float) -> Outcome:
    error = f"timed out: it ran for {ran:.1f} s, longer than its timeout"
    result = {"success": False, "error": error}
    return Outcome(status=ExecutionStatus.TIMED_OUT, reason=Reason.TIMEOUT, result=result, error=error)


async def _write_end(book: Book, entry: Entry, attempt: Attempt, came_to: Outcome) -> None:
    """Settle and commit, as often as it takes: the job may have changed, the store may be away for a while."""
    pauses = Pauses()
    while True:
        outcome = _as_cancelled(attempt, came_to)
        ended = attempt.as_ended()
        others = len(entry.attempts) - 1
        job = None if book.is_gone(entry) else entry.job
        waiting = () if job is None else entry.waiting
        now = book.clock.now()
        commit = settle(job, waiting, others, ended, outcome, now, new_id=book.clock.new_id)
        try:
            await book.commit(entry, commit)
        except Fenced:
            if await _is_written(book, ended, outcome):
                return
            _log.error(
                "execution %s of job %r was given to another owner; its end (%s) is not recorded",
                ended.id, ended.job_name, outcome.status, extra={"job_id": ended.job_id, "execution_id": ended.id},
            )  # fmt: skip
            return
        except Refused:
            await pauses.after_refusal(f"the end of execution {ended.id}")
            await book.load([entry.job.id])
        except AWAY as error:
            _log.warning("the end of execution %s waits for the database: %s", ended.id, error)
            await pauses.wait()
        except SchedulerStopped:
            _log.error(
                "job %r ended (%s) after the scheduler had stopped; its firing is recovered at the next start",
                ended.job_name, outcome.status, extra={"job_id": ended.job_id, "execution_id": ended.id},
            )  # fmt: skip
            return
        else:
            _report(ended, commit, outcome)
            return


async def _is_written(book: Book, ended: Execution, outcome: Outcome) -> bool:
    """Whether the end stands: written by a commit of ours that seemed to fail."""
    row = await until_there(lambda: book.writer.read(lambda store: store.execution(ended.id)).wait(), "reading an end")
    return row is not None and (row.owner, row.status, row.finished) == (ended.owner, outcome.status, ended.finished)


def _report(ended: Execution, commit: Commit, outcome: Outcome) -> None:
    extra = {"job_id": ended.job_id, "execution_id": ended.id, "attempt": ended.attempt, "status": str(outcome.status)}
    if outcome.status in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT):
        _log.warning("job %r failed (attempt %d): %s", ended.job_name, ended.attempt, outcome.error, extra=extra)
    else:
        _log.debug("job %r: %s", ended.job_name, outcome.status, extra=extra)
    if commit.change is not None and commit.change.kind is ChangeKind.DEACTIVATED:
        _log.error("job %r is deactivated: %s", ended.job_name, commit.change.detail, extra=extra)
