"""A PostgreSQL server of the tests' own: in a directory that goes when they end, on a Unix socket and nowhere else.

Where `AURORA_TEST_POSTGRES_URL` names a server, databases are made on that one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["Server", "copy_tables", "database_url", "end"]

_DEADLINE = 60.0

_numbers = count()
#: What ends the server that was started.
_ends: list[Callable[[], None]] = []
_OPTIONS = "-c listen_addresses='' -c fsync=off -c max_connections=200"


def database_url() -> str:
    """The address of an empty database."""
    server = _server()
    name = f"aurora_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as sql:
        sql.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    if server.startswith("postgres"):  # one that was named: a parameter said twice is what it was said last
        return f"{server}{'&' if '?' in server else '?'}dbname={name}"
    return f"postgresql://aurora@/{name}?host={conninfo_to_dict(server)['host']}"


@cache
def _server() -> str:
    return os.environ.get("AURORA_TEST_POSTGRES_URL") or _started()


def _started() -> str:
    """Start a server that ends with this process; its address."""
    server = Server()
    _ends.append(server.close)
    return server.address


class Server:
    """A server of its own, which can be restarted. `options` are more of its settings."""

    def __init__(self, *, durable: bool = False, options: str = "") -> None:
        self._options = f"{_OPTIONS.replace('fsync=off', 'fsync=on') if durable else _OPTIONS} {options}".strip()
        self._home = Path(tempfile.mkdtemp(prefix="aurora-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres", "postgres")
        self._programs, self._data = _programs(), self._home / "data"
        self._run("initdb", "--no-sync", "--auth=trust", "--username=aurora", "--locale=C.UTF-8", "-D", self._data)
        self.address = make_conninfo(host=str(self._home), user="aurora", dbname="postgres")
        self.url = f"postgresql://aurora@/postgres?host={self._home}"
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        options = f"-k {self._home} {self._options}"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", self._home / "log", "-w", "start")

    def stop(self) -> None:
        """End it at once, as a crash does: what was committed is recovered at the next start."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, program: str, *words: object) -> None:
        _run(self._programs / program, *words)


def copy_tables(url: str, path: Path) -> None:
    """Copy our tables to a plain SQLite file, when all have left. By nobody's code but the two databases' own."""
    _wait_until_all_have_left(url)
    with psycopg.connect(url) as source, closing(sqlite3.connect(path)) as copy, copy:
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = source.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'aurora\\_%'"
        )
        for (table,) in found.fetchall():
            rows = source.execute(f"SELECT * FROM {table}".encode())
            assert rows.description is not None
            names = [f'"{column.name}"' for column in rows.description]
            copy.execute(f"CREATE TABLE {table} ({', '.join(names)})")
            marks = ", ".join("?" * len(names))
            told = (tuple(each if isinstance(each, int | None) else str(each) for each in row) for row in rows)
            copy.executemany(f"INSERT INTO {table} VALUES ({marks})", told)


def _wait_until_all_have_left(url: str) -> None:
    """What a process that was killed had asked for is carried out still, by the server's own process."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    give_up = time.monotonic() + _DEADLINE
    with psycopg.connect(url, autocommit=True) as sql:
        while left := sql.execute(f"{others} AND pid <> pg_backend_pid()".encode()).fetchall():
            assert time.monotonic() < give_up, f"somebody is still connected: {left}"
            time.sleep(0.005)


def end() -> None:
    """End the server, if one was started. Not at the interpreter's exit: a worker of pytest's has no time then."""
    while _ends:
        _ends.pop()()
    _server.cache_clear()


def _programs() -> Path:
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and on_path is None:
        raise RuntimeError("these tests need PostgreSQL: `apt-get install postgresql`, or AURORA_TEST_POSTGRES_URL")
    return found[-1].parent if found else Path(str(on_path)).parent


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    if os.geteuid() == 0:  # which initdb refuses
        words = ["runuser", "-u", "postgres", "--", *words]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
