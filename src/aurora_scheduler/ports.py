"""What the engine needs of the world: a clock, a store, and a writer that owns the store's thread.

The engine and the stores see only these protocols, never each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from aurora_scheduler.errors import StoreUnavailableError
from aurora_scheduler.model import Change, Commit, Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.tickets import Ticket

__all__ = [
    "AlreadyRecorded",
    "Clock",
    "Computed",
    "Decision",
    "Fenced",
    "InDoubt",
    "Listener",
    "Nearest",
    "NotYet",
    "Notes",
    "Refused",
    "Share",
    "Snapshot",
    "Stale",
    "Store",
    "Writer",
]

T = TypeVar("T")


class Timer(Protocol):
    """Rings when it is told to."""

    def arm(self, at: float) -> None:
        """Ring at this moment of the monotonic clock, and at no other; infinity: never. Also while it is waited for."""
        ...

    async def wait(self) -> None:
        """Wait until it rings; it may do so early."""
        ...


class Clock(Protocol):
    """The only source of time and of ids."""

    def now(self) -> int:
        """The wall clock's instant: microseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, by a clock that nobody sets: for durations."""
        ...

    def timer(self) -> AbstractContextManager[Timer]:
        """Within it: a timer that rings by the monotonic clock."""
        ...

    def watched(self) -> AbstractContextManager[Callable[[], Awaitable[object]]]:
        """Within it: what to await until the wall clock was set, or the machine has slept; at most a second late.

        It may return where nothing of the kind was; what happens while nobody awaits it is told the next time.
        """
        ...

    def new_id(self) -> str:
        """An id that no one else has; later ids sort after earlier ones."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job and its open rows as they stood in one transaction."""

    job: Job
    open: tuple[Execution, ...] = ()


class Computed(NamedTuple):
    """With what the next firing of a job was computed."""

    timezone: str
    zone_data: str | None
    schedule_type: str


@dataclass(frozen=True, slots=True)
class Nearest:
    """Which jobs need looking after, as it stood in one transaction."""

    job_ids: Sequence[str]
    """Those with open rows, those that fire first, and those that are unresolved."""
    until: int | None = None
    """The next firing of the last of those that fire; None: there is none beside them."""


@dataclass(frozen=True, slots=True)
class Share:
    """What has become of a process's share of the jobs, where several fire them beside each other."""

    gained: Sequence[str] = ()
    """The jobs that it is to look after from now on."""
    surplus: Sequence[str] = ()
    """Those that it has too much, and had better leave."""
    someone_died: bool = False
    """Whether there may be attempts of others who are gone."""
    since: str = ""
    """Since when it has taken part; another time than before: it was taken for gone itself, and had nothing."""


@dataclass(slots=True)
class Notes:
    """What a transaction did that others want to hear of once it is committed."""

    touched: dict[str, None] = field(default_factory=dict)
    """The ids of jobs that were changed by a call, in order."""
    rows: list[Execution] = field(default_factory=list)
    """The rows that were written, in order."""
    changes: list[Change] = field(default_factory=list)
    """What else happened to jobs."""
    known: set[int] = field(default_factory=set)
    """The numbers of changes that the engine here made itself, or hears of by what is `touched`."""
    numbers: list[int] = field(default_factory=list)
    """The numbers of all changes, in order; where others are told of them."""
    must_last: bool = False
    """Whether some of it must not be taken back by a power cut."""

    @property
    def ended(self) -> list[Execution]:
        """The rows that became final."""
        return [row for row in self.rows if row.status.is_final]

    def note(self, commits: Iterable[Commit]) -> None:
        """These were written."""
        for commit in commits:
            self.must_last = self.must_last or commit.must_last
            self.rows += commit.moved
            self.rows += commit.new

    def add(self, others: Notes) -> None:
        """And these, of a part of the transaction."""
        self.touched.update(others.touched)
        self.rows += others.rows
        self.changes += others.changes
        self.known |= others.known
        self.numbers += others.numbers
        self.must_last = self.must_last or others.must_last


class Refused(Exception):
    """A commit that does not fit what is stored. Nothing of it was written; decide again on what is so now.

    `keys` are, of many that were written together, the jobs or executions that it is about, where that is known.
    """

    def __init__(self, told: str, keys: Collection[str] = ()) -> None:
        super().__init__(told)
        self.keys = frozenset(keys)


class Stale(Refused):
    """The job was changed, or deleted, since the decision."""


class Fenced(Refused):
    """The execution is final already, or another owner's."""


