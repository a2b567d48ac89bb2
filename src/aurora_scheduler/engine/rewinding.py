"""The wall clock was set back by far: what is next of every job is computed anew, from the time there is now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

from aurora_scheduler.engine.book import TOGETHER, Book
from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.engine.patience import until_there
from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import Commit, Job, JobStatus
from aurora_scheduler.ports import Refused, Snapshot, Store
from aurora_scheduler.rules import beyond, rewound
from aurora_scheduler.values import replace

__all__ = ["comes_from_later", "rewind"]


async def comes_from_later(book: Book, by: int) -> bool:
    """Whether something was written to the jobs when the wall clock showed more than now, by so much."""
    latest = max((max(each.job.updated, each.job.last_run or 0) for each in book.entries()), default=0)
    if book.horizon.at is not None:
        of_all = await until_there(
            book.reading, lambda: book.writer.read(lambda store: store.latest()).wait(), "reading jobs"
        )
        latest = max(latest, of_all)
    return latest > book.clock.now() + by


async def rewind(book: Book) -> None:
    """Compute every next firing anew."""
    for entry in book.entries():
        await _rewind(book, entry)
    async for snapshots in _resting(book):
        for snapshot in snapshots:
            entry = Entry(snapshot.job)
            entry.take(snapshot)
            if not book.knows(snapshot.job.id):
                await _rewind(book, entry)
            if book.knows(snapshot.job.id):  # since then
                book.note_changes([snapshot.job.id])
    book.horizon.nudge()


async def _resting(book: Book) -> AsyncIterator[list[Snapshot]]:
    """The active jobs that rest in the store."""
    last: Job | None = None
    while True:
        jobs, snapshots = await until_there(book.reading, partial(_ask_resting, book, last), "reading jobs")
        if not jobs:
            return
        last = jobs[-1]
        yield [snapshot for snapshot in snapshots if snapshot is not None]


async def _ask_resting(book: Book, last: Job | None) -> tuple[list[Job], list[Snapshot | None]]:
    def read(store: Store) -> tuple[list[Job], list[Snapshot | None]]:
        jobs = store.jobs(JobStatus.ACTIVE, limit=TOGETHER, after=last)
        return jobs, store.held([job.id for job in jobs if not book.knows(job.id)])

    return await book.writer.read(read).wait()


async def _rewind(book: Book, entry: Entry) -> None:
    fields = {"job_id": entry.job.id}
    try:
        commit = await until_there(book.reading, partial(_rewound, book, entry), "computing firings anew", fields)
    except ScheduleError:  # its zone is unknown here, as its task is about to say
        return
    if commit is not None:
        with suppress(Refused):  # it has just been changed: then by the new time
            await until_there(book.writing, partial(book.commit, entry, commit), "computing firings anew", fields)


async def _rewound(book: Book, entry: Entry) -> Commit | None:
    job, clock = entry.job, book.clock
    commit = rewound(job, entry.waiting, clock.now())
    if commit is None or commit.job is None or commit.job.next_fire is None:
        return commit
    after, first = commit.job, commit.job.next_fire
    records = await book.writer.read(lambda store: store.recorded(after, first, first)).wait()
    after = beyond(after, records, clock.now())
    return None if after.next_fire == job.next_fire and not commit.moved else replace(commit, job=after)
