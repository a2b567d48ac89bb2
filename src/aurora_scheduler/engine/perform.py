"""One attempt, from its claim to its end, as a row of small steps; whatever happens becomes an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import trio

from aurora_scheduler.callbacks import bind, raised
from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.entries import Attempt, Entry, current_execution
from aurora_scheduler.engine.lookup import Found
from aurora_scheduler.engine.patience import AWAY, Pauses, until_there
from aurora_scheduler.engine.runners import CANCELLED
from aurora_scheduler.engine.timeouts import run_within
from aurora_scheduler.errors import SchedulerStopped
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import DEBUG, about, logger
from aurora_scheduler.model import ChangeKind, Commit, Execution, ExecutionStatus, Outcome
from aurora_scheduler.ports import Fenced, Refused, Store
from aurora_scheduler.rules import recover, settle
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.values import replace

__all__ = ["begin", "report_lost"]

_log = logger("engine")

#: How many attempts that have ended may hold what they came to while the store is away.
_MOST_HELD = 10_000
_LOST = Outcome(status=ExecutionStatus.LOST)
_NOT_HELD = "its end could not be written"


def begin(book: Book, entry: Entry, attempt: Attempt) -> None:
    """Begin a claimed execution: a plain callback at once in a worker thread, all else in a task of its own."""
    if attempt.cancel_reason is not None:  # since its claim
        _ended(book, entry, attempt, CANCELLED)
    elif book.signs.are_wanted_for(attempt.execution):
        assert book.performing is not None
        book.performing.start_soon(_begin_if_held, book, entry, attempt)
    else:
        _begin(book, entry, attempt)


def _begin(book: Book, entry: Entry, attempt: Attempt) -> None:
    job = entry.job
    attempt.callback = job.callback
    found = book.callbacks.known(job.callback)
    policies = job.policies
    is_plain = found is not None and not found.is_async and policies.timeout is None and policies.runner != "process"
    if found is None or not is_plain or not book.runners.has_threads:
        assert book.performing is not None
        book.performing.start_soon(_perform, book, entry, attempt, found, name=job.name)
        return
    try:
        arguments = _arguments(entry, attempt, found)
    except Exception as error:
        _ended(book, entry, attempt, raised(error))
    else:
        book.runners.post(attempt, found.function, arguments, partial(_ended, book, entry, attempt))


async def _begin_if_held(book: Book, entry: Entry, attempt: Attempt) -> None:
    """Begin it, unless others have found this process dead while it stood still, and the attempt lost with it."""
    execution, is_held = attempt.execution, False
    try:
        with attempt.make_interruptible():
            is_held = await _is_held(book, execution)
    except SchedulerStopped:  # it is recovered at the next start
        book.attempt_ended(entry, attempt)
        return
    except BaseException:
        book.attempt_ended(entry, attempt)
        raise
    attempt.scope = None
    if attempt.cancel_reason is not None:
        _ended(book, entry, attempt, CANCELLED)
    elif is_held:
        _begin(book, entry, attempt)
    else:
        told = "execution %s of job %r is not begun: this process stood still, and it was found lost"
        _log.warning(told, execution.id, execution.job_name, extra=about(execution))
        book.attempt_ended(entry, attempt)


async def _is_held(book: Book, execution: Execution) -> bool:
    """Whether it is still this process's, as others say who have heard of this one again."""
    await book.signs.next()
    row = await _row_of(book, execution)
    return row is not None and row.owner == execution.owner and not row.status.is_final


async def _perform(book: Book, entry: Entry, attempt: Attempt, found: Found | None) -> None:
    """Run the callback of a claimed execution, and have its end written."""
    try:
        current_execution.set(attempt.execution.id)
        outcome = await _run(book, entry, attempt, found)
    except SchedulerStopped:
        _tell_lost(attempt)
        book.attempt_ended(entry, attempt)
    except BaseException:
        book.attempt_ended(entry, attempt)
        raise
    else:
        _ended(book, entry, attempt, outcome)


async def _run(book: Book, entry: Entry, attempt: Attempt, found: Found | None) -> Outcome:
    job = entry.job
    try:
        if found is None:
            found = await book.callbacks.find(job.callback)
        arguments = _arguments(entry, attempt, found)
        run = book.runners.choose(job.policies.runner, found.is_async)
    except Exception as error:
        return raised(error)
    if job.policies.timeout is None:
        return await run(attempt, found.function, arguments)
    seconds = job.policies.timeout / SECOND
    return await run_within(book, entry, attempt, seconds, partial(run, attempt, found.function, arguments))


