"""Ways to damage a database. Each takes a good one apart in one place, the same way for the same number."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CONTENT_COUNT", "DAMAGES", "EVERY_CONTENT", "Damage", "Files", "Good", "damage", "lawless"]

_HEADER = 100


@dataclass(frozen=True, slots=True)
class Files:
    """A database as bytes: the file, and its write-ahead log where there is one."""

    database: bytes
    log: bytes | None = None

    def put(self, path: Path) -> None:
        """Write it at `path`, in the place of what was there."""
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        path.write_bytes(self.database)
        if self.log is not None:
            path.with_name(f"{path.name}-wal").write_bytes(self.log)

    @classmethod
    def of(cls, path: Path) -> Files:
        """What is at `path` now."""
        log = path.with_name(f"{path.name}-wal")
        return cls(path.read_bytes() if path.exists() else b"", log.read_bytes() if log.exists() else None)


@dataclass(frozen=True, slots=True)
class Good:
    """The databases to damage: one closed as it should be, and one as a kill leaves it, with a log."""

    closed: Files
    killed: Files


Damage = Callable[[Good, random.Random, Path], Files]
"""Makes the damaged files; the path is a place to work at."""


def _flipped(data: bytes, chance: random.Random, first: int = 0, last: int | None = None) -> bytes:
    end = len(data) if last is None else min(last, len(data))
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 5, 20, 200))):
        place = chance.randrange(first, end)
        changed[place] = chance.choice((0, 255, chance.randrange(256), changed[place] ^ 1 << chance.randrange(8)))
    return bytes(changed)


def _page_size(data: bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    return 65536 if size == 1 else size


def _pages(data: bytes, *kinds: int) -> list[int]:
    """Where the pages of these kinds begin."""
    size = _page_size(data)
    return [at for at in range(size, len(data), size) if data[at] in kinds]


def _flip_page(*kinds: int) -> Damage:
    def flip(good: Good, chance: random.Random, path: Path) -> Files:
        data = good.closed.database
        at = chance.choice(_pages(data, *kinds))
        return Files(_flipped(data, chance, at, at + _page_size(data)))

    return flip


def _flip_cells(good: Good, chance: random.Random, path: Path) -> Files:
    """Only what the cells of a table hold: the page itself stays in order, so that SQLite sees nothing."""
    data = good.closed.database
    at = chance.choice(_pages(data, 0x0D))
    return Files(_flipped(data, chance, at + _page_size(data) // 2, at + _page_size(data)))


def _flip_anywhere(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(_flipped(good.closed.database, chance))


def _flip_header(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(_flipped(good.closed.database, chance, 0, _HEADER))


def _flip_schema(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(_flipped(good.closed.database, chance, _HEADER, _page_size(good.closed.database)))


def _flip_free_pages(good: Good, chance: random.Random, path: Path) -> Files:
    data = good.closed.database
    trunk = int.from_bytes(data[32:36], "big")
    if not trunk:
        raise AssertionError("the good database has no free page")
    at = (trunk - 1) * _page_size(data)
    return Files(_flipped(data, chance, at, at + 64))


def _flip_log(good: Good, chance: random.Random, path: Path) -> Files:
    assert good.killed.log is not None
    return Files(good.killed.database, _flipped(good.killed.log, chance))


def _flip_under_log(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(_flipped(good.killed.database, chance), good.killed.log)


def _cut_log(good: Good, chance: random.Random, path: Path) -> Files:
    assert good.killed.log is not None
    return Files(good.killed.database, good.killed.log[: chance.randrange(len(good.killed.log))])


def _random_log(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(chance.choice((good.killed, good.closed)).database, chance.randbytes(chance.choice((1, 32, 9000))))


def _log_alone(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(b"", good.killed.log)


def _cut(good: Good, chance: random.Random, path: Path) -> Files:
    data, size = good.closed.database, _page_size(good.closed.database)
    length = chance.choice((chance.randrange(len(data)), size * chance.randrange(1, len(data) // size)))
    return Files(data[:length])


def _empty(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(b"")


def _zeroed_page(good: Good, chance: random.Random, path: Path) -> Files:
    data, size = good.closed.database, _page_size(good.closed.database)
    at = size * chance.randrange(len(data) // size)
    return Files(data[:at] + bytes(size) + data[at + size :])


def _swapped_pages(good: Good, chance: random.Random, path: Path) -> Files:
    data, size = good.closed.database, _page_size(good.closed.database)
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    one, other = chance.sample(range(1, len(pages)), 2)
    pages[one], pages[other] = pages[other], pages[one]
    return Files(b"".join(pages))


def _random_bytes(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(chance.randbytes(chance.choice((1, 100, 511, 512, 4096, 50_000))))


def _random_after_magic(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(b"SQLite format 3\0" + chance.randbytes(chance.choice((0, 84, 496, 4080, 50_000))))


def _text_file(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(chance.choice((b"Dear diary,\n", b"a,b\n1,2\n" * 1000, b"\n")))


def _with_rubbish_behind(good: Good, chance: random.Random, path: Path) -> Files:
    return Files(good.closed.database + chance.randbytes(chance.choice((1, 4096, 9999))))


# -- by SQL: files that are in order, with something else in them --------------------------------------------------


def _by_sql(*statements: str, empty: bool = False) -> Damage:
    def change(good: Good, chance: random.Random, path: Path) -> Files:
        (Files(b"") if empty else good.closed).put(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as sql:
            sql.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                sql.execute(statement)
        return Files.of(path)

    return change


_OTHER_PROGRAMS = (
    ("CREATE TABLE customers (id INTEGER PRIMARY KEY, name)", "INSERT INTO customers VALUES (1, 'Ada')"),
    ("CREATE TABLE _sqlite_migrations (version INTEGER)", "INSERT INTO _sqlite_migrations VALUES (7)"),
    ("CREATE VIEW _sqlite_migrations AS SELECT 1 AS id, 'aurora_scheduler' AS migration_set, 'x' AS name, 1 AS at",),
    ("CREATE VIRTUAL TABLE notes USING fts5(text)", "INSERT INTO notes VALUES ('a note')"),
    ("PRAGMA encoding = 'UTF-16le'", "CREATE TABLE customers (name)"),
    ("PRAGMA page_size = 512", "CREATE TABLE customers (name)"),
    ("PRAGMA auto_vacuum = FULL", "CREATE TABLE customers (name)"),
)
_NOT_AS_MADE = (
    ("DROP TABLE aurora_jobs",),
    ("DROP TABLE aurora_executions",),
    ("DROP TABLE aurora_job_changes",),
    ("DROP TABLE _sqlite_migrations",),
    ("DROP TABLE aurora_jobs", "CREATE TABLE aurora_jobs (id, name)"),
    ("DROP TABLE aurora_executions", "CREATE TABLE aurora_executions (id TEXT)"),
    ("DROP TABLE aurora_jobs", "CREATE VIEW aurora_jobs AS SELECT 1 AS id"),
    ("ALTER TABLE aurora_jobs DROP COLUMN zone_data",),
    ("ALTER TABLE aurora_executions RENAME COLUMN owner TO holder",),
    ("DELETE FROM _sqlite_migrations WHERE name LIKE '2%'",),
    ("DELETE FROM _sqlite_migrations WHERE name LIKE '1%'",),
    ("DELETE FROM _sqlite_migrations",),
    ("UPDATE _sqlite_migrations SET name = NULL",),
    ("UPDATE _sqlite_migrations SET name = x'ff00' WHERE name LIKE '1%'",),
    ("UPDATE _sqlite_migrations SET name = '99_from_the_future' WHERE name LIKE '1%'",),
    ("UPDATE _sqlite_migrations SET applied_at = NULL",),
    ("ALTER TABLE _sqlite_migrations RENAME TO theirs",),
    ("ALTER TABLE _sqlite_migrations RENAME COLUMN name TO title",),
    ("DROP INDEX aurora_executions_by_job", "DROP INDEX aurora_jobs_by_status"),
    ("CREATE TRIGGER no AFTER INSERT ON aurora_executions BEGIN SELECT RAISE(ABORT, 'no'); END",),
    ("CREATE TRIGGER no AFTER UPDATE ON aurora_jobs BEGIN SELECT RAISE(FAIL, 'no'); END",),
    ("CREATE TRIGGER no BEFORE UPDATE ON aurora_jobs BEGIN SELECT RAISE(IGNORE); END",),
    ("UPDATE sqlite_schema SET sql = 'CREATE TABLE nonsense (' WHERE name = 'aurora_jobs'",),
    ("UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'aurora_executions'",),
    ("UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'aurora_jobs'",),
    ("UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'aurora_jobs_by_status'",),
    ("DELETE FROM sqlite_schema WHERE name = 'aurora_jobs_by_status'",),
)


def _one_of(choices: tuple[tuple[str, ...], ...], *, empty: bool = False) -> Damage:
    def change(good: Good, chance: random.Random, path: Path) -> Files:
        return _by_sql(*chance.choice(choices), empty=empty)(good, chance, path)

    return change


# -- the content of a row ------------------------------------------------------------------------------------------

_NUMBERS = (None, "soon", 1.5, -(2**62), 2**62, b"\xff")
_TEXTS = (None, 5, "", "nonsense", b"\xff", b"\xc3(", "\0", "x" * 100_000)
_JSONS = (None, "{", "[]", "5", "null", '"text"', '{"a": NaN}', "[" * 100_000, '{"\\ud800": 1}', b"\xff")
_POLICIES = (
    *_JSONS,
    *(
        json.dumps({name: value})
        for name in ("max_retries", "retry_delay", "retry_backoff", "on_exhausted", "starts", "ends", "max_runs")
        for value in (None, "x", [], -5, 1e400, 2**62)
    ),
    *(
        json.dumps({name: value})
        for name in ("exclude_dates", "only_between", "misfire", "overlap", "timeout", "jitter", "delivery", "runner")
        for value in (None, "x", ["x"], [5, 6, 7], {"a": 1}, 2**62)
    ),
)
_RESULTS = (*_JSONS[1:], "nonsense")
_NAMES = (*_TEXTS, "os", "os.path", "no.such.module", "..", "a b")

#: What each column is given that it should never hold.
CONTENTS: dict[str, tuple[Any, ...]] = {
    "aurora_jobs.id": _TEXTS,
    "aurora_jobs.generation": _NUMBERS,
    "aurora_jobs.version": _NUMBERS,
    "aurora_jobs.name": _TEXTS,
    "aurora_jobs.schedule_type": (*_TEXTS, "cron", "phrase", "absolute"),
    "aurora_jobs.schedule_value": (*_TEXTS, "every blue moon", "every 0 seconds", "0 0 30 2 *", "2001-01-01"),
    "aurora_jobs.timezone": (*_TEXTS, "Mars/Base", "../../etc/passwd", "localtime"),
    "aurora_jobs.callback_module": _NAMES,
    "aurora_jobs.callback_function": _NAMES,
    "aurora_jobs.callback_file": (*_TEXTS[1:], "/no/such/file.py", "/"),
    "aurora_jobs.callback_args": (*_JSONS, '{"5 ": 1}', '{"job_id": 1}'),
    "aurora_jobs.policies": _POLICIES,
    "aurora_jobs.tags": (*_JSONS, "[1, null]", '{"a": 1}', '["a", ["b"]]'),
    "aurora_jobs.anchor": _NUMBERS,
    "aurora_jobs.created": _NUMBERS,
    "aurora_jobs.updated": _NUMBERS,
    "aurora_jobs.status": (*_TEXTS, "ACTIVE", "paused ", "running"),
    "aurora_jobs.status_reason": _TEXTS[1:],
    "aurora_jobs.next_fire": _NUMBERS[1:],
    "aurora_jobs.runs": _NUMBERS,
    "aurora_jobs.retry_count": _NUMBERS,
    "aurora_jobs.last_run": _NUMBERS[1:],
    "aurora_jobs.last_run_result": _RESULTS,
    "aurora_jobs.zone_data": _TEXTS[1:],
    "aurora_jobs.next_wall": _NUMBERS[1:],
    "aurora_executions.id": _TEXTS,
    "aurora_executions.job_id": _TEXTS,
    "aurora_executions.generation": _NUMBERS,
    "aurora_executions.job_name": _TEXTS,
    "aurora_executions.timezone": (*_TEXTS, "Mars/Base"),
    "aurora_executions.scheduled": _NUMBERS,
    "aurora_executions.last_scheduled": _NUMBERS,
    "aurora_executions.count": _NUMBERS,
    "aurora_executions.attempt": _NUMBERS,
    "aurora_executions.trigger": _TEXTS,
    "aurora_executions.status": (*_TEXTS, "active", "waiting", "running", "cancelling"),
    "aurora_executions.reason": _TEXTS[1:],
    "aurora_executions.due": _NUMBERS,
    "aurora_executions.started": _NUMBERS[1:],
    "aurora_executions.finished": _NUMBERS[1:],
    "aurora_executions.result": _RESULTS,
    "aurora_executions.error": _TEXTS[1:],
    "aurora_executions.traceback": _TEXTS[1:],
    "aurora_executions.owner": _TEXTS[1:],
    "aurora_job_changes.job_id": _TEXTS,
    "aurora_job_changes.generation": _NUMBERS,
    "aurora_job_changes.at": _NUMBERS,
    "aurora_job_changes.kind": _TEXTS,
}


def content(good: Good, path: Path, column: str, value: Any, where: str) -> Files:
    """The good database with `value` in a column, whatever the table's own rules say to that."""
    table, _, name = column.partition(".")
    good.closed.put(path)
    new = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    with lawless(path, table) as sql:
        try:
            sql.execute(f'UPDATE {table} SET "{name}" = {new} WHERE {where}', (value,))
        except sqlite3.IntegrityError:  # several rows cannot have the same id: then one of them
            first = f"rowid = (SELECT min(rowid) FROM {table} WHERE {where})"
            sql.execute(f'UPDATE {table} SET "{name}" = {new} WHERE {first}', (value,))
    return Files.of(path)


