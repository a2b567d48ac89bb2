"""Real web servers: begun with the files of the documentation, spoken to over a socket, ended by their process.

What they serve is the page "Use it in a web service", word for word: its blocks become the files that the server loads.
Only its jobs are ours (`JOBS`): they fire every second, and say in a journal that they did.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import aurora_scheduler
from docs.run_document import blocks_of
from facades.waiting import eventually
from faults.journal import Line, read

__all__ = ["SECOND", "Row", "Server", "serving"]

T = TypeVar("T")

SECOND = 1_000_000
_TESTS = Path(__file__).parents[1]
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_PAGE = _TESTS.parent / "docs" / "how-to" / "web-service.md"
_ENDS_WITHIN = 60.0

Row = sqlite3.Row


class _Connection(HTTPConnection):
    """HTTP over a Unix socket: no port that another could take first."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """A server in `directory`, with all its processes; they are one group."""

    def __init__(self, directory: Path, address: str, command: Sequence[str]) -> None:
        self.directory = directory
        self.database = directory / "service.db"
        self._address = address
        self._said = directory / "server.log"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, *(part.format(socket=address) for part in command)],
                cwd=directory,
                env=os.environ
                | {
                    "AURORA_SCHEDULER_DB": str(self.database),
                    "HOME": str(directory),  # where some leave files of their own
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_TESTS}",
                    "SERVERS_JOURNAL": str(directory / "journal.txt"),
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.pid = self._process.pid

    # -- talking to it ------------------------------------------------------------------------------------------

    def asks(self, path: str = "/", method: str = "GET") -> str:
        """Send a request, and answer with what comes back, from whichever worker; a failure where it is no success."""
        with closing(_Connection(self._address)) as connection:
            connection.request(method, path)
            response = connection.getresponse()
            text = response.read().decode()
        assert response.status == 200, f"{response.status} {text}\n{self.log()}"
        return text

    def is_ready(self) -> bool:
        """Whether it answers."""
        with suppress(OSError, HTTPException):
            return bool(self.asks())
        return False

    def waits(self, look: Callable[[], T]) -> T:
        """`eventually`, with what the server said where it never comes."""
        try:
            return eventually(look)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error

    def log(self) -> str:
        """What it said on its standard output and standard error."""
        return self._said.read_text()

    # -- what it did ------------------------------------------------------------------------------------------------

    def said(self, what: str) -> list[Line]:
        """The lines of one kind that its jobs wrote."""
        return [line for line in read(self.directory / "journal.txt") if line.what == what]

    def owner(self) -> int:
        """The process that owns the database; 0: none has yet."""
        note = Path(f"{self.database}-aurora.owner")
        words = note.read_text().split() if note.exists() else []
        return int(words[1]) if len(words) == 2 else 0

    def rows(self, trigger: str = "schedule", status: str = "%") -> list[Row]:
        """The records of the job that fires every second, oldest first."""
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as sql:
            sql.row_factory = sqlite3.Row
            return sql.execute(
                'SELECT * FROM aurora_executions WHERE "trigger" = ? AND status LIKE ? ORDER BY scheduled, attempt',
                (trigger, status),
            ).fetchall()

    def has_fired(self, times: int) -> list[Row]:
        """Wait until the job has succeeded so many times more."""
        before = len(self.rows(status="succeeded"))
        return self.waits(lambda: rows if len(rows := self.rows(status="succeeded")) >= before + times else [])

    def check(self) -> None:
        """Each instant is in exactly one firing record, and each record that succeeded has exactly one line."""
        with closing(sqlite3.connect(self.database)) as sql:
            assert sql.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = self.rows()
        effects = Counter(line["execution"] for line in self.said("effect"))
        expected = rows[0]["scheduled"]
        for scheduled, same in groupby(rows, lambda row: row["scheduled"]):
            attempts = list(same)
            assert scheduled == expected, f"a record of {scheduled}, where {expected} comes next"
            assert [row["attempt"] for row in attempts] == list(range(1, len(attempts) + 1))
            assert all(row["status"] == "lost" for row in attempts[:-1]), "only what was lost is run again"
            expected = attempts[-1]["last_scheduled"] + SECOND
        for row in (*rows, *self.rows("manual")):
            wanted = {"succeeded": (1,), "lost": (0, 1)}.get(row["status"], (0,))
            assert effects.pop(row["id"], 0) in wanted, f"{row['scheduled']} {row['status']}"
        assert not effects, "effects without a record"

    # -- its end ----------------------------------------------------------------------------------------------------

    def is_asked_to_stop(self) -> None:
        """As a service manager does it."""
        self._process.send_signal(signal.SIGTERM)

    def ends(self) -> str:
        """Wait until it has ended, with each of its processes; what it said."""
        try:
            self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"it does not end\n{self.log()}") from error
        self.waits(lambda: not self._is_there())
        return self.log()

    def is_killed(self) -> None:
        """It, and whatever it began."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(_ENDS_WITHIN)

    def _is_there(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def serving(directory: Path, *command: str) -> Iterator[Server]:
    """A server that answers, begun by `python` with these arguments; `{socket}` in them is where it is to listen."""
    for block in blocks_of(_PAGE):
        if block.file is not None and not block.is_script:
            directory.joinpath(block.file).write_text(block.source)
    for name, source in JOBS.items():
        directory.joinpath(name).write_text(source)
    with tempfile.TemporaryDirectory(prefix="aurora-") as short:  # a socket's path has room for a hundred characters
        server = Server(directory, str(Path(short, "s")), command)
        try:
            server.waits(lambda: server._process.poll() is not None or server.is_ready())
            assert server._process.poll() is None, f"it ended at once\n{server.log()}"
            yield server
        finally:
            server.is_killed()


#: In place of the page's jobs: the same names, every second.
JOBS = {
    "app_jobs.py": """
from aurora_scheduler import SchedulerManager
from servers import work

manager = SchedulerManager("service.db", runner="app")
work.is_there()


@manager.job("every 1 second")
async def refresh_prices(execution_id, scheduled_for):
    await work.refresh_async(execution_id, scheduled_for)
""",
    "shop_jobs.py": """
from aurora_scheduler import get_cron_service
from servers import work

work.is_there()


def refresh_prices(execution_id, scheduled_for):
    work.refresh(execution_id, scheduled_for)


def start():
    cron = get_cron_service()
    cron.start()
    cron.schedule_relative(
        name="prices", relative_time="every 1 second", callback=refresh_prices,
        job_id="refresh_prices", if_exists="update",
    )
""",
}


def now() -> int:
    """As the records have it."""
    return time.time_ns() // 1000
