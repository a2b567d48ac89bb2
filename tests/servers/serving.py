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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypeVar

import aurora_scheduler
from docs.run_document import blocks_of
from facades.waiting import eventually
from faults.journal import Line, read
from faults.recorded import Row, check_effects, check_firings, is_sound, rows_of

__all__ = ["SECOND", "Server", "now", "serving"]

T = TypeVar("T")

SECOND = 1_000_000
_TESTS = Path(__file__).parents[1]
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_PAGE = _TESTS.parent / "docs" / "how-to" / "web-service.md"
_ENDS_WITHIN = 60.0


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

    def __init__(self, directory: Path, address: str, command: Sequence[str], job_id: str) -> None:
        self.job_id = job_id
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

    def rows(self, status: str | None = None) -> list[Row]:
        """The records of the job that fires every second, oldest first."""
        if not self.database.exists():
            return []
        return [row for row in rows_of(self.database, self.job_id) if status in (None, row.status)]

    def by_hand(self) -> list[Row]:
        """The records of its runs that somebody asked for."""
        return rows_of(self.database, self.job_id, "manual")

    def generation(self) -> int:
        """How many jobs there have been under the id of this one."""
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as sql:
            (generation,) = sql.execute("SELECT generation FROM aurora_jobs WHERE id = ?", (self.job_id,)).fetchone()
        return int(generation)

    def has_fired(self, times: int, *, but: Collection[Row] = ()) -> list[Row]:
        """Wait until the job has succeeded so many times: these records, without those of the owners of some others."""
        others = {row.owner for row in but}

        def look() -> list[Row]:
            rows = [row for row in self.rows("succeeded") if row.owner not in others]
            return rows if len(rows) >= times else []

        return self.waits(look)

    def check(self) -> None:
        """Each instant is in exactly one firing record, and each record that succeeded has exactly one line."""
        assert is_sound(self.database)
        rows = self.rows()
        check_firings(rows, SECOND)
        effects = Counter(line["execution"] for line in self.said("effect"))
        check_effects([*rows, *self.by_hand()], effects)

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
    job_id = "app_jobs:refresh_prices" if "app:app" in command else "refresh_prices"
    for block in blocks_of(_PAGE):
        if block.file is not None and not block.is_script:
            directory.joinpath(block.file).write_text(block.source)
    for name, source in JOBS.items():
        directory.joinpath(name).write_text(source)
    with tempfile.TemporaryDirectory(prefix="aurora-") as short:  # a socket's path has room for a hundred characters
        server = Server(directory, str(Path(short, "s")), command, job_id)
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
