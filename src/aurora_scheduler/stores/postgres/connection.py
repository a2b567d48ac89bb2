"""A connection: statements said and rows read in our own words, its errors and texts translated."""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from aurora_scheduler.errors import StoreError
from aurora_scheduler.stores.blocks import Block
from aurora_scheduler.stores.postgres.faults import translated
from aurora_scheduler.stores.postgres.texts import held, literal, said
from aurora_scheduler.stores.rows import Row

__all__ = ["Connection", "columns"]

#: So many rows of very many are read at a time.
_PART = 2000
#: Where the address says nothing else: in seconds, and `tcp_user_timeout` in milliseconds. A network that is cut says
#: nothing of it, and by itself the kernel waits for many minutes.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "aurora_scheduler",
}
#: The same for the server's end, so that it lets go of what a process had that it cannot reach; how long to wait for
#: what another process has locked; how long a process may stand still amid a transaction, for which all others wait,
#: before it is undone. What is read under a lock is to be what is so then, and a backslash in a text is one.
_SETTINGS = (
    "SELECT set_config(name, value, false) FROM (VALUES ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'),"
    " ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000'), ('lock_timeout', '5000'),"
    " ('idle_in_transaction_session_timeout', '3000'), ('default_transaction_isolation', 'read committed'),"
    " ('standard_conforming_strings', 'on'))"
    " AS told (name, value)"
)
#: A plan that is made while a table is small looks through all of it, and still does when it has grown.
_PLAN_ANEW = "DISCARD PLANS"
#: After so many uses plans are made anew, and before that each time that there were twice as many.
_PLANNED_FOR = 1024
#: From how many times on a statement is said often.
_OFTEN = 5
_IDENTITY = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"


