"""`aurora run`: a process of its own, which fires until a signal ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aurora_scheduler import ExecutionStatus, SchedulerManager
from cli.conftest import on

PROGRAM = """
import time

import trio

from aurora_scheduler import SchedulerManager

manager = SchedulerManager("own.db", timezone="UTC")
nothing = None


@manager.job("every 1 second")
def tick():
    return "tick"


@manager.job("0 0 1 1 *")
def stubborn():
    print("stubborn begins", flush=True)
    time.sleep(3600)


@manager.job("in 1 second")
async def slow():
    print("slow begins", flush=True)
    await trio.sleep(60)
"""


@pytest.fixture
def start(tmp_path: Path):
    """Start `aurora run` with these words, in a directory with the module `shop`."""
    (tmp_path / "shop.py").write_text(PROGRAM)
    environment = {**os.environ, "AURORA_SCHEDULER_DB": ""}
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "aurora_scheduler.cli", "run", *words]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], word: str) -> str:
    """Read lines until one has the word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended, and never said {word!r}")


def statuses(path: Path, name: str) -> list[ExecutionStatus]:
    async def look(manager: SchedulerManager) -> list[ExecutionStatus]:
        return [row.status for row in await manager.get_executions() if row.job_name == name]

    return on(path, look)


def test_it_fires_the_jobs_of_a_manager_and_tells_of_each(start, tmp_path):
    process = start("shop:manager", "--drain", "0")
    line = until(process, "tick")
    assert "succeeded" in line
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopping: what runs has 0 ms; a second signal hurries" in errors
    assert ExecutionStatus.SUCCEEDED in statuses(tmp_path / "own.db", "tick")


def test_a_database_alone_is_enough_where_its_callbacks_can_be_imported(start, tmp_path):
    async def create(manager: SchedulerManager) -> None:
        await manager.create_job(name="cwd", schedule="every 1 second", callback="os.getcwd")

    on(tmp_path / "jobs.db", create)
    process = start("--db", "jobs.db")
    assert "succeeded" in until(process, f"  {tmp_path}")  # what came due before is told of, too
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_it_fires_the_jobs_that_are_for_its_tags(start, tmp_path):
    async def create(manager: SchedulerManager) -> None:
        await manager.create_job(name="far", schedule="every 1 second", callback="os.getcwd", node_tag="gpu")

    on(tmp_path / "jobs.db", create)
    process = start("--db", "jobs.db", "--node-tag", "small", "--node-tag", "gpu")
    until(process, "far")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_a_manager_of_ones_own_says_its_tags_itself(start):
    process = start("shop:manager", "--node-tag", "gpu")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--node-tag is for a database" in errors


def test_where_nobody_reads_what_it_tells_the_jobs_go_on(start, tmp_path):
    process = start("shop:manager", "--drain", "0")
    until(process, "tick")
    assert process.stdout is not None
    process.stdout.close()
    before = len(statuses(tmp_path / "own.db", "tick"))
    give_up = time.monotonic() + 60
    while len(statuses(tmp_path / "own.db", "tick")) < before + 3:
        assert process.poll() is None
        assert time.monotonic() < give_up
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert process.returncode == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_second_signal_hurries(start, tmp_path):
    process = start("shop:manager", "--drain", "50")
    until(process, "slow begins")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if "stopping" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 130
    assert statuses(tmp_path / "own.db", "slow")[-1] is ExecutionStatus.CANCELLED


def test_a_thread_that_had_to_be_let_go_of_is_told_of_with_its_job(start, tmp_path):
    """It has no more than the ten seconds that all have who are asked to end."""
    process = start("shop:manager", "--drain", "0")
    until(process, "tick")
    on(tmp_path / "own.db", lambda manager: manager.run_job("shop:stubborn"))
    until(process, "stubborn begins")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "aurora: a callback of 'stubborn' did not end, and was let go of" in errors


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("shop", "'shop' names no manager; accepted: MODULE:NAME, like shop.jobs:manager"),
        ("nowhere:manager", "module nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("shop:absent", "absent in module shop is not there; it must be a SchedulerManager"),
        ("shop:tick", "tick in module shop is a function; it must be a SchedulerManager"),
    ],
)
def test_what_is_no_manager_is_told(start, named, said):
    process = start(named)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in errors


def test_a_file_that_is_no_database_is_told_of_without_a_traceback(start, tmp_path):
    (tmp_path / "letter.txt").write_text("dear all, " * 1000)
    process = start("--db", "letter.txt")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "letter.txt" in errors
