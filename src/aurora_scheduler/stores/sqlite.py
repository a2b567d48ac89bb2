"""The SQLite store: a file (in WAL mode) or memory. Synchronous; belongs to the thread that opens it.

Every writing transaction, in whichever process, is made under one file lock, connections are closed under it, and only
the owner checkpoints: SQLite before 3.51.3 can damage a write-ahead log that two connections reset at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from aurora_scheduler.errors import JobExistsError, OptionError, StoreCorruptError, StoreError, shown
from aurora_scheduler.logs import logger
from aurora_scheduler.model import Change, Commit, Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.ports import Computed, Nearest, Notes, Snapshot, Stale
from aurora_scheduler.stores import listing, locks, renaming, retention, surveys
from aurora_scheduler.stores.alone import Alone
from aurora_scheduler.stores.blocks import Block
from aurora_scheduler.stores.checkpoints import Checkpoints
from aurora_scheduler.stores.creating import heard_of, insert_all, next_generation
from aurora_scheduler.stores.damaged import DamagedJob, RowReader, fetched
from aurora_scheduler.stores.decisions import write_all, write_change, write_one
from aurora_scheduler.stores.faults import is_taken, translated
from aurora_scheduler.stores.files import Place, copy_to, look_at, looked_at
from aurora_scheduler.stores.locks import FileLock, NoLock
from aurora_scheduler.stores.migrations import inspect, migrate
from aurora_scheduler.stores.rows import CHANGE_COLUMNS, job_row
from aurora_scheduler.stores.snapshots import nearest, snapshots_of
from aurora_scheduler.stores.statements import INSERT_JOB, SAVE_JOB, SELECT_EXECUTION, SELECT_JOB
from aurora_scheduler.stores.tables import SqliteTables

__all__ = ["SqliteStore"]

_log = logger("store")

#: How much of the database, in KiB, is kept in memory at most. With SQLite's own 2,000 a transaction of a thousand
#: firings does not fit: half-done pages are written, and read again.
_CACHE = 32_000


class SqliteStore(Alone):
    """Jobs, executions and job changes in an SQLite database. See `aurora_scheduler.ports.Store` for the verbs.

    `durability` is "full" (a commit survives a power cut) or "normal" (a power cut may take back the last ones; the
    death of the process does not).
    """

    def __init__(self, path: str, *, durability: str = "full", reading: bool = False) -> None:
        if durability not in ("full", "normal"):
            raise OptionError("durability", durability, 'must be "full" or "normal"')
        self.path = path
        self.notes = Notes()
        self.in_memory = path == ":memory:"
        self._durability = durability
        self._reading = reading
        self._sql: sqlite3.Connection | None = None
        self._rows = RowReader(path)
        # Beside the file itself, whatever link it is reached by: who uses another name must meet the same locks.
        beside = path if self.in_memory else os.path.realpath(path)
        self._write_lock = NoLock() if self.in_memory else FileLock(f"{beside}-aurora.lock")
        self._owner_lock = NoLock() if self.in_memory else FileLock(f"{beside}-aurora.owner")
        self._is_owner = False
        #: The numbers of changes that the engine here made itself, or hears of, as far as they were not looked at yet.
        self._known: set[int] = set()
        #: What was noted before each of the savepoints that are open.
        self._outer_notes: list[Notes] = []
        self._place = Place(path, beside)
        self._checkpoints = Checkpoints(beside)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path!r}{' (owner)' * self._is_owner}>"

    # -- opening and closing ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, and bring the schema up to date; a file that is not ours to write is refused untouched."""
        if not self.in_memory:
            look_at(self.path)
        try:
            with translated(self.path):
                if self._reading:
                    self._sql = self._connect()
                    self._place.remember()
                    return
                look = nullcontext() if self.in_memory else looked_at(self.path, lambda sql: inspect(sql, self.path))
                with self._write_lock, look:
                    self._sql = self._connect()
                    try:
                        self._prepare(self._sql)
                    except BaseException:
                        self._sql.close()
                        self._sql = None
                        raise
            self._place.remember()
        except BaseException:
            self._write_lock.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=locks.PATIENCE, isolation_level=None, cached_statements=256)

    def _prepare(self, sql: sqlite3.Connection) -> None:
        if inspect(sql, self.path):
            sql.execute("BEGIN IMMEDIATE")
            try:
                migrate(sql, self.path)
                sql.execute("COMMIT")
            except BaseException:
                if sql.in_transaction:
                    sql.execute("ROLLBACK")
                raise
        if not self.in_memory:  # last: from here on the file is ours
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA wal_autocheckpoint = 0")
            sql.execute(f"PRAGMA synchronous = {self._durability}")
            sql.execute(f"PRAGMA cache_size = -{_CACHE}")
            sql.execute("SELECT 1 FROM sqlite_master").fetchone()  # now there is a log

    def reader(self) -> SqliteStore | None:
        """A connection for another thread to read with; a database in memory has only the one."""
        return None if self.in_memory else SqliteStore(self.path, reading=True)

    def close(self) -> None:
        """Let go of the database and the locks. The last close checkpoints, so it is made under the write lock.

        Where that cannot be had, the owner's is given back all the same, and the connection is for the next try.
        """
        try:
            if self._sql is not None:
                if not (is_in_place := self._is_in_place()):  # then SQLite itself neither moves nor removes the log
                    self._save_what_is_logged()
                with translated(self.path), self._write_lock if is_in_place else nullcontext():
                    self._sql.close()
                    self._sql = None
        finally:
            self.disown()
            self._owner_lock.close()
            self._write_lock.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._sql is None:
            raise StoreError(self.path, "it is closed")
        if self._reading:
            self._see_that_it_is_there()
        return self._sql

    # -- transactions and ownership -----------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[None]:
        """One writing transaction under the write lock."""
        return Block(self._begin, self._end)

    def _begin(self) -> None:
        sql = self._connection
        try:
            self._write_lock.lock(locks.PATIENCE)
        except StoreError:
            self._see_that_it_is_there()  # where the directory is gone, the lock is, too
            raise
        try:
            with translated(self.path):
                self._see_that_it_is_there()
                self._see_that_it_is_ours()
                if self._is_owner and not self.in_memory:  # now, and not before the last one was answered
                    self._checkpoints.look(sql, self._place.log_size)
                sql.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._write_lock.unlock()
            raise
        self.notes.must_last = False

    def _end(self, error: BaseException | None) -> None:
        try:
            sql = self._connection
            with translated(self.path):
                try:
                    if error is not None:
                        raise error
                    sql.execute("COMMIT")
                    self._known |= self.notes.known
                except BaseException:
                    self.notes = Notes()
                    if sql.in_transaction:
                        sql.execute("ROLLBACK")
                    raise
                if self.notes.must_last and self._durability != "full" and not self.in_memory:
                    self._place.write_through()
        finally:
            self._write_lock.unlock()

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that can fail alone."""
        return Block(self._begin_part, self._end_part)

    def _begin_part(self) -> None:
        self._connection.execute("SAVEPOINT alone")
        self._outer_notes.append(self.notes)
        self.notes = Notes()

    def _end_part(self, error: BaseException | None) -> None:
        sql = self._connection
        outer, notes = self._outer_notes.pop(), self.notes
        self.notes = outer
        if error is None:
            sql.execute("RELEASE alone")
            outer.add(notes)
            return
        with translated(self.path):
            if sql.in_transaction:
                sql.execute("ROLLBACK TO alone")
                sql.execute("RELEASE alone")
            raise error

    def _see_that_it_is_there(self) -> None:
        """Raise where the file is not found under its name any more, or another one is.

        SQLite itself says nothing of it, and goes on with a file that nobody finds.
        """
        if self._is_in_place():
            return
        self._save_what_is_logged()
        raise StoreError(self.path, self._place.loss())

    def _save_what_is_logged(self) -> None:
        """What is in the log belongs to the file that was taken away; it would be lost, or mixed with another's."""
        if self._is_owner and self._sql is not None:
            with suppress(StoreError, sqlite3.Error), self._write_lock:
                self._checkpoints.move(self._sql, shortens=True, patience=1.0)

    def _is_in_place(self) -> bool:
        return self.in_memory or self._place.is_kept()

    def own(self, owner: str, tags: frozenset[str] = frozenset()) -> bool:
        """Try to become the one owner of the file: a lock that dies with this process."""
        if not self._is_owner and self._owner_lock.try_lock():
            self._owner_lock.write(f"{owner} {os.getpid()}\n")
            self._is_owner = True
        return self._is_owner

    def _see_that_it_is_ours(self) -> None:
        """An owner whose lock file was deleted takes the lock anew, under the write lock; or learns that it is late."""
        if not self._is_owner or self._owner_lock.is_in_place():
            return
        self._is_owner = self._owner_lock.try_lock()
        if not self._is_owner:
            raise StoreError(self.path, "its lock file was deleted, and another scheduler has become its owner since")
        _log.warning("the lock file of %s was deleted; it was made anew: leave it there", self.path)

    def disown(self) -> None:
        """Let another process become the owner."""
        if self._is_owner:
            self._is_owner = False
            self._owner_lock.unlock()

    # -- writing ------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit, *, is_known: bool = False) -> None:
        """Write one decision: the job's state, rows moved and new, a line of its history."""
        number = write_one(self._connection, commit)
        self.notes.note([commit])
        self._note_change(commit.change, number, is_known=is_known)

    def commit_all(self, commits: Sequence[Commit]) -> None:
        """Write decisions of the engine here, all or none."""
        numbers = write_all(self._connection, commits)
        self.notes.note(commits)
        self.notes.known.update(numbers)
        self.notes.changes += [commit.change for commit in commits if commit.change is not None]

    def commit_alone(self, commits: Sequence[Commit]) -> None:
        """The same, in a transaction of their own."""
        with self.transaction():
            self.commit_all(commits)

    def insert(self, job: Job) -> None:
        """Add a job."""
        try:
            self._connection.execute(INSERT_JOB, job_row(job))
        except sqlite3.IntegrityError as error:
            if not is_taken(error):
                raise
            raise JobExistsError(job.id) from error
        self.notes.touched[job.id] = None

    def insert_all(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        """Add jobs of whose ids there is nothing yet, and a line of history each."""
        numbers = insert_all(self._connection, jobs, changes)
        self.notes.touched.update(dict.fromkeys(job.id for job in jobs))
        if self._is_owner:
            self.notes.known.update(numbers)
        self.notes.changes += changes

    def heard_of(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids of which there is a job, or the history of one."""
        return heard_of(self._connection, job_ids)

    def replace(self, job: Job) -> None:
        """Write definition and state over the version before."""
        self._refuse_damaged(job)
        where = (job.id, job.generation, job.version - 1)
        if self._connection.execute(SAVE_JOB, (*job_row(job), *where)).rowcount != 1:
            raise Stale(job.id)
        self.notes.touched[job.id] = None

    def rename(self, before: Job, after: Job) -> None:
        """Write the job under another id, its history with it."""
        self._refuse_damaged(before)
        renaming.rename(self._connection, before, after)
        self.notes.touched.update({before.id: None, after.id: None})

    def _refuse_damaged(self, job: Job) -> None:
        if isinstance(job, DamagedJob):
            raise StoreCorruptError(self.path, f"job {shown(job.id)} cannot be edited: {job.damage}")

    def remove(self, job: Job) -> None:
        """Delete the job's row; executions and changes stay."""
        deleted = self._connection.execute(
            "DELETE FROM aurora_jobs WHERE id = ? AND generation = ? AND version = ?",
            (job.id, job.generation, job.version),
        )
        if deleted.rowcount != 1:
            raise Stale(job.id)
        self.notes.touched[job.id] = None

    def record(self, change: Change) -> None:
        """Add a line to the job's own history; its number tells other processes what to load anew."""
        self._note_change(change, write_change(self._connection, change), is_known=False)

    def _note_change(self, change: Change | None, number: int | None, *, is_known: bool) -> None:
        if change is None or number is None:
            return
        if not is_known:
            self.notes.touched[change.job_id] = None
        if is_known or self._is_owner:  # the engine here hears of what is touched, and need not be told twice
            self.notes.known.add(number)
        self.notes.changes.append(change)

    def next_generation(self, job_id: str) -> int:
        """One more than any job, execution or change of this id has."""
        with translated(self.path):
            return next_generation(self._connection, job_id)

    # -- reading ------------------------------------------------------------------------------------------------

    def snapshot(self, job_id: str) -> Snapshot | None:
        """The job with its open rows, as of one transaction."""
        return self.snapshots_of([job_id])[0]

    def snapshots_of(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """Those of these jobs, as of one transaction."""
        with translated(self.path):
            return snapshots_of(self._connection, self._rows, job_ids)

    def nearest(self, most: int) -> Nearest:
        """The jobs that need looking after, as of one transaction."""
        with translated(self.path):
            return nearest(self._connection, most)

    def computed_with(self) -> Collection[Computed]:
        """With what data of which zones next firings were computed."""
        with translated(self.path):
            return surveys.computed_with(self._connection)

    def jobs_computed_with(self, data: Computed) -> list[str]:
        """The ids of those jobs, what fires first first."""
        with translated(self.path):
            return surveys.jobs_computed_with(self._connection, data)

    def latest(self) -> int:
        """The latest instant at which an active job was changed, or ran."""
        with translated(self.path):
            return surveys.latest(self._connection)

    def orphans(self, owner: str) -> list[tuple[Execution, int]]:
        """Attempts another owner began and did not end, oldest first, each with its firing's earlier lost ones."""
        with translated(self.path):
            rows = fetched(
                self._connection,
                f"{SELECT_EXECUTION} WHERE status IN ('running', 'cancelling') AND owner IS NOT ? ORDER BY id",
                (owner,),
            )
            return [(row, surveys.deaths(self._connection, row)) for row in self._rows.open_executions(rows)]

    def cancelling(self) -> Mapping[str, str]:
        """Executions that are to be cancelled, and why."""
        with translated(self.path):
            return dict(
                fetched(self._connection, "SELECT id, reason FROM aurora_executions WHERE status = 'cancelling'")
            )

    def job(self, job_id: str) -> Job | None:
        """The job, or None."""
        with translated(self.path):
            rows = fetched(self._connection, f"{SELECT_JOB} WHERE id = ?", (job_id,))
        return next(iter(self._rows.jobs(rows)), None)

    def jobs(
        self, status: JobStatus | None = None, tag: str | None = None, limit: int = -1, after: Job | None = None
    ) -> list[Job]:
        """The jobs, in the order in which they were made."""
        with translated(self.path):
            rows = listing.jobs(self._connection, status, tag, limit, after)
        return self._rows.jobs(rows)

    def execution(self, execution_id: str) -> Execution | None:
        """The execution, or None."""
        with translated(self.path):
            rows = fetched(self._connection, f"{SELECT_EXECUTION} WHERE id = ?", (execution_id,))
        return next(iter(self._rows.executions(rows)), None)

    def executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | None = None,
        limit: int = 100,
        before: str | int | None = None,
    ) -> list[Execution]:
        """Executions, newest first."""
        with translated(self.path):
            rows = listing.executions(self._connection, job_id, status, limit, before)
        return self._rows.executions(rows)

    def is_recorded(self, job_id: str, generation: int, scheduled: int) -> bool:
        """Whether this firing has a record."""
        with translated(self.path):
            row = self._connection.execute(
                "SELECT 1 FROM aurora_executions WHERE job_id = ? AND generation = ? AND scheduled = ?",
                (job_id, generation, scheduled),
            ).fetchone()
        return row is not None

    def recorded(self, job: Job, first: int, last: int) -> list[Execution]:
        """The job's rows of these instants."""
        with translated(self.path):
            rows = fetched(
                self._connection,
                f"{SELECT_EXECUTION} WHERE job_id = ? AND generation = ? AND scheduled <= ? AND last_scheduled >= ?",
                (job.id, job.generation, last, first),
            )
        return self._rows.executions(rows)

    def changes_of(self, job: Job) -> list[Change]:
        """The job's own history."""
        select = f"SELECT {CHANGE_COLUMNS} FROM aurora_job_changes"
        with translated(self.path):
            rows = fetched(
                self._connection,
                f"{select} WHERE job_id = ? AND generation = ? ORDER BY number",
                (job.id, job.generation),
            )
        return self._rows.changes(rows)

    def last_change(self) -> int:
        """The last change's number; 0 where there is none."""
        with translated(self.path):
            (number,) = self._connection.execute("SELECT coalesce(max(number), 0) FROM aurora_job_changes").fetchone()
        return int(number)

    def changes_since(self, number: int) -> tuple[int, Sequence[str]]:
        """The last change's number, and the jobs changed after `number`, each once."""
        select = "SELECT number, job_id FROM aurora_job_changes WHERE number > ? ORDER BY number"
        with translated(self.path):
            rows = fetched(self._connection, select, (number,))
        ids = dict.fromkeys(job_id for one, job_id in rows if isinstance(job_id, str) and one not in self._known)
        if rows:
            self._known = {one for one in self._known if one > rows[-1][0]}
        return (rows[-1][0] if rows else number), list(ids)

    # -- retention and backup -----------------------------------------------------------------------------------

    def crowded(self, keep: int, after: str, most: int) -> tuple[list[str], str | None]:
        """Jobs with more than `keep` rows, among the next ones."""
        with translated(self.path):
            return retention.crowded(self._connection, keep, after, most)

    def fired_since(self, row: str, share: int) -> list[str]:
        """The jobs of one in `share` of the rows newer than `row`."""
        with translated(self.path):
            return retention.fired_since(self._connection, row, share)

    def prune_job(self, job_id: str, keep: int, most: int) -> int:
        """Delete final rows of the job beyond the newest `keep`."""
        return retention.prune_job(self._connection, job_id, keep, most)

    def prune_before(self, instant: int, most: int) -> int:
        """Delete what is final and older than `instant`."""
        return retention.prune_before(self._connection, instant, most)

    @property
    def tables(self) -> SqliteTables:
        """All rows, as they stand."""
        return SqliteTables(self._connection, self.path)

    def backup(self, path: str) -> None:
        """Copy the database, as it is now, to a new file, while others go on."""
        copy_to(path, self._connection)