class AlreadyRecorded(Refused):
    """This attempt at this firing has its record already."""


class NotYet(Exception):
    """It is to be done in so many microseconds: a firing of the job, which is claimed ahead, begins before."""

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


class InDoubt(StoreUnavailableError):
    """The connection was lost before the answer to a commit: whether it took effect is not known."""


class Decision(NamedTuple):
    """A commit of whoever fires the jobs here, and what is to be done about it."""

    commit: Commit
    check: Callable[[Store], object] | None
    """Called before it is written; raises where it does not fit."""
    then: Callable[[BaseException | None], object]
    """Called with the error or None once it is committed, in whichever thread."""
    take: Callable[[], bool] | None = None
    """Called before it is begun with: False where it is not wanted any more. None: it is in any case."""


class Listener(Protocol):
    """Hears when others change something. Belongs to one thread, but for `open`, which takes its time."""

    def open(self) -> None:
        """Begin to listen. Raises `StoreError`."""
        ...

    def fileno(self) -> int:
        """The descriptor that can be read from when there is something to hear."""
        ...

    def heard(self) -> list[str]:
        """What there was, now that it can be read from. Raises `StoreUnavailableError` at the end."""
        ...

    def close(self) -> None:
        """Listen no more; what is closed may be opened again."""
        ...