class Connection:
    """A connection of psycopg's, which belongs to one thread. `place` is what the database is called in errors.

    What is said often is planned once, or, without `keeps_plans`, each time anew, as the tables are then.
    """

    def __init__(self, url: str, place: str, *, keeps_plans: bool = True) -> None:
        self._place = place
        with translated(place, is_connecting=True):
            told: dict[str, Any] = _PATIENCE | conninfo_to_dict(url) | {"client_encoding": "UTF8"}
            #: psycopg's own.
            self.sql: psycopg.Connection[Any] = psycopg.connect(
                autocommit=True, prepare_threshold=_OFTEN if keeps_plans else None, **told
            )
        with translated(place):
            try:
                self.sql.execute(_SETTINGS)
                #: Which of all connections that the server has ever had it is: its process there, and since when.
                self.identity = said(self.sql.execute(_IDENTITY))[0]
            except BaseException:
                self.sql.close()
                raise
        self._is_steady = False
        #: How often each of the statements that are prepared by name was said.
        self._prepared: dict[str, int] = {}

    @property
    def is_lost(self) -> bool:
        """Whether it is closed: by us, or by the server while nothing was asked of it, as far as that is heard."""
        with suppress(psycopg.Error):
            while self._is_idle and _says_something(self.sql.fileno()):  # its last words, and then its end
                self.sql.pgconn.consume_input()
        return self.sql.closed

    @property
    def backend(self) -> int:
        """The number of the server's process that it leads to."""
        return self.sql.info.backend_pid

    def fileno(self) -> int:
        """What can be read from when the server says something. Raises `StoreUnavailableError` where it is lost."""
        with translated(self._place):
            return self.sql.fileno()

    def heard(self) -> list[tuple[str, int]]:
        """The notifications in what can be read now: the text, and the number of the server's process it came by."""
        told = []
        with translated(self._place):
            self.sql.pgconn.consume_input()
            while (one := self.sql.pgconn.notifies()) is not None:
                told.append((one.extra.decode(), one.be_pid))
        return told

    @property
    def _is_idle(self) -> bool:
        return self.sql.info.transaction_status is TransactionStatus.IDLE

    def close(self) -> None:
        """End it."""
        with translated(self._place):
            self.sql.close()

    def end(self, identity: Row) -> None:
        """End another connection, of which the server may not have noticed yet that nobody is at its other end."""
        self.find(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE (pid, backend_start::text) = (%s, %s)",
            *identity,
        )

    def do(self, statement: str, *values: object) -> int:
        """Say a statement; how many rows it wrote."""
        with translated(self._place):
            return self.sql.execute(statement.encode(), [_held(value) for value in values] or None).rowcount

    def begin(self, *statements: str) -> Row:
        """Begin a transaction, and say these statements; the row that the last of them answers with."""
        with translated(self._place):
            said_ = self.sql.execute("; ".join(["BEGIN", *statements]).encode())
            while said_.nextset():
                pass
            row: Row = said_.fetchall()[0]
            return row

    def commit(self, *statements: str) -> None:
        """Say these statements, and commit. Raises `StoreError` where a statement has failed: then all is undone."""
        with translated(self._place):
            said_ = self.sql.execute("; ".join([*statements, "COMMIT"]).encode())
            while said_.nextset():
                pass
            if said_.statusmessage != "COMMIT":
                raise StoreError(self._place, "the transaction was undone, since a statement in it had failed")

    def find_prepared(
        self, name: str, statement: str, values: Sequence[object], before: Sequence[str] = (), after: Sequence[str] = ()
    ) -> Row:
        """The row that answers a statement, which is prepared under a name.

        What comes before and after it goes with it in the same message.
        """
        with translated(self._place):
            if name not in self._prepared:
                self.sql.execute(f"PREPARE {name} AS {statement}".encode(), prepare=False)
            times = self._prepared[name] = self._prepared.get(name, 0) + 1
            execute = f"EXECUTE {name} ({', '.join([literal(value) for value in values])})"
            parts = [*before, execute, *after]
            if times & (times - 1) == 0 or times % _PLANNED_FOR == 0:
                parts.insert(0, _PLAN_ANEW)
            try:
                said_ = self.sql.execute("; ".join(parts).encode(), prepare=False)
            except errors.InvalidSqlStatementName:  # somebody has had all forgotten
                self._prepared.clear()
                raise
            for _ in range(parts.index(execute)):
                said_.nextset()
            row: Row = said_.fetchall()[0]
            return row

    def at_once(self, name: str, statement: str, values: Sequence[object], *before: str) -> Row | None:
        """The same in a transaction of its own, which begins, and says what comes before, in the same message.

        So whatever is locked is so for no longer than the server needs: what it takes to say it is done before. None
        where the statement divides by zero: then all is undone.
        """
        try:
            return self.find_prepared(name, statement, values, ("BEGIN", *before), ("COMMIT",))
        except StoreError as error:
            if not isinstance(error.__cause__, errors.DivisionByZero):
                raise
            self.do_quietly("ROLLBACK")
            return None

    def do_quietly(self, statement: str) -> None:
        """Say a statement, where it does not matter whether it can be said."""
        with suppress(psycopg.Error):
            # By itself: when psycopg hears of a ROLLBACK it has the server forget all statements that are prepared.
            self.sql.pgconn.exec_(statement.encode())

    def find(self, query: str, *values: object) -> list[Row]:
        """The rows that answer a query."""
        with translated(self._place):
            return said(self.sql.execute(query.encode(), [_held(value) for value in values] or None))

    def find_in_parts(self, query: str) -> Iterator[list[Row]]:
        """The same, for very many, a part at a time; in a transaction."""
        with translated(self._place), self.sql.cursor(name="parts") as parts:
            parts.execute(query.encode())
            while rows := said(parts.fetchmany(_PART)):
                yield rows

    def copy_in(self, statement: str, rows: Iterable[Row]) -> None:
        """Write very many rows by a COPY; in a transaction."""
        with translated(self._place), self.sql.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row([held(value) for value in row])

    def steady(self) -> AbstractContextManager[None]:
        """Within it several reads see the same state."""
        return Block(self._begin_reading, self._end_reading)

    def _begin_reading(self) -> None:
        self._is_steady = self._is_idle
        if self._is_steady:
            self.do("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _end_reading(self, error: BaseException | None) -> None:
        if self._is_steady:
            self.do_quietly("ROLLBACK")
        if error is not None:
            raise error

    def write(self, statement: str, rows: Sequence[Row]) -> int:
        """Say a statement that is made for any number of rows; how many it wrote."""
        return self.do(statement, *columns(rows)) if rows else 0

    def write_and_find(self, statement: str, rows: Sequence[Row]) -> list[Row]:
        """The same; what it returns."""
        return self.find(statement, *columns(rows)) if rows else []


def _says_something(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def columns(rows: Sequence[Row]) -> list[list[object]]:
    """The rows as a list for each column."""
    return [list(column) for column in zip(*rows, strict=True)]


def _held(value: object) -> object:
    return [held(each) for each in value] if isinstance(value, list) else held(value)
