"""Which jobs have their task: all that are active; and where those are too many, the ones that fire first.

The store knows which those are, by its index. It is asked at the start, and again before the farthest of those that are
here comes due, and when many have come or gone. So nothing has to be kept equal to the store from one time to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from aurora_scheduler.commands import renew_jobs
from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.patience import until_there
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import logger
from aurora_scheduler.ports import Nearest

__all__ = ["admit", "admit_first", "keep_admitting", "renew"]

_log = logger("engine")

#: How long before the horizon it is looked again what is behind it, in seconds: many tasks take their time to be made.
_AHEAD = 30.0
#: By the clock it is looked again after so many seconds at the soonest, and at the latest.
_SOONEST, _LATEST = 5.0, 60.0
#: How many jobs are the very nearest.
_FIRST = 500
#: How many jobs are written before others get a turn.
_BATCH = 500


async def admit_first(book: Book) -> None:
    """Give the very nearest jobs their tasks: at the start, so that they need not wait for all others."""
    nearest = await until_there(book.reading, partial(_ask, book, min(_FIRST, book.horizon.most)), "reading jobs")
    await book.load(nearest.job_ids)


async def admit(book: Book) -> None:
    """Give the nearest jobs their tasks, what fires first first, and let the others rest in the store."""
    horizon = book.horizon
    horizon.lift()
    nearest = await until_there(book.reading, partial(_ask, book, horizon.most), "reading jobs")
    horizon.lower(nearest.until)
    await book.load([job_id for job_id in nearest.job_ids if not book.knows(job_id)])
    book.let_rest()
    horizon.measure(len(book))


async def _ask(book: Book, most: int) -> Nearest:
    return await book.writer.read(lambda store: store.nearest(most)).wait()


async def keep_admitting(book: Book) -> None:
    """Have the jobs behind the horizon get their tasks before they come due."""
    while True:
        await _until_wanted(book)
        await admit(book)


async def _until_wanted(book: Book) -> None:
    horizon = book.horizon
    if horizon.at is None:
        await horizon.until_outgrown()
        return
    ahead = (horizon.at - book.clock.now()) / SECOND - _AHEAD
    with trio.move_on_after(min(max(ahead, _SOONEST), _LATEST)):
        await horizon.until_outgrown()
        if ahead > _SOONEST and not horizon.is_overfull:
            await trio.sleep(_SOONEST)  # many have fired just now, and their places are not needed yet


async def renew(book: Book, job_ids: Sequence[str]) -> None:
    """Compute anew what was computed with other data of these jobs' zones."""
    if not job_ids:
        return
    moved = 0
    for start in range(0, len(job_ids), _BATCH):
        moved += await until_there(
            book.writing, partial(_renew, book, job_ids[start : start + _BATCH]), "computing firings anew"
        )
    _log.info("computed %d next firing(s) anew with changed zone data, %d moved", len(job_ids), moved)


async def _renew(book: Book, job_ids: Sequence[str]) -> int:
    return await book.writer.write(partial(renew_jobs, clock=book.clock, job_ids=job_ids)).wait()