def _ended(book: Book, entry: Entry, attempt: Attempt, outcome: Outcome) -> None:
    """Have the end written. Mostly that goes well, and nobody waits for it; else a task keeps trying."""
    attempt.came_to = outcome
    if attempt.finished is None:
        attempt.finish(book.clock)
    outcome = _outcome_of(attempt)
    commit = _settled(book, entry, attempt, outcome)
    book.hand_in(commit, _end_written, book, entry, attempt, commit)
    book.callback_ended(attempt)


def _end_written(book: Book, entry: Entry, attempt: Attempt, commit: Commit, error: BaseException | None) -> None:
    if isinstance(error, (Refused, *AWAY)):
        assert book.performing is not None
        book.performing.start_soon(_keep_writing_end, book, entry, attempt, commit, error)
        return
    if error is None:
        book.writing.end()
        book.apply(entry, commit)
        _report(book, entry, commit)
    else:
        _tell_lost(attempt)
    book.attempt_ended(entry, attempt)


async def _keep_writing_end(book: Book, entry: Entry, attempt: Attempt, commit: Commit, error: Exception) -> None:
    try:
        with trio.CancelScope(shield=True):
            await _write_end(book, entry, attempt, commit, error)
    except SchedulerStopped:
        _tell_lost(attempt)
    finally:
        book.held.discard(attempt)
        book.attempt_ended(entry, attempt)


def _arguments(entry: Entry, attempt: Attempt, found: Found) -> dict[str, Any]:
    return bind(found.function, entry.job.callback_args, _Context(attempt.execution))


class _Context(Mapping[str, Any]):
    """What a callback may ask for of its execution, by the parameter's name; worked out where one does."""

    _ATTRIBUTES: Final = {"execution_id": "id"} | {
        name: name for name in ("job_id", "job_name", "scheduled_for", "attempt", "idempotency_key")
    }

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def __getitem__(self, name: str) -> Any:
        return getattr(self._execution, self._ATTRIBUTES[name])

    def __contains__(self, name: object) -> bool:
        return name in self._ATTRIBUTES

    def __iter__(self) -> Iterator[str]:
        return iter(self._ATTRIBUTES)

    def __len__(self) -> int:
        return len(self._ATTRIBUTES)


def _outcome_of(attempt: Attempt) -> Outcome:
    """What is to be recorded of an attempt that has ended.

    A cancelled attempt is recorded as cancelled, with what it came to: a thread runs on to its end all the same.

    What came to its end though the scheduler stops has its own outcome: it must not be run again.
    """
    outcome = attempt.came_to
    if outcome is None:
        return _LOST
    if attempt.cancel_reason is None:
        return outcome
    if attempt.cancel_reason == Reason.TIMEOUT:
        return _as_timed_out(attempt.ran)
    has_begun = attempt.is_interruptible or attempt.started is not None
    to_its_end = has_begun and (not attempt.is_interruptible or outcome.status is ExecutionStatus.SUCCEEDED)
    if attempt.cancel_reason == Reason.STOPPED and to_its_end:
        return outcome
    return replace(outcome, status=ExecutionStatus.CANCELLED, reason=attempt.cancel_reason)


def _as_timed_out(ran: float) -> Outcome:
    error = f"timed out: it ran for {ran:.1f} s, longer than its timeout"
    result = {"success": False, "error": error}
    return Outcome(status=ExecutionStatus.TIMED_OUT, reason=Reason.TIMEOUT, result=result, error=error)


async def _write_end(book: Book, entry: Entry, attempt: Attempt, commit: Commit, error: Exception) -> None:
    """After a first `error`: settle anew and commit, as often as it takes.

    The job may have changed, the store may be away for a while.
    """
    pauses, fields = Pauses(), about(attempt.execution)
    deaths = 0
    while True:
        ended = attempt.execution
        if isinstance(error, Fenced):
            if await _is_written(book, commit.moved[0]):
                _report(book, entry, commit)
            else:
                _log.error(
                    "execution %s of job %r was given to another owner; its end (%s) is not recorded",
                    ended.id, ended.job_name, _outcome_of(attempt).status,
                    extra=fields,
                )  # fmt: skip
            return
        if isinstance(error, Refused):
            await pauses.after_refusal(f"the end of execution {ended.id}", fields)
            await book.load({entry.job.id, await _job_of(book, ended)})
        else:
            if attempt.came_to is not None and not _hold(book, attempt):
                deaths = await _deaths(book, ended)
            await pauses.through(book.writing, error, f"the end of execution {ended.id}", fields)
        outcome = _outcome_of(attempt)
        commit = _settled(book, entry, attempt, outcome, deaths)
        try:
            await book.commit(entry, commit)
        except (Refused, *AWAY) as again:
            error = again
        else:
            _report(book, entry, commit)
            return


