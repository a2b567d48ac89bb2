"""Real web servers: begun with the files of the documentation, spoken to over a socket, ended by their process.

What they serve is the pages "Use it in a web service" and "Use it with your framework", word for word: their blocks
become the files that the server loads. Only the jobs are ours (`JOBS`): they fire every second, and say in a journal
that they did.
"""

from __future__ import annotations

import os
import re
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
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypeVar

import aurora_scheduler
from docs.run_document import blocks_of
from facades.waiting import eventually
from faults.journal import Line, read
from faults.recorded import Row, check_effects, check_firings, is_sound, rows_of

__all__ = ["FRAMEWORKS", "SECOND", "Record", "Server", "beginning", "environment", "now", "serving", "write_files"]

T = TypeVar("T")

SECOND = 1_000_000
_TESTS = Path(__file__).parents[1]
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_WEB_SERVICE, FRAMEWORKS = (_TESTS.parent / "docs" / "how-to" / name for name in ("web-service.md", "frameworks.md"))
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


class Record:
    """What the jobs of `directory` did: the database's own rows, and the journal of what their callbacks said."""

    def __init__(self, directory: Path, job_id: str) -> None:
        self.job_id = job_id
        self.directory = directory
        self.database = directory / "service.db"

    def waits(self, look: Callable[[], T]) -> T:
        """`eventually`, with what the program said where it never comes."""
        try:
            return eventually(look)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error

    def log(self) -> str:
        """What the program said on its standard output and standard error, where that is kept."""
        return ""

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

    def is_held(self) -> str:
        """Have the job's callback not end, and wait until one is held: its execution. The file "hold" holds it."""
        before = len(self.said("held"))
        self.directory.joinpath("hold").touch()
        (line, *_) = self.waits(lambda: self.said("held")[before:])
        return str(line["execution"])

    def is_let_go(self) -> None:
        """Let the callback that is held end."""
        self.directory.joinpath("hold").unlink()

    def check(self) -> None:
        """Each instant is in exactly one firing record, and each record that succeeded has exactly one line.

        What ran when its process was killed is as good as lost, though no start has said so yet.
        """
        assert is_sound(self.database)
        rows = [replace(row, status="lost") if row.status == "running" else row for row in self.rows()]
        check_firings(rows, SECOND)
        effects = Counter(line["execution"] for line in self.said("effect"))
        check_effects([*rows, *self.by_hand()], effects)

    def check_end(self, orders: Collection[int], held: str | None = None) -> None:
        """Nothing was cut short: each order was confirmed once, the callback that was held has ended, nothing runs."""
        if held is not None:
            assert [row.status for row in self.rows() if row.id == held] == ["succeeded"]
        for order in orders:
            assert [row.status for row in rows_of(self.database, f"confirm-{order}")] == ["succeeded"]
        assert sorted(line["order"] for line in self.said("confirm")) == sorted(orders)
        with closing(sqlite3.connect(self.database)) as sql:
            open_ones = "SELECT * FROM aurora_executions WHERE status IN ('running', 'cancelling')"
            assert sql.execute(open_ones).fetchall() == []
        self.check()


class Server(Record):
    """A server in `directory`, with all its processes; they are one group."""

    def __init__(self, directory: Path, address: str, command: Sequence[str], job_id: str) -> None:
        super().__init__(directory, job_id)
        #: Where it listens: a Unix socket, or a port that it has chosen and tells.
        self._address = address if any("{socket}" in part for part in command) else None
        self._said = directory / "server.log"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, *(part.format(socket=address) for part in command)],
                cwd=directory,
                env=environment(directory),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.pid = self._process.pid

    # -- talking to it ------------------------------------------------------------------------------------------

    def asks(self, path: str = "/", method: str = "GET") -> str:
        """Send a request, and answer with what comes back, from whichever worker; a failure where it is no success."""
        status, text = self._exchange(path, method)
        assert 200 <= status < 300, f"{status} {text}\n{self.log()}"
        return text

    def is_ready(self) -> bool:
        """Whether it answers, be it that there is no such page."""
        with suppress(OSError, HTTPException):
            status, text = self._exchange("/", "GET")
            assert status < 500, f"{status} {text}\n{self.log()}"
            return True
        return False

    def _exchange(self, path: str, method: str) -> tuple[int, str]:
        with closing(self._connection()) as connection:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def _connection(self) -> HTTPConnection:
        if self._address is not None:
            return _Connection(self._address)
        told = re.findall(r"http://127\.0\.0\.1:(\d+)", self.log())
        if not told:
            raise ConnectionError("it has not said where it listens")
        return HTTPConnection("127.0.0.1", int(told[-1]), timeout=20)

    def log(self) -> str:
        """What it said on its standard output and standard error."""
        return self._said.read_text()

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

    def has_ended(self) -> bool:
        """Whether the process that was begun has ended."""
        return self._process.poll() is not None

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


def environment(directory: Path) -> dict[str, str]:
    """What a program in `directory` needs to find: this source, the jobs' helpers, the database, the journal."""
    return os.environ | {
        "AURORA_SCHEDULER_DB": str(directory / "service.db"),
        "HOME": str(directory),  # where some leave files of their own
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_TESTS}",
        "PYTHONUNBUFFERED": "1",  # what it says is to be read at once
        "SERVERS_JOURNAL": str(directory / "journal.txt"),
    }


def write_files(directory: Path) -> None:
    """The files of the pages, with jobs of ours."""
    blocks = [*blocks_of(_WEB_SERVICE), *blocks_of(FRAMEWORKS)]
    files = {block.file: block.source for block in blocks if block.file is not None and not block.is_script}
    for name, source in (files | JOBS).items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)


@contextmanager
def beginning(directory: Path, *command: str) -> Iterator[Server]:
    """A program, begun by `python` with these arguments; `{socket}` in them is where it is to listen."""
    is_on_a_loop = any(name in part for part in command for name in ("app:app", "trio_program"))
    with tempfile.TemporaryDirectory(prefix="aurora-") as short:  # a socket's path has room for a hundred characters
        job_id = "app_jobs:refresh_prices" if is_on_a_loop else "refresh_prices"
        server = Server(directory, str(Path(short, "s")), command, job_id)
        try:
            yield server
        finally:
            server.is_killed()


@contextmanager
def serving(directory: Path, *command: str) -> Iterator[Server]:
    """A server of the pages' files that answers."""
    write_files(directory)
    with beginning(directory, *command) as server:
        server.waits(lambda: server.has_ended() or server.is_ready())
        assert not server.has_ended(), f"it ended at once\n{server.log()}"
        yield server


#: In place of the pages' jobs: the same names, every second.
JOBS = {
    "app_jobs.py": """
from aurora_scheduler import SchedulerManager
from servers import work

manager = SchedulerManager("service.db", runner="app")
work.is_there()


@manager.job("every 1 second")
async def refresh_prices(execution_id, scheduled_for):
    await work.refresh_async(execution_id, scheduled_for)


async def confirm(order):
    work.confirm(order)
""",
    "shop_jobs.py": """
from aurora_scheduler import get_cron_service
from servers import work

work.is_there()


def refresh_prices(execution_id, scheduled_for):
    work.refresh(execution_id, scheduled_for)


def confirm(order):
    work.confirm(order)


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