@contextmanager
def lawless(path: Path, table: str) -> Iterator[sqlite3.Connection]:
    """A connection for which a table has no types and no NOT NULL."""
    with closing(sqlite3.connect(path)) as sql:
        (law,) = sql.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    _decree(path, table, re.sub(r" (TEXT|INTEGER)(?! PRIMARY KEY AUTO)| NOT NULL| STRICT", "", law))
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        yield sql
    _decree(path, table, law)


def _decree(path: Path, table: str, law: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA writable_schema = ON")
        sql.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (law, table))


#: Which rows are given it.
_ROWS = {
    "aurora_jobs": ("id = 'due'", "id = 'paused'", "id = 'retrying'", "1"),
    "aurora_executions": ("job_id = 'retrying'", "status = 'running'", "status = 'waiting'", "1"),
    "aurora_job_changes": ("job_id = 'due'", "1"),
}


def _any_content(good: Good, chance: random.Random, path: Path) -> Files:
    column = chance.choice(list(CONTENTS))
    table = column.partition(".")[0]
    value, where = chance.choice(CONTENTS[column]), chance.choice(_ROWS[table])
    return content(good, path, column, value, where)


DAMAGES: dict[str, Damage] = {
    "bytes anywhere": _flip_anywhere,
    "header": _flip_header,
    "schema": _flip_schema,
    "table leaf": _flip_page(0x0D),
    "rows in a leaf": _flip_cells,
    "table inside": _flip_page(0x05),
    "index leaf": _flip_page(0x0A),
    "index inside": _flip_page(0x02, 0x0A),
    "free pages": _flip_free_pages,
    "log": _flip_log,
    "file under a log": _flip_under_log,
    "log cut": _cut_log,
    "another log": _random_log,
    "log without its file": _log_alone,
    "cut": _cut,
    "empty": _empty,
    "a page of zeros": _zeroed_page,
    "pages swapped": _swapped_pages,
    "random bytes": _random_bytes,
    "random after the magic": _random_after_magic,
    "text": _text_file,
    "rubbish behind": _with_rubbish_behind,
    "another program's": _one_of(_OTHER_PROGRAMS, empty=True),
    "tables not as we made them": _one_of(_NOT_AS_MADE),
    "content of a row": _any_content,
    "content of rows": _any_content,
    "content of some row": _any_content,
}


#: From this number on, it is one content of one column after the other.
EVERY_CONTENT = 1_000_000


def damage(good: Good, number: int, path: Path) -> tuple[str, Files]:
    """The damaged database of this number, and the name of what was done to it."""
    if number >= EVERY_CONTENT:
        column, value = _EVERY[number - EVERY_CONTENT]
        where = _ROWS[column.partition(".")[0]][0]
        return f"{column} = {value!r:.40}", content(good, path, column, value, where)
    names = list(DAMAGES)
    name = names[number % len(names)]
    return name, DAMAGES[name](good, random.Random(number), path)


_EVERY = [(column, value) for column, values in CONTENTS.items() for value in values]
CONTENT_COUNT = len(_EVERY)
