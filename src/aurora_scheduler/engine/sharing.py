"""A share of the jobs, where several processes fire them beside each other: taken, kept by signs of life, and left.

What is held here is in the book, as all jobs are where there is one owner; the store says which that are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import trio

from aurora_scheduler.commands import take_part
from aurora_scheduler.engine.book import Book
from aurora_scheduler.engine.hints import Hints
from aurora_scheduler.engine.patience import AWAY
from aurora_scheduler.engine.perform import report_lost
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import logger
from aurora_scheduler.model import Commit, Job
from aurora_scheduler.ports import Share, Store

__all__ = ["Sharing"]

_log = logger("engine")

#: How often, in seconds, a sign of life is given.
_EVERY = 1.0
#: Hints are gathered for so long: others change many things one after the other.
_GATHERED = 0.05
#: How often, in seconds, it is looked whether what is held too much is idle: what fires every second hardly ever is
#: when a sign of life is given, if both are in step.
_WATCHED = 0.03
#: After so many rounds it is looked whether all that is held is known.
_COMPARED = 60
#: What is due in so many microseconds is not left to others: it may be claimed just now.
_SOON = SECOND // 10


class Sharing:
    """This process's share of the jobs."""

    def __init__(self, book: Book, hints: Hints) -> None:
        self._book = book
        self._hints = hints
        #: Since when there is one.
        self._since = ""
        self._takes = True
        self._rounds = 0
        #: What is held too much.
        self._surplus: Sequence[str] = ()

    async def begin(self) -> None:
        """Have a first share, and recover what those had begun that are gone. With one owner that is all."""
        await self._take_part(is_first=True)

    async def keep(self) -> None:
        """Give signs of life, have a fair share, bury the dead, see what others have changed: until cancelled."""
        has_gained = True
        while True:
            if not has_gained:  # else there may be more
                await self._until_needed()
            has_gained = False
            self._rounds += 1
            begun = self._book.clock.monotonic()
            try:
                has_gained = await self._take_part()
                self._book.signs.note(begun)
                self._book.writing.end_for_all()
            except AWAY as error:
                self._book.writing.note(error)
                self._surplus = ()  # else it would be looked after it many times a second, and in vain
                self._rounds = 0  # something may have been taken all the same
            if self._rounds % _COMPARED == 1:
                self._book.horizon.nudge()

    async def _until_needed(self) -> None:
        """Until it is time for a sign of life, or others have changed what is to be known here.

        All hear of every change, and each sign of life has the others wait: so it is only looked, beside them, first.
        """
        concerned = False
        with trio.move_on_after(_EVERY), suppress(*AWAY):
            while not concerned:
                await self._hints.wait(_WATCHED if self._surplus else _EVERY)
                await self._leave_surplus()
                await trio.sleep(_GATHERED)
                concerned = await self._book.writer.read(self._is_concerned).wait()
                self._book.reading.end_for_all()

    def _is_concerned(self, store: Store) -> bool:
        return store.concerns(self._book.last_change)

    async def leave(self) -> None:
        """Leave to the others whatever does not run here."""
        self._takes = False
        try:
            await self._release(None)
        except AWAY as error:  # they take it when this process is gone
            _log.warning("jobs could not be left to the other processes: %s", error)

    async def _take_part(self, *, is_first: bool = False) -> bool:
        """Whether there are jobs that were taken."""
        book = self._book
        takes = self._takes

        def share(store: Store) -> tuple[Share, list[Commit], tuple[int, Sequence[str]]]:
            got, lost = take_part(store, book.clock, book.owner, takes=takes, is_first=is_first)
            return got, lost, store.changes_since(book.last_change)

        got, lost, (book.last_change, changed) = await book.writer.write(share).wait()
        if lost:
            _log.warning("recovered after a scheduler that died: %d execution(s) lost", len(lost))
            report_lost(book, lost)
        if got.since != self._since:  # of what was held before nobody knows whose it is now
            book.note_changes([entry.job.id for entry in book.entries()])
            book.horizon.nudge()
            self._since = got.since
        book.note_changes([*changed, *got.gained, *(commit.job.id for commit in lost if commit.job is not None)])
        if not takes:
            await self._release(None)
        self._surplus = got.surplus
        await self._leave_surplus()
        return bool(got.gained)

    async def _release(self, job_ids: Sequence[str] | None) -> None:
        self._book.note_changes(await self._book.writer.write(lambda store: store.release(job_ids)).wait())

    async def _leave_surplus(self) -> None:
        """Leave to others what is held too much, as far as it is idle just now."""
        soon = self._book.clock.now() + _SOON
        idle = {job_id for job_id in self._surplus if self._is_idle(job_id, soon)}
        if idle:
            self._surplus = [job_id for job_id in self._surplus if job_id not in idle]
            with trio.CancelScope(shield=True):  # what was left is to be known
                await self._release(list(idle))

    def _is_idle(self, job_id: str, soon: int) -> bool:
        """Whether nothing happens with the job just now."""
        entry = self._book.entry(job_id)
        return entry is None or (entry.is_idle and not _fires_by(soon, entry.job))


def _fires_by(instant: int, job: Job) -> bool:
    return job.is_active and job.next_due is not None and job.next_due <= instant
