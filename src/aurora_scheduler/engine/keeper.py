"""What goes on beside the firing: following changes, trying again what could not be found, retention, the clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import trio

from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.patience import AWAY
from aurora_scheduler.engine.rewinding import rewind
from aurora_scheduler.engine.unresolved import try_unresolved
from aurora_scheduler.garbage import CollectorHold, SeldomCollected
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import Clock, Store
from aurora_scheduler.rules import CORRECTION

__all__ = [
    "follow_changes",
    "follow_others",
    "hold_collector",
    "keep_history",
    "retry_unresolved",
    "spare_collector",
    "watch_clock",
]

_log = logger("keeper")

_DAY = 86_400 * SECOND
#: A wall clock that went this much otherwise than the monotonic one was set, or the machine slept.
_STEP = SECOND // 2
#: Rows deleted in one transaction: few enough that a firing's claim does not wait for them.
_PRUNE = 200
#: So many jobs are looked through in one go for those with too many rows: others shall read in between.
_LOOK = 100
#: How often, in seconds, all of them are.
_LOOK_EVERY = 86_400.0
#: While very many jobs come due, what has come into being is looked at every so many seconds, and what is older not;
#: after as many turns at most whatever there is, for so long.
_YOUNG, _LONGEST_HOLD, _NOT_HELD = 2.0, 5, 0.02
#: For how many seconds it is kept from what is older when very many jobs fire; and on, as long as they do.
_SPARED = 10.0


async def follow_changes(book: Book) -> None:
    """Bring the tasks in line with the store, as soon as calls in this process have changed it."""
    while True:
        await book.load(await book.next_changes())


async def follow_others(book: Book, every: float) -> None:
    """See what other processes have changed: every so many seconds, one look at the end of an index."""
    while True:
        await trio.sleep(every)
        try:
            ids = await book.changes_by_others()
        except AWAY as error:
            book.writing.note(error)
        else:
            book.note_changes(ids)


async def hold_collector(book: Book) -> None:
    """While very many jobs come due at the same time, have Python's garbage collector leave alone what is old."""
    hold, rush = CollectorHold(), trio.Event()

    def begin() -> None:  # at once, and not when this task has its turn: many others may be before it
        hold.begin()
        rush.set()

    def look_out(on_rush: Callable[[], object] | None) -> None:
        book.alarms.on_rush = book.early_alarms.on_rush = book.slots.on_rush = on_rush

    try:
        while True:
            look_out(begin)
            await rush.wait()
            for _ in range(_LONGEST_HOLD):
                rush = trio.Event()
                await trio.sleep(_YOUNG)
                if not rush.is_set():
                    break
                hold.collect_young()
            look_out(None)
            rush = trio.Event()
            hold.end()
            await trio.sleep(_NOT_HELD)
    finally:
        look_out(None)
        hold.end()


async def spare_collector(book: Book) -> None:
    """As long as very many jobs fire, have Python's garbage collector look at what is not quite new more seldom.

    Each firing replaces a little of what its job had, and where thousands do, to look at that holds up all of them.
    """
    spared = SeldomCollected()
    try:
        while True:
            await book.pace.until_quick()
            spared.begin()
            while book.pace.look_anew():  # noqa: ASYNC110 - not when there was none, but whether
                await trio.sleep(_SPARED)
            spared.end()
    finally:
        spared.end()


async def retry_unresolved(book: Book, every: float) -> None:
    """While there are callbacks or zones that could not be found, try them again every so many seconds.

    At once in the beginning: mostly a program is started anew because it was mended.
    """
    pause = 0.0
    while True:
        await book.unresolved.wait()
        await trio.sleep(pause)
        pause = every
        await try_unresolved(book)


async def keep_history(book: Book, keep_executions: int, keep_days: int, every: float) -> None:
    """Delete what is older than `keep_days`, and of each job what is beyond `keep_executions`, a little at a time.

    All jobs are looked through at first, and once a day; in between only those that have new rows, and of those with
    very many to keep only some at a time.
    """
    newest, looked = "", -math.inf
    while True:
        try:
            before = book.clock.now() - keep_days * _DAY
            await _in_bits(book, partial(_prune_before, before))
            now, since, newest = book.clock.monotonic(), newest, await _newest(book)
            if now - looked >= _LOOK_EVERY:
                await _prune_all(book, keep_executions)
                looked = now
            else:
                await _prune(book, await _fired_since(book, since, keep_executions), keep_executions)
        except AWAY as error:
            _log.warning("old history could not be deleted, trying again later: %s", error)
        await trio.sleep(every)


async def _newest(book: Book) -> str:
    rows = await book.writer.read(lambda store: store.executions(limit=1)).wait()
    return rows[0].id if rows else ""


async def _fired_since(book: Book, row: str, keep: int) -> Sequence[str]:
    """A look walks through all that is kept of a job: not every new row is worth one, and some more may be there."""
    share = max(1, keep // 50)
    return await book.writer.read(lambda store: store.fired_since(row, share)).wait()


async def _prune_all(book: Book, keep: int) -> None:
    after: str | None = ""
    while after is not None:
        look = partial(_crowded, keep, after)
        crowded, after = await book.writer.read(look).wait()
        await _prune(book, crowded, keep)


def _crowded(keep: int, after: str, store: Store) -> tuple[Sequence[str], str | None]:
    return store.crowded(keep, after, _LOOK)


async def _prune(book: Book, job_ids: Sequence[str], keep: int) -> None:
    for job_id in job_ids:
        await _in_bits(book, partial(_prune_job, job_id, keep))


def _prune_before(instant: int, store: Store) -> int:
    return store.prune_before(instant, _PRUNE)


def _prune_job(job_id: str, keep: int, store: Store) -> int:
    return store.prune_job(job_id, keep, _PRUNE)


async def _in_bits(book: Book, prune: Callable[[Store], int]) -> None:
    """Prune in one small transaction after the other, with the firings' own in between, until nothing is left."""
    left = True
    while left:
        left = await book.writer.write(prune).wait() > 0


async def watch_clock(book: Book) -> None:
    """Have every task look at the clock again when it was set, or when the machine has slept."""
    clock = book.clock
    with clock.watched() as until_set:
        before = _ahead(clock)
        while True:
            await until_set()
            step = _ahead(clock) - before
            if abs(step) > _STEP:  # smaller ones add up
                before += step
                _log.info("the wall clock moved by %.1f s against the monotonic one", step / SECOND)
                if step < -CORRECTION:
                    await rewind(book)
                book.nudge_all()


def _ahead(clock: Clock) -> int:
    """By how much the wall clock is ahead of the monotonic one."""
    return clock.now() - round(clock.monotonic() * SECOND)
