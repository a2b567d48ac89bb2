"""A PostgreSQL server of the tests' own: in a directory that goes when they end, on a Unix socket and nowhere else.

Where `AURORA_TEST_POSTGRES_URL` names a server, databases are made on that one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["database_url", "end"]

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
    home = Path(tempfile.mkdtemp(prefix="aurora-pg-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    programs, data = _programs(), home / "data"
    _run(programs / "initdb", "--no-sync", "--auth=trust", "--username=aurora", "--locale=C.UTF-8", "-D", data)
    _run(programs / "pg_ctl", "-D", data, "-o", f"-k {home} {_OPTIONS}", "-l", home / "log", "-w", "start")

    _ends.append(partial(_end, programs, home))
    return make_conninfo(host=str(home), user="aurora", dbname="postgres")


def _end(programs: Path, home: Path) -> None:
    _run(programs / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop")
    shutil.rmtree(home, ignore_errors=True)


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