class Store(Protocol):
    """A database of jobs, executions and job changes. Synchronous; belongs to one thread.

    It knows uniqueness, versions and fencing, and no policies: what it is given to write is decided already.
    """

    notes: Notes
    is_shared: bool
    """Whether several processes fire the jobs beside each other, each its share; else there is one owner of all."""

    def open(self) -> None:
        """Connect, and bring the schema up to date. Raises `StoreError` where the database cannot be used."""
        ...

    def close(self) -> None:
        """Let go of everything. A second close does nothing."""
        ...

    def reader(self) -> Store | None:
        """A second connection for reading, to be opened in another thread; None where there can be only one."""
        ...

    def listener(self) -> Listener | None:
        """What hears of changes that others make; None where there is nothing to hear."""
        ...

    def news(self) -> Listener | None:
        """What hears of all that others write, in texts for `read_news`; None where there is nothing to hear."""
        ...

    def read_news(self, text: str) -> tuple[list[Execution], list[Change]]:
        """The rows that it tells of, as they are now, and what else happened to jobs."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Write within it: all is committed at its end, or nothing."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Within a transaction: what fails inside is undone alone."""
        ...

    def own(self, owner: str, tags: frozenset[str] = frozenset()) -> bool:
        """Try to become the one owner, or one of those that share the jobs; False while another has them all.

        Of jobs that name a tag one that shares them has those that name one of his.
        """
        ...

    def disown(self) -> None:
        """Cease to be the owner, or leave one's share to the others."""
        ...

    def share(self, *, takes: bool = True) -> Share:
        """Say that this process lives, see whether the others do, and take what it has too little of.

        In a transaction. Where the jobs are not shared nothing comes of it. Unless it `takes`, it is about to leave.
        """
        ...

    def concerns(self, number: int) -> bool:
        """Whether, after that change, there was one of a job that no other process holds, or a job is there to take.

        Or somebody has begun to listen to what is written here.
        """
        ...

    def release(self, job_ids: Sequence[str] | None) -> list[str]:
        """Leave these jobs to others, as far as nothing of them runs or waits; which.

        None: all of which nothing runs.
        """
        ...

    def refuse(self, job: Job) -> list[str]:
        """Leave a job that cannot run here, and those like it, to others who can; which: none where nobody can."""
        ...

    def accept(self, job: Job) -> None:
        """What could not run here now can."""
        ...

    def held(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `snapshots_of`, of those jobs that this process is to look after; None for all others."""
        ...

    def commit(self, commit: Commit, *, is_known: bool = False) -> None:
        """Write one decision. Raises `Stale`, `Fenced` or `AlreadyRecorded`.

        With `is_known` whoever fires the jobs here has decided it himself, and is not told.
        """
        ...

    def commit_all(self, commits: Sequence[Commit]) -> None:
        """Write decisions of whoever fires the jobs here, all of them or none.

        Raises `Refused` where one does not fit; what was written before that is to be taken back.
        """
        ...

    def commit_alone(self, commits: Sequence[Commit]) -> None:
        """As `commit_all`, in a transaction of their own."""
        ...

    def insert(self, job: Job) -> None:
        """Add a job. Raises `JobExistsError`."""
        ...

    def insert_all(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        """Add jobs of whose ids there is nothing yet, and what is to be said of each in its history."""
        ...

    def heard_of(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids of which there is a job, or the history of one."""
        ...

    def replace(self, job: Job) -> None:
        """Write a job's definition and state over the version before it. Raises `Stale`."""
        ...

    def rename(self, before: Job, after: Job) -> None:
        """Write a job under another id and generation over the version before it; its history goes with it.

        Raises `Stale`; `JobExistsError` where that id is taken.
        """
        ...

    def remove(self, job: Job) -> None:
        """Delete a job's row; its history stays. Raises `Stale`."""
        ...

    def record(self, change: Change) -> None:
        """Add a line to a job's own history."""
        ...

    def next_generation(self, job_id: str) -> int:
        """One more than any job of this id has had."""
        ...

    def snapshot(self, job_id: str) -> Snapshot | None:
        """The job and its open rows, or None."""
        ...

    def snapshots_of(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """The job and its open rows, or None, for each of the ids, all of one moment."""
        ...

    def nearest(self, most: int) -> Nearest:
        """The jobs that need looking after; of the active ones that only wait to fire, the `most` that do first."""
        ...

    def computed_with(self) -> Collection[Computed]:
        """With what data of which zones the next firings of unfinished jobs were computed."""
        ...

    def jobs_computed_with(self, data: Computed) -> list[str]:
        """The ids of those jobs, what fires first first."""
        ...

    def latest(self) -> int:
        """The latest instant at which an active job was changed, or ran; 0 where there is none."""
        ...

    def orphans(self, owner: str) -> list[tuple[Execution, int]]:
        """Attempts that run under another owner, who is gone; each with how many of its firing were lost before."""
        ...

    def cancelling(self) -> Mapping[str, str]:
        """The ids of the executions that were marked to be cancelled and have not ended, each with the reason."""
        ...

    def job(self, job_id: str) -> Job | None:
        """The job, or None."""
        ...

    def jobs(
        self, status: JobStatus | None = None, tag: str | None = None, limit: int = -1, after: Job | None = None
    ) -> list[Job]:
        """The jobs, in the order in which they were made; at most `limit` (-1: all), of those made after `after`."""
        ...

    def execution(self, execution_id: str) -> Execution | None:
        """The execution, or None."""
        ...

    def executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | None = None,
        limit: int = 100,
        before: str | int | None = None,
    ) -> list[Execution]:
        """Executions, newest first; `before` is an execution's id or an instant."""
        ...

    def is_recorded(self, job_id: str, generation: int, scheduled: int) -> bool:
        """Whether this firing has a record."""
        ...

    def recorded(self, job: Job, first: int, last: int) -> list[Execution]:
        """The job's rows that stand for an instant from `first` to `last`, ranges included."""
        ...

    def changes_of(self, job: Job) -> list[Change]:
        """What is known of the job's own history, oldest first."""
        ...

    def last_change(self) -> int:
        """The number of the last change there is."""
        ...

    def changes_since(self, number: int) -> tuple[int, Sequence[str]]:
        """The number of the last change there is, and the ids of the jobs changed after `number`.

        Without what was known here when it was committed.
        """
        ...

    def crowded(self, keep: int, after: str, most: int) -> tuple[list[str], str | None]:
        """Of `most` jobs with ids after `after`: those with more than `keep` rows; and where to go on, or None."""
        ...

    def fired_since(self, row: str, share: int) -> list[str]:
        """The jobs, of those that are held here, of one in `share` of the rows newer than `row`: the same each time."""
        ...

    def prune_job(self, job_id: str, keep: int, most: int) -> int:
        """Delete at most `most` of the job's oldest final rows beyond the newest `keep`; how many it were."""
        ...

    def prune_before(self, instant: int, most: int) -> int:
        """Delete at most `most` final rows, finished jobs and changes that are older than `instant`; how many."""
        ...

    def backup(self, path: str) -> None:
        """Copy the whole database, as it is now, to a new file."""
        ...


class Writer(Protocol):
    """The async face of a store: work handed in is done in the store's own thread, writes in groups."""

    def write(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work` in a transaction, with whatever else is queued; it fails alone."""
        ...

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions, with whatever else is queued; each fails alone."""
        ...

    def read(self, work: Callable[[Store], T]) -> Ticket[T]:
        """Do `work`, which only reads, beside the writes."""
        ...

    def close(self) -> None:
        """Take no more work, do what is queued, and close the store."""
        ...
