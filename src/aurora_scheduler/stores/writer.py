"""The async face of a store: one thread that writes, in groups, and one that reads beside it.

Whatever is queued when the writer comes round is committed in one transaction, so that the cost of making a commit
durable is shared. Each piece of work has a ticket of its own: its caller hears of its own success or error, after the
commit and never before. Where one fails, all of it is taken back and done again, in parts, so that it fails alone: work
is done once or again, and must not mind. Work that raises `NotYet` is done again when it is time.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar

import trio

from aurora_scheduler.errors import SchedulerStopped, StoreError, StoreUnavailableError
from aurora_scheduler.forks import NoFork
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import logger
from aurora_scheduler.model import Commit
from aurora_scheduler.ports import Clock, Decision, InDoubt, Notes, NotYet, Refused, Store
from aurora_scheduler.tickets import Ticket, answered

__all__ = ["InlineWriter", "ThreadedWriter"]

T = TypeVar("T")
_log = logger("writer")

#: The most pieces of work that share a commit: enough to share its cost, not so many that the first waits for the last.
_GROUP = 1000
#: What is handed in at once is taken in parts of so many.
_CHUNK = _GROUP // 2

#: How to answer what was done, once it is committed.
_Answer = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Call:
    """Work that a ticket is answered for."""

    work: Callable[[Store], Any]
    ticket: Ticket[Any]
    put_off: Callable[[_Call, float], object]
    """Has it done again, after so many seconds."""


#: Of decisions most groups are made, and those that follow on each other are written together.
_Piece = _Call | Decision


def _do(store: Store, piece: _Piece) -> _Answer:
    if isinstance(piece, _Call):
        return partial(piece.ticket.answer, piece.work(store))
    if piece.check is not None:
        piece.check(store)
    store.commit(piece.commit, is_known=True)
    return partial(piece.then, None)


def _fail(piece: _Piece, error: BaseException) -> None:
    if isinstance(piece, Decision):
        piece.then(error)
    elif isinstance(error, NotYet):
        piece.put_off(piece, error.wait / SECOND)
    else:
        piece.ticket.fail(error)


def _stopped() -> SchedulerStopped:
    return SchedulerStopped("the scheduler is stopped; initialize it again to go on")


class _Queue:
    """Calls for one thread, in order, until it is closed; then they fail with what `stopped` says."""

    def __init__(self, clock: Clock, stopped: Callable[[], Exception]) -> None:
        self._clock = clock
        self._stopped = stopped
        #: Calls that were put off, and until when by the monotonic clock; of the thread that does them.
        self._put_off: list[tuple[float, int, _Call]] = []
        self._order = count()
        self._pieces: queue.SimpleQueue[Sequence[_Piece] | None] = queue.SimpleQueue()
        # Re-entrant: a signal handler may hand in a call while its thread is handing one in.
        self._gate = threading.RLock()
        self._closed = False

    def put(self, pieces: Sequence[_Piece]) -> None:
        """Hand them in; on a closed queue they fail at once."""
        with self._gate:
            is_closed = self._closed
            if not is_closed:
                for start in range(0, len(pieces), _CHUNK):
                    self._pieces.put(pieces[start : start + _CHUNK])
        if is_closed:
            for piece in pieces:
                _fail(piece, self._stopped())

    def call(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Hand in work; its ticket."""
        ticket: Ticket[T] = Ticket()
        self.put([_Call(work, ticket, self.put_off)])
        return ticket

    def put_off(self, call: _Call, seconds: float) -> None:
        """Have it done again after so long; once the queue is closed, never. From the thread that does the calls."""
        heapq.heappush(self._put_off, (self._clock.monotonic() + seconds, next(self._order), call))

    def close(self) -> None:
        """Take no more; what is queued is still done."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._pieces.put(None)

    def fail_rest(self) -> None:
        """Nobody is left to do what is queued."""
        self.close()
        for _, _, call in self._put_off:
            _fail(call, self._stopped())
        while True:
            try:
                pieces = self._pieces.get_nowait()
            except queue.Empty:
                return
            for piece in pieces or ():
                _fail(piece, self._stopped())

    def _first(self) -> list[_Piece] | None:
        """Wait for what is next in the queue, or for calls that were put off until now."""
        if not self._put_off:
            pieces = self._pieces.get()
            return None if pieces is None else [*pieces]
        left = self._put_off[0][0] - self._clock.monotonic()
        if left > 0:
            with suppress(queue.Empty):
                pieces = self._pieces.get(timeout=left)
                return None if pieces is None else [*pieces]
        now, calls = self._clock.monotonic(), list[_Piece]()
        while self._put_off and self._put_off[0][0] <= now:
            calls.append(heapq.heappop(self._put_off)[2])
        return calls

    def next_group(self) -> list[_Piece] | None:
        """Wait for something to do: at least one, and whatever else is there; None once it is closed and empty."""
        group = self._first()
        if group is None:
            return None
        while len(group) < _GROUP:
            try:
                pieces = self._pieces.get_nowait()
            except queue.Empty:
                break
            if pieces is None:
                self._pieces.put(None)  # the end, for the next round
                break
            group += pieces
        return [piece for piece in group if _is_wanted(piece)]


class ThreadedWriter:
    """A store's two threads, run by a Trio task; `write` and `read` are for any thread and any event loop.

    `on_commit` hears, in the writing thread, what each transaction did; it must not block or raise. `stopped` makes the
    error for calls that come too late.
    """

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[Notes], None],
        clock: Clock,
        stopped: Callable[[], Exception] = _stopped,
    ) -> None:
        self._store = store
        self._on_commit = on_commit
        self._writes = _Queue(clock, stopped)
        self._reads = _Queue(clock, stopped)
        #: A connection of its own to read with; None: what is read goes through the writing one.
        self._reader = store.reader()
        self._no_fork_while_writing = NoFork()
        self._no_fork_while_reading = NoFork()
        self._opened: Ticket[None] = Ticket()
        #: What was wrong with the store when it was written to last; None: nothing.
        self.trouble: str | None = None
        #: Answered when the store is closed and its owner's lock given back.
        self.closed: Ticket[None] = Ticket()

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work` in a transaction, with whatever else is queued; it fails alone."""
        return self._writes.call(work)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions of the engine's in that transaction; of each its `then` is called in the writing thread."""
        self._writes.put(decisions)

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work`, which only reads, beside the writes; it sees every write that was answered before."""
        return (self._writes if self._reader is None else self._reads).call(work)

    def close(self) -> None:
        """Take no more work; `run` returns when what is queued is done, but for what was put off: that fails."""
        self._writes.close()
        self._reads.close()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the store and work until cancelled or closed; what is queued is done even then, and the store closed.

        Raises `StoreError` where the store cannot be opened.
        """
        in_thread = partial(trio.to_thread.run_sync, limiter=trio.CapacityLimiter(2))
        error: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                try:
                    nursery.start_soon(in_thread, self._keep_writing)
                    await self._opened.wait()
                    if self._reader is not None:
                        reading: Ticket[None] = Ticket()
                        nursery.start_soon(in_thread, self._keep_reading, self._reader, reading)
                        await reading.wait()
                    task_status.started()
                    await self.closed.wait()
                except Exception as exc:  # outside the nursery it is itself, inside it would be a group of one
                    error = exc
                finally:
                    self.close()
        finally:
            self._writes.fail_rest()
            self._reads.fail_rest()
            self.closed.answer(None)
        if error is not None:
            raise error

    # -- in the threads -----------------------------------------------------------------------------------------

    def _keep_writing(self) -> None:
        if _open(self._store, self._opened):
            while (group := self._writes.next_group()) is not None:
                if group:
                    with self._no_fork_while_writing:
                        self._commit(group)
            _close(self._store)
            self.closed.answer(None)

    def _commit(self, group: list[_Piece]) -> None:
        """Do a group in one transaction: plainly, as long as nothing of it fails; else in parts that fail alone.

        Where even that fails, since one piece has spoiled the transaction for the others, each is done in its own.
        """
        error = self._transact(group, _do_all, alone=len(group) == 1)
        if error is None or self._transact(group, _do_apart, alone=False) is None:
            return
        for piece in group:
            self._transact([piece], _do_all, alone=True)

    def _transact(
        self, group: list[_Piece], do: Callable[[Store, list[_Piece]], list[_Answer]], *, alone: bool
    ) -> BaseException | None:
        """Do the group in one transaction, and answer; or the error, where it is to be tried in another way."""
        has_begun = False
        try:
            if do is _do_all and self._store.is_shared and (decisions := _only_decisions(group)):
                self._store.commit_alone([each.commit for each in decisions])  # and keeps others waiting least
                answers: list[_Answer] = [partial(_tell_all, decisions)]
            else:
                with self._store.transaction():
                    has_begun = True
                    answers = do(self._store, group)
        except BaseException as error:
            is_locked = isinstance(error, StoreUnavailableError) and not has_begun  # for all alike, and after a wait
            if alone or is_locked or isinstance(error, InDoubt):  # what may have been written is not written again
                self.trouble = str(error) if isinstance(error, StoreError) else None
                for piece in group:
                    _fail(piece, error)
                return None
            return error
        self.trouble = None
        notes, self._store.notes = self._store.notes, Notes()
        self._on_commit(notes)
        for answer in answers:
            answer()
        return None

    def _keep_reading(self, reader: Store, opened: Ticket[None]) -> None:
        if _open(reader, opened):
            while (group := self._reads.next_group()) is not None:
                for piece in group:
                    try:
                        with self._no_fork_while_reading:
                            answer = _do(reader, piece)
                    except BaseException as error:  # whatever it is, its caller hears of it
                        _fail(piece, error)
                    else:
                        answer()
            _close(reader)


def _open(store: Store, opened: Ticket[None]) -> bool:
    try:
        with NoFork():
            store.open()
    except BaseException as error:
        opened.fail(error)
        return False
    opened.answer(None)
    return True


def _close(store: Store) -> None:
    try:
        with NoFork():
            store.close()
    except Exception:
        _log.exception("closing the database failed; what was committed is safe")


def _is_wanted(piece: _Piece) -> bool:
    """Begin with it: to take its ticket is to begin. Not with what was taken back."""
    take = piece.take if isinstance(piece, Decision) else piece.ticket.take
    return take is None or take()


def _in_parts(group: list[_Piece]) -> Iterator[list[Decision] | _Piece]:
    """Decisions that follow on each other, and whatever is not to be written together with others."""
    decisions: list[Decision] = []
    for piece in group:
        if isinstance(piece, Decision) and piece.check is None:
            decisions.append(piece)
            continue
        if decisions:
            yield decisions
            decisions = []
        yield piece
    if decisions:
        yield decisions


def _only_decisions(group: list[_Piece]) -> list[Decision]:
    """The group, where it is written together as a whole; else nothing."""
    parts = list(_in_parts(group))
    return parts[0] if len(parts) == 1 and isinstance(parts[0], list) else []


def _do_all(store: Store, group: list[_Piece]) -> list[_Answer]:
    """Do a group; how to answer it once the transaction is committed."""
    answers: list[_Answer] = []
    for part in _in_parts(group):
        answers += _do_together(store, part) if isinstance(part, list) else [_do(store, part)]
    return answers


def _do_apart(store: Store, group: list[_Piece]) -> list[_Answer]:
    """The same, under savepoints: what fails fails alone, and its error is the answer."""
    answers: list[_Answer] = []
    for part in _in_parts(group):
        answers += _do_those_that_fit(store, part) if isinstance(part, list) else [_do_alone(store, part)]
    return answers


def _do_together(store: Store, decisions: list[Decision]) -> list[_Answer]:
    store.commit_all([each.commit for each in decisions])
    return [partial(_tell_all, decisions)]


def _do_those_that_fit(store: Store, decisions: list[Decision]) -> list[_Answer]:
    """Those of which it is known that they do not fit fail, and the others are written together.

    To do each for itself takes so long, while all others wait, that ever more of what comes next does not fit.
    """
    answers: list[_Answer] = []
    while len(decisions) > 1:
        try:
            with store.savepoint():
                return answers + _do_together(store, decisions)
        except Refused as error:
            refused = _refused(decisions, error.keys)
            if not refused:
                break
            answers += [partial(_fail, decisions[number], error) for number in sorted(refused)]
            decisions = [each for number, each in enumerate(decisions) if number not in refused]
    return answers + [_do_alone(store, each) for each in decisions]


def _do_alone(store: Store, piece: _Piece) -> _Answer:
    try:
        with store.savepoint():
            return _do(store, piece)
    except StoreError:  # the database itself: the transaction may be gone
        raise
    except BaseException as error:  # whatever it is, its caller hears of it, and the others' work goes on
        return partial(_fail, piece, error)


def _tell_all(decisions: list[Decision]) -> None:
    for each in decisions:
        each.then(None)


def _refused(decisions: list[Decision], keys: frozenset[str]) -> set[int]:
    """Which decisions are about these jobs or executions; where several are about one, not the first."""
    about = dict[str, list[int]]()
    for number, decision in enumerate(decisions if keys else ()):
        for key in keys & _keys(decision.commit):
            about.setdefault(key, []).append(number)
    return {number for numbers in about.values() for number in numbers[1:] or numbers}


def _keys(commit: Commit) -> set[str]:
    job_ids = [] if commit.job is None else [commit.job.id]
    return {*job_ids, *(row.id for row in commit.moved), *(row.id for row in commit.new)}


class InlineWriter:
    """Does each piece of work on the spot, in the calling thread: for simulations, tests and tools."""

    def __init__(self, store: Store, on_commit: Callable[[Notes], None] = lambda notes: None) -> None:
        self._store = store
        self._on_commit = on_commit

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work` in a transaction of its own, now."""
        ticket: Ticket[T] = Ticket()
        try:
            with self._store.transaction():
                value = work(self._store)
        except Exception as error:
            ticket.fail(error)
            return ticket
        notes, self._store.notes = self._store.notes, Notes()
        self._on_commit(notes)
        ticket.answer(value)
        return ticket

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions of the engine's, each in a transaction of its own, now."""
        for decision in decisions:
            if not _is_wanted(decision):
                continue
            ticket = self.write(partial(_do, piece=decision))
            if not ticket.on_answer(partial(_tell, decision, ticket)):
                _tell(decision, ticket)

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work` now."""
        try:
            return answered(work(self._store))
        except Exception as error:
            ticket: Ticket[T] = Ticket()
            ticket.fail(error)
            return ticket

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _tell(decision: Decision, ticket: Ticket[Any]) -> None:
    decision.then(ticket.error)
