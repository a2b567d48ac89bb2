"""The PostgreSQL store. Synchronous; belongs to the thread that opens it.

Any number of processes fire the jobs of a database beside each other, each those that it holds. Writing transactions
are made one after the other, as in a file, so that what others read of the changes is without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from aurora_scheduler.errors import OptionError, StoreCorruptError, StoreError, StoreUnavailableError, shown
from aurora_scheduler.model import Change, Commit, Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.ports import Computed, InDoubt, Nearest, Notes, Share, Snapshot, Stale
from aurora_scheduler.stores.blocks import Block
from aurora_scheduler.stores.damaged import DamagedJob, RowReader
from aurora_scheduler.stores.postgres import reading, retention, writing
from aurora_scheduler.stores.postgres.addresses import place_of
from aurora_scheduler.stores.postgres.commits import (
    Witness,
    asked_patiently,
    became,
    is_written,
    life,
    witness_of,
)
from aurora_scheduler.stores.postgres.connection import Connection
from aurora_scheduler.stores.postgres.copying import PostgresTables, copy_to
from aurora_scheduler.stores.postgres.listening import NOTIFY, PostgresListener, hear_changes
from aurora_scheduler.stores.postgres.news import begin_to_hear, read_news, tell_news
from aurora_scheduler.stores.postgres.nodes import LOCK_WRITER, Node
from aurora_scheduler.stores.postgres.schema import migrate
from aurora_scheduler.stores.postgres.statements import SELECT_EXECUTION, SELECT_JOB
from aurora_scheduler.stores.rows import CHANGE_COLUMNS

__all__ = ["PostgresStore"]

_TO_FIRE = "FROM aurora_jobs WHERE status != 'finished' AND next_fire IS NOT NULL"


class PostgresStore:
    """Jobs, executions and job changes in a PostgreSQL database. See `aurora_scheduler.ports.Store` for the verbs.

    `durability` is "full" (a commit is answered as the server's `synchronous_commit` says) or "normal" (a crash of the
    server may take back the last ones; the claims of jobs that run at most once are as with "full").
    """

    in_memory = False
    is_shared = True

    def __init__(self, url: str, *, durability: str = "full", reads_for: Node | None = None) -> None:
        if durability not in ("full", "normal"):
            raise OptionError("durability", durability, 'must be "full" or "normal"')
        self._url = url
        self._durability = durability
        self._has_news = False
        #: What it is called where people read it: without a password.
        self.path = place_of(url)
        self.notes = Notes()
        self._reads = reads_for is not None
        self._node = reads_for or Node()
        self._connection: Connection | None = None
        self._is_open = False
        self._rows = RowReader(self.path)
        self._is_writing = False
        #: Which transaction is being written: by its number the server knows what became of it.
        self._transaction = ""
        #: In which of its lives the server was when we connected.
        self._life = ""
        #: The numbers of changes that the engine here made itself, as far as they were not looked at yet.
        self._known: set[int] = set()
        #: What was noted before each of the savepoints that are open.
        self._outer_notes: list[Notes] = []

    def __repr__(self) -> str:
        return f"<PostgresStore {self.path!r}{' (node)' * (self._node.id is not None)}>"

    # -- opening and closing ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, and bring the schema up to date."""
        connection = Connection(self._url, self.path, keeps_plans=not self._reads)
        try:
            if not self._reads:
                migrate(connection, self.path)
                self._know(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._is_open = connection, True

    def reader(self) -> PostgresStore:
        """A connection for another thread to read with."""
        return PostgresStore(self._url, durability=self._durability, reads_for=self._node)

    def close(self) -> None:
        """Let go of the connection, and with it of the node's lock."""
        connection, self._connection, self._is_open = self._connection, None, False
        if connection is not None:
            connection.close()
        if not self._reads:
            self._node.id = None

    @property
    def _sql(self) -> Connection:
        if not self._is_open:
            raise StoreError(self.path, "it is closed")
        if self._connection is None or self._connection.is_lost:
            if self._is_writing:  # what comes next would be written without what came before
                raise StoreUnavailableError(self.path, "the connection was lost amid a transaction")
            self._reconnect()
            assert self._connection is not None
        return self._connection

    def _reconnect(self) -> None:
        lost, self._connection = self._connection, None
        connection = Connection(self._url, self.path, keeps_plans=not self._reads)
        try:
            if lost is not None:  # which the server may not have noticed
                connection.end(lost.identity)
            if not self._reads:
                self._node.lock_anew(connection)
                self._know(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _know(self, connection: Connection) -> None:
        """What is to be known of a connection that is written by."""
        self._life = life(connection)
        self._node.backends.add(connection.backend)

    def listener(self) -> PostgresListener:
        """A connection more, which hears what others change."""
        return PostgresListener(self._url, self.path, hear_changes)

    def news(self) -> PostgresListener:
        """A connection more, which hears of all that others write."""
        return PostgresListener(self._url, self.path, begin_to_hear, self._node.backends)

    def read_news(self, text: str) -> tuple[list[Execution], list[Change]]:
        """What it tells of."""
        return read_news(self._sql, self._rows, text)

    # -- transactions and ownership -----------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[None]:
        """One writing transaction; others wait until it is over."""
        return Block(self._begin, self._end)

    def _begin(self) -> None:
        sql = self._sql
        lazily = [] if self._durability == "full" else ["SET LOCAL synchronous_commit = off"]
        try:
            self._transaction, _ = sql.begin(*lazily, f"SELECT pg_current_xact_id()::text, ({LOCK_WRITER})::text")
        except BaseException:
            self._roll_back()
            raise
        self._is_writing, self._has_news, self.notes.must_last = True, False, False

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is not None:
                raise error
            self._commit()
            self._known |= self.notes.known
        except BaseException:
            self.notes = Notes()
            self._roll_back()
            raise
        finally:
            self._is_writing = False

    def _commit(self) -> None:
        sql = self._sql
        before = ["SET LOCAL synchronous_commit = on"] if self.notes.must_last and self._durability != "full" else []
        if self.notes.touched or self._has_news:
            before.append(NOTIFY)
        if self._node.is_heard:
            tell_news(sql, self.notes)
        try:
            sql.commit(*before)
        except StoreUnavailableError as error:
            if not sql.is_lost:
                raise
            self._is_writing = False
            begun_in = self._life
            if not self._find_out(error, lambda sql: became(sql, self._transaction, begun_in)):
                raise

    def _find_out(self, lost: StoreUnavailableError, question: Callable[[Connection], bool | None]) -> bool:
        """Whether a commit took effect that was not answered. Raises `InDoubt` where nobody knows."""

        def ask(sql: Connection) -> bool | None:
            sql.find(LOCK_WRITER)  # free when it has ended, in whichever way
            return question(sql)

        answer = asked_patiently(lambda: self._sql, ask)
        if answer is None:
            told = "the connection was lost before a commit was answered; whether it took effect is not known"
            raise InDoubt(self.path, told) from lost
        return answer

    def _roll_back(self, statement: str = "ROLLBACK") -> None:
        if self._connection is not None:  # it may be lost, and its transaction with it
            self._connection.do_quietly(statement)

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the transaction that can fail alone."""
        return Block(self._begin_part, self._end_part)

    def _begin_part(self) -> None:
        self._sql.do("SAVEPOINT alone")
        self._outer_notes.append(self.notes)
        self.notes = Notes()

    def _end_part(self, error: BaseException | None) -> None:
        outer, notes = self._outer_notes.pop(), self.notes
        self.notes = outer
        if error is not None:
            self._roll_back("ROLLBACK TO alone")
            self._roll_back("RELEASE alone")
            raise error
        self._sql.do("RELEASE alone")
        outer.add(notes)

    def own(self, owner: str, tags: frozenset[str] = frozenset()) -> bool:
        """Be one of the nodes: by a lock that dies with the connection."""
        self._node.join(self._sql, owner, tags)
        return True

    def disown(self) -> None:
        """Leave everything to the others."""
        self._has_news = True
        self._node.leave(self._sql)

    def share(self, *, takes: bool = True) -> Share:
        """A sign of life; bury who gives none; a fair share of the jobs."""
        return self._node.share(self._sql, takes=takes)

    def concerns(self, number: int) -> bool:
        """Whether, after that change, there was one of a job that no other process holds, or a job is there to take."""
        return self._node.concerns(self._sql, number)

    def release(self, job_ids: Sequence[str] | None) -> list[str]:
        """Leave these jobs to others, as far as nothing of them runs or waits; or all of which nothing runs: which."""
        self._has_news = True
        return self._node.release(self._sql, job_ids)

    def refuse(self, job: Job) -> list[str]:
        """Leave a job that cannot run here, and those like it, to who can call it; which: none where nobody can."""
        self._has_news = True
        return self._node.refuse(self._sql, job)

    def accept(self, job: Job) -> None:
        """What could not be called here now can."""
        self._node.accept(self._sql, job)

    # -- writing ------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit, *, is_known: bool = False) -> None:
        """Write one decision: the job's state, rows moved and new, a line of its history."""
        numbers = writing.write_decisions(self._sql, [commit], self._node.id if is_known else None)
        self.notes.note([commit])
        self._note_changes([commit.change] if commit.change is not None else (), numbers, is_known=is_known)

    def commit_alone(self, commits: Sequence[Commit]) -> None:
        """Write decisions of the engine here, all or none, and nothing else, in a transaction of their own.

        Others wait for no longer than the server needs: it is told all at once.
        """
        witness = witness_of(commits)
        if witness is not None and not self._node.is_heard and self._commit_at_once(commits, witness):
            return
        with self.transaction():  # and says what does not fit
            self.commit_all(commits)

    def _commit_at_once(self, commits: Sequence[Commit], witness: Witness) -> bool:
        """Whether they were written; else one does not fit."""
        sql, must_last = self._sql, any(commit.must_last for commit in commits)
        lazily = [] if self._durability == "full" or must_last else ["SET LOCAL synchronous_commit = off"]
        numbers: list[int] | None = []
        self._is_writing = True
        try:
            numbers = writing.write_at_once(sql, commits, self._node.id, *lazily, LOCK_WRITER)
        except StoreUnavailableError as error:
            if not sql.is_lost:
                self._roll_back()
                raise
            self._is_writing = False
            if not self._find_out(error, lambda sql: is_written(sql, witness)):
                raise
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._is_writing = False
        if numbers is None:
            return False
        self.notes.note(commits)
        self._note_changes([each.change for each in commits if each.change is not None], numbers, is_known=True)
        self._known |= self.notes.known
        return True

    def commit_all(self, commits: Sequence[Commit]) -> None:
        """Write decisions of the engine here, all or none."""
        numbers = writing.write_decisions(self._sql, commits, self._node.id)
        self.notes.note(commits)
        self._note_changes([each.change for each in commits if each.change is not None], numbers, is_known=True)

    def _note_changes(self, changes: Sequence[Change], numbers: Sequence[int], *, is_known: bool = False) -> None:
        if is_known:
            self.notes.known.update(numbers)
        else:
            self.notes.touched.update(dict.fromkeys(change.job_id for change in changes))
        self.notes.changes += changes
        self.notes.numbers += numbers

    def insert(self, job: Job) -> None:
        """Add a job."""
        writing.add_jobs(self._sql, [job], self._node.taker_of)
        self.notes.touched[job.id] = None

    def insert_all(self, jobs: Sequence[Job], changes: Sequence[Change]) -> None:
        """Add jobs of whose ids there is nothing yet, and a line of history each."""
        writing.add_jobs(self._sql, jobs, self._node.taker_of)
        self.notes.touched.update(dict.fromkeys(job.id for job in jobs))
        self._note_changes(changes, writing.write_changes(self._sql, changes))

    def heard_of(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids of which there is a job, or the history of one."""
        return writing.heard_of(self._sql, job_ids)

    def replace(self, job: Job) -> None:
        """Write definition and state over the version before."""
        self._refuse_damaged(job)
        writing.save_job(self._sql, job, job.id, job.generation)
        self.notes.touched[job.id] = None

    def rename(self, before: Job, after: Job) -> None:
        """Write the job under another id, its history with it."""
        self._refuse_damaged(before)
        writing.rename(self._sql, before, after)
        self.notes.touched.update({before.id: None, after.id: None})

    def _refuse_damaged(self, job: Job) -> None:
        if isinstance(job, DamagedJob):
            raise StoreCorruptError(self.path, f"job {shown(job.id)} cannot be edited: {job.damage}")

    def remove(self, job: Job) -> None:
        """Delete the job's row; executions and changes stay."""
        statement = "DELETE FROM aurora_jobs WHERE id = %s AND generation = %s AND version = %s"
        if self._sql.do(statement, job.id, job.generation, job.version) != 1:
            raise Stale(job.id)
        self.notes.touched[job.id] = None

    def record(self, change: Change) -> None:
        """Add a line to the job's own history; its number tells other processes what to load anew."""
        self._note_changes([change], writing.write_changes(self._sql, [change]))

    def next_generation(self, job_id: str) -> int:
        """One more than any job, execution or change of this id has."""
        return writing.next_generation(self._sql, job_id)

    # -- reading ------------------------------------------------------------------------------------------------

    def snapshot(self, job_id: str) -> Snapshot | None:
        """The job with its open rows, as of one transaction."""
        return self.snapshots_of([job_id])[0]

    def snapshots_of(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """Those of these jobs, as of one transaction."""
        sql = self._sql
        with sql.steady():
            return reading.snapshots_of(sql, self._rows, job_ids)

    def held(self, job_ids: Sequence[str]) -> list[Snapshot | None]:
        """Those of these jobs that this process holds, as of one transaction."""
        sql = self._sql
        with sql.steady():
            held = self._node.held_among(sql, job_ids)
            return [
                found if job_id in held else None
                for job_id, found in zip(job_ids, reading.snapshots_of(sql, self._rows, job_ids), strict=True)
            ]

    def nearest(self, most: int) -> Nearest:
        """The jobs that need looking after, as of one transaction."""
        sql = self._sql
        with sql.steady():
            return reading.nearest(sql, most, self._node.id)

    def computed_with(self) -> Collection[Computed]:
        """With what data of which zones next firings were computed."""
        query = f"SELECT DISTINCT timezone, zone_data, schedule_type {_TO_FIRE}"
        return [Computed(*row) for row in self._sql.find(query)]

    def jobs_computed_with(self, data: Computed) -> list[str]:
        """The ids of those jobs, what fires first first."""
        same = "timezone = %s AND zone_data IS NOT DISTINCT FROM %s AND schedule_type = %s"
        return [job_id for (job_id,) in self._sql.find(f"SELECT id {_TO_FIRE} AND {same} ORDER BY next_fire", *data)]

    def latest(self) -> int:
        """The latest instant at which an active job was changed, or ran."""
        query = "SELECT max(greatest(updated, last_run)) FROM aurora_jobs WHERE status = 'active'"
        ((instant,),) = self._sql.find(query)
        return int(instant or 0)

    def orphans(self, owner: str) -> list[tuple[Execution, int]]:
        """Attempts that others began who are gone, oldest first, each with its firing's earlier lost ones."""
        return reading.orphans(self._sql, self._rows, owner)

    def cancelling(self) -> Mapping[str, str]:
        """Executions that are to be cancelled, and why."""
        rows = self._sql.find("SELECT id, reason FROM aurora_executions WHERE status = 'cancelling'")
        return {row[0]: row[1] for row in rows}

    def job(self, job_id: str) -> Job | None:
        """The job, or None."""
        return next(iter(self._rows.jobs(self._sql.find(f"{SELECT_JOB} WHERE id = %s", job_id))), None)

    def jobs(
        self, status: JobStatus | None = None, tag: str | None = None, limit: int = -1, after: Job | None = None
    ) -> list[Job]:
        """The jobs, in the order in which they were made."""
        return self._rows.jobs(reading.jobs(self._sql, status, tag, limit, after))

    def execution(self, execution_id: str) -> Execution | None:
        """The execution, or None."""
        rows = self._sql.find(f"{SELECT_EXECUTION} WHERE id = %s", execution_id)
        return next(iter(self._rows.executions(rows)), None)

    def executions(
        self,
        job_id: str | None = None,
        status: ExecutionStatus | None = None,
        limit: int = 100,
        before: str | int | None = None,
    ) -> list[Execution]:
        """Executions, newest first."""
        return self._rows.executions(reading.executions(self._sql, job_id, status, limit, before))

    def is_recorded(self, job_id: str, generation: int, scheduled: int) -> bool:
        """Whether this firing has a record."""
        query = "SELECT 1 FROM aurora_executions WHERE job_id = %s AND generation = %s AND scheduled = %s LIMIT 1"
        return bool(self._sql.find(query, job_id, generation, scheduled))

    def recorded(self, job: Job, first: int, last: int) -> list[Execution]:
        """The job's rows of these instants."""
        query = f"{SELECT_EXECUTION} WHERE job_id = %s AND generation = %s AND scheduled <= %s AND last_scheduled >= %s"
        return self._rows.executions(self._sql.find(query, job.id, job.generation, last, first))

    def changes_of(self, job: Job) -> list[Change]:
        """The job's own history."""
        query = f"SELECT {CHANGE_COLUMNS} FROM aurora_job_changes WHERE job_id = %s AND generation = %s ORDER BY number"
        return self._rows.changes(self._sql.find(query, job.id, job.generation))

    def last_change(self) -> int:
        """The last change's number; 0 where there is none."""
        ((number,),) = self._sql.find("SELECT coalesce(max(number), 0) FROM aurora_job_changes")
        return int(number)

    def changes_since(self, number: int) -> tuple[int, Sequence[str]]:
        """The last change's number, and the jobs changed after `number`, each once."""
        query = "SELECT number, job_id FROM aurora_job_changes WHERE number > %s ORDER BY number"
        rows = self._sql.find(query, number)
        ids = dict.fromkeys(job_id for one, job_id in rows if one not in self._known)
        if rows:
            self._known = {one for one in self._known if one > rows[-1][0]}
        return (rows[-1][0] if rows else number), list(ids)

    # -- retention and backup -----------------------------------------------------------------------------------

    def crowded(self, keep: int, after: str, most: int) -> tuple[list[str], str | None]:
        """Jobs with more than `keep` rows, among the next ones."""
        return retention.crowded(self._sql, keep, after, most)

    def fired_since(self, row: str, share: int) -> list[str]:
        """The jobs, of those that this process holds, of one in `share` of the rows newer than `row`."""
        return retention.fired_since(self._sql, row, share, self._node.id)

    def prune_job(self, job_id: str, keep: int, most: int) -> int:
        """Delete final rows of the job beyond the newest `keep`."""
        return retention.prune_job(self._sql, job_id, keep, most)

    def prune_before(self, instant: int, most: int) -> int:
        """Delete what is final and older than `instant`."""
        return retention.prune_before(self._sql, instant, most)

    @property
    def tables(self) -> PostgresTables:
        """All rows, as they stand."""
        return PostgresTables(self._sql)

    def backup(self, path: str) -> None:
        """Copy the database, as it is now, to a new SQLite file, while others go on."""
        copy_to(path, self._sql)
