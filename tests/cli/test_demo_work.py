"""What the demo's jobs do, without a scheduler."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing

import pytest

from aurora_scheduler.cli.demo.backups import back_up, tables_in
from aurora_scheduler.cli.demo.indexing import index_directory


@pytest.fixture
def directory(tmp_path):
    there = tmp_path / "files"
    there.mkdir()
    (there / "a.txt").write_text("alpha")
    (there / "empty").touch()
    (there / ".git").mkdir()
    (there / ".git" / "config").write_text("passed by")
    (there / "sub").mkdir()
    (there / "sub" / "b.txt").write_text("beta")
    (there / "link").symlink_to("a.txt")
    os.mkfifo(there / "pipe")
    return there


def paths(index):
    return [entry.path for entry in index.entries]


def test_an_index_has_size_and_digest_of_every_regular_file(directory, tmp_path):
    index = index_directory(directory, tmp_path / "none.db")
    assert paths(index) == ["a.txt", "empty", "sub/b.txt"]
    assert index.entries[0].sha256 == hashlib.sha256(b"alpha").hexdigest()
    assert (index.octets, index.unreadable, index.is_cut) == (9, 0, False)
    index.write(tmp_path / "index.jsonl")
    lines = (tmp_path / "index.jsonl").read_text().splitlines()
    assert json.loads(lines[2]) == {"path": "sub/b.txt", "size": 4, "sha256": hashlib.sha256(b"beta").hexdigest()}


def test_an_index_says_when_it_was_cut(directory, tmp_path):
    assert index_directory(directory, tmp_path / "none.db", most_files=1).is_cut
    by_size = index_directory(directory, tmp_path / "none.db", most_bytes=4)
    assert (paths(by_size), by_size.is_cut) == (["empty", "sub/b.txt"], True)


def test_an_index_never_opens_the_database_that_this_process_works_on(directory):
    """To close any other descriptor of the file would drop SQLite's locks; a hard link is the same file."""
    for name in ("demo.db", "demo.db-wal", "demo.db-shm"):
        (directory / name).write_text("locked")
    os.link(directory / "demo.db", directory / "innocent")
    assert paths(index_directory(directory, directory / "demo.db")) == ["a.txt", "empty", "sub/b.txt"]


def test_names_that_are_no_text_are_indexed_all_the_same(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / os.fsdecode(b"\xff\n")).write_text("odd")
    index = index_directory(tmp_path / "files", tmp_path / "none.db")
    index.write(tmp_path / "index.jsonl")
    assert len((tmp_path / "index.jsonl").read_text().splitlines()) == 1


def test_a_backup_has_what_is_committed_and_is_one_file(tmp_path):
    source, target = tmp_path / "a database, 100%?.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")
        assert back_up(source, target) == 1
        writer.execute("COMMIT")
        assert back_up(source, target) == 1
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy")) == ["copy.db"]


def test_a_backup_of_nothing_creates_nothing(tmp_path):
    with pytest.raises(sqlite3.Error):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "copy.db").exists()


def test_a_damaged_copy_is_noticed(tmp_path):
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(copy, isolation_level=None)) as sql:
        sql.execute("CREATE TABLE t (x)")
        sql.execute("INSERT INTO t VALUES (zeroblob(20000))")
    whole = bytearray(copy.read_bytes())
    whole[5000:9000] = b"\xff" * 4000
    copy.write_bytes(whole)
    with pytest.raises(sqlite3.Error):
        tables_in(copy)
