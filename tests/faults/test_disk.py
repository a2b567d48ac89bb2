"""There is no room to write while the scheduler fires: nothing is run without its claim, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faults.recorded import check_every_instant_once, is_sound, rows_of
from stores.making import surroundings

SECOND = 1_000_000

#: A small file system of the process's own, which is gone with it; the database is copied out of it in the end.
ON_A_SMALL_DISK = 'mount -t tmpfs -o size=1m tmpfs "$1" && "$2" -m faults.fill disk "$1" && cp "$1"/jobs.db "$3"'


def filled(kind: str, directory: Path) -> tuple[Path, dict[str, Any]]:
    """Where the database is after the scheduler's life on a disk that was full for a while, and what it said."""
    database = directory / "jobs.db"
    command = [sys.executable, "-m", "faults.fill", kind, str(directory)]
    if kind == "disk":
        (directory / "disk").mkdir()
        arguments = [directory / "disk", sys.executable, database]
        command = ["unshare", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh", *map(str, arguments)]
    done = subprocess.run(command, env=surroundings(), capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    return database, json.loads(done.stdout)


def can_mount(directory: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$1"', "sh", str(directory)]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["limit", "pages", "disk"])
def test_a_full_disk_delays_what_is_written_and_loses_nothing(tmp_path, kind):
    if kind == "disk" and not can_mount(tmp_path):
        pytest.skip("this process may not mount a file system")
    database, told = filled(kind, tmp_path)
    assert "jobs.db" in told["refused"], "the call that could not be written was told so"
    assert ";" in told["refused"]
    rows = rows_of(database, "often")
    check_every_instant_once(rows, SECOND)
    assert {row.status for row in rows} <= {"succeeded", "missed", "skipped"}
    ran = [row.id for row in rows if row.status == "succeeded"]
    assert sorted(ran) == sorted(set(told["calls"]) - {told["asked"]}), "each call has its record, each record its call"
    assert len(told["calls"]) == len(set(told["calls"])), "none was called twice"
    assert told["slow"] == [told["asked"]], "what ended in the meantime was written afterwards"
    assert told["without_a_claim"] == 0
    assert any("waits for the database" in line and "jobs.db" in line for line in told["said"])
    assert is_sound(database)
