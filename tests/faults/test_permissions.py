"""Files and directories that may not be written, as somebody who is not the administrator sees them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_scheduler import CronService
from faults import callbacks
from faults.recorded import check_every_instant_once, is_sound, rows_of
from stores.making import run

SECOND = 1_000_000
NOBODY = 65534

#: What the program needs is imported first: who it becomes may perhaps not read the interpreter's own files.
BECOME_NOBODY = f"""
import os, sys, tempfile
from pathlib import Path
from aurora_scheduler import AuroraError, CronService
from facades.waiting import eventually
from faults import callbacks
with tempfile.TemporaryDirectory() as place, CronService(f"{{place}}/jobs.db") as cron:
    one = cron.schedule_relative(name="one", relative_time="every 1 hour", callback=callbacks.note)
    cron.run_job(one, wait=True)
    cron.shutdown()
    cron.start()  # once more, on a file that is there
callbacks.calls.clear()
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
database = Path(sys.argv[1])
"""

#: Prints what comes of opening it.
START = """
try:
    with CronService(database) as cron:
        print("works", len(cron.get_all_jobs()))
except AuroraError as error:
    print(type(error).__name__, error)
"""

#: Its directory may not be written any more while it fires.
GO_ON = """
with CronService(database) as cron:
    cron.schedule_relative(name="often", relative_time="every 1 second", callback=callbacks.note, job_id="often")
    eventually(lambda: cron.get_executions("often", "succeeded"))
    database.parent.chmod(0o555)
    database.chmod(0o444)
    eventually(lambda: len(cron.get_executions("often", "succeeded")) > 2)
print("works", len(callbacks.calls))
"""


@pytest.fixture
def database() -> Iterator[Path]:
    """A good one, in a directory that others may read, and that belongs to whoever runs the programs here."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        path = directory / "place" / "jobs.db"
        path.parent.mkdir()
        with CronService(path) as cron:
            cron.schedule_relative(name="one", relative_time="every 1 hour", callback=callbacks.work)
        if os.geteuid() == 0:
            for each in (path.parent, *path.parent.iterdir()):
                os.chown(each, NOBODY, NOBODY)
        yield path
        path.parent.chmod(0o755)


def test_what_may_be_written_works(database):
    assert run(BECOME_NOBODY + START, database) == "works 1"


@pytest.mark.parametrize(
    ("file", "directory", "kind", "advice"),
    [
        (0o444, 0o755, "StoreReadOnlyError", "allow writing"),
        (0o644, 0o555, "StoreReadOnlyError", "allow writing"),
        (0o000, 0o755, "StoreReadOnlyError", "allow writing"),
        (0o200, 0o755, "StoreError", "check the path and its permissions"),
        (0o644, 0o000, "StoreError", "check the path and its permissions"),
    ],
    ids=["file", "directory", "neither read nor written", "not to be read", "closed directory"],
)
def test_it_is_refused_untouched_with_what_to_do(database, file, directory, kind, advice):
    before = {each.name: each.read_bytes() for each in database.parent.iterdir()}
    database.chmod(file)
    database.parent.chmod(directory)
    said = run(BECOME_NOBODY + START, database)
    database.parent.chmod(0o755)
    database.chmod(0o644)
    assert said.startswith(f"{kind} ")
    assert str(database) in said
    assert advice in said
    assert {each.name: each.read_bytes() for each in database.parent.iterdir()} == before


def test_a_scheduler_that_runs_goes_on_when_its_directory_may_not_be_written_any_more(database):
    """It has all its files open."""
    said = run(BECOME_NOBODY + GO_ON, database)
    assert said.startswith("works")
    database.parent.chmod(0o755)
    database.chmod(0o644)
    rows = rows_of(database, "often")
    check_every_instant_once(rows, SECOND)
    assert sum(row.status == "succeeded" for row in rows) == int(said.split()[1])
    assert is_sound(database)