def _settled(book: Book, entry: Entry, attempt: Attempt, outcome: Outcome, deaths: int = 0) -> Commit:
    """What is to be written of an attempt that came to `outcome`, and whose firing was lost `deaths` times before."""
    execution, others = attempt.execution, len(entry.attempts) - 1
    job = None if book.is_gone(entry) else entry.job
    waiting = () if job is None else entry.waiting
    now, new_id = book.clock.now(), book.clock.new_id
    if outcome is _LOST:
        lost = execution if attempt.started is None else replace(execution, started=attempt.started)
        return recover(job, waiting, others, lost, deaths, now, new_id=new_id, cause=_NOT_HELD)
    return settle(
        job, waiting, others, execution, outcome, now, new_id=new_id,
        started=attempt.started, finished=attempt.finished,
    )  # fmt: skip


def _hold(book: Book, attempt: Attempt) -> bool:
    """Keep what the attempt came to while the store is away; False where too much is kept already: it is lost."""
    if attempt in book.held or len(book.held) < _MOST_HELD:
        book.held.add(attempt)
        return True
    attempt.came_to = None
    lost = attempt.execution
    _log.error(
        "the end of execution %s of job %r is lost, for %d others wait for the database already; it is recovered when "
        "that is back", lost.id, lost.job_name, len(book.held),
        extra=about(lost),
    )  # fmt: skip
    return False


async def _deaths(book: Book, execution: Execution) -> int:
    """How many attempts of the execution's firing were lost before."""
    firing = (execution.generation, execution.scheduled)

    def read(store: Store) -> int:
        lost = store.executions(execution.job_id, ExecutionStatus.LOST, limit=1000)
        return sum((row.generation, row.scheduled) == firing for row in lost)

    return await until_there(book.reading, lambda: book.writer.read(read).wait(), "reading attempts", about(execution))


async def _job_of(book: Book, execution: Execution) -> str:
    """The id of the execution's job, which may have another one by now."""
    row = await _row_of(book, execution)
    return execution.job_id if row is None else row.job_id


async def _row_of(book: Book, execution: Execution) -> Execution | None:
    """The execution as it is stored."""
    read = partial(book.writer.read, lambda store: store.execution(execution.id))
    return await until_there(book.reading, lambda: read().wait(), "reading an attempt", about(execution))


async def _is_written(book: Book, ended: Execution) -> bool:
    """Whether the end stands: written by a commit of ours that seemed to fail."""
    row = await _row_of(book, ended)
    if row is None or row.owner != ended.owner:
        return False
    if ended.status is ExecutionStatus.LOST:  # what it had come to is not known any more
        return row.status.is_final
    return (row.status, row.finished) == (ended.status, ended.finished)


def report_lost(book: Book, commits: Iterable[Commit]) -> None:
    """Tell of what was written when attempts of a process that died were recovered."""
    for commit in commits:
        _tell_if_deactivated(book, commit)


def _report(book: Book, entry: Entry, commit: Commit) -> None:
    """Tell the log, and whoever wants to hear it, of an end that is written."""
    ended, job = commit.moved[0], entry.job
    has_failed = ended.status in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)
    if job.policies.ping is not None and ended.status is ExecutionStatus.SUCCEEDED:
        book.hooks.succeeded(job, ended)
    if not has_failed and commit.change is None and not _log.isEnabledFor(DEBUG):
        return
    extra = about(ended) | {"attempt": ended.attempt, "status": str(ended.status)}
    if has_failed:
        _log.warning("job %r failed (attempt %d): %s", ended.job_name, ended.attempt, ended.error, extra=extra)
        book.hooks.failed(job, ended, will_retry=any(row.status is ExecutionStatus.WAITING for row in commit.new))
    else:
        _log.debug("job %r: %s", ended.job_name, ended.status, extra=extra)
    _tell_if_deactivated(book, commit)


def _tell_if_deactivated(book: Book, commit: Commit) -> None:
    job, change, ended = commit.job, commit.change, commit.moved[0]
    if job is not None and change is not None and change.kind is ChangeKind.DEACTIVATED:
        extra = about(ended) | {"attempt": ended.attempt, "status": str(ended.status)}
        _log.error("job %r is deactivated: %s", job.name, change.detail, extra=extra)
        book.hooks.deactivated(job, ended, change.detail)


def _tell_lost(attempt: Attempt) -> None:
    ended, outcome = attempt.execution, _outcome_of(attempt)
    _log.error(
        "job %r ended (%s), but that was not written before the scheduler stopped; its firing is recovered at the next "
        "start", ended.job_name, outcome.status, extra=about(ended),
    )  # fmt: skip
