"""The demo as a user sees it: its processes, for real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE = 60.0


def wait_for(fact: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + DEADLINE
    while not fact():
        assert time.monotonic() < give_up, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits to be collected is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


class Demo:
    """The command, running; its temporary files are in a directory of the test's."""

    def __init__(self, tmp_path: Path, *words: str) -> None:
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "one.txt").write_text("one")
        self.temporary = tmp_path / "temporary"
        self.temporary.mkdir()
        self.output = tmp_path / "output.txt"
        command = [sys.executable, "-m", "aurora_scheduler.cli", "demo", "--seconds", "8", "--path", "files", *words]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env=os.environ | {"TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def children(self) -> list[int]:
        """The scheduler's processes, as the demo named them."""
        return [int(pid) for pid in re.findall(r"in process (\d+)", self.said)]

    def ends(self) -> int:
        """Wait for the end; no process is left then."""
        code = self.process.wait(DEADLINE)
        assert self.children, self.said
        assert not any(map(is_running, self.children)), self.said
        return code


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    running: list[Demo] = []

    def run(*words: str) -> Demo:
        running.append(Demo(tmp_path, *words))
        return running[-1]

    yield run
    for each in running:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()


def test_the_demo_kills_its_scheduler_and_loses_nothing(demo, tmp_path):
    played = demo("--db", "kept.db")
    assert played.ends() == 0, played.said
    said = played.said
    assert re.search(r"KILLED process \d+ \(SIGKILL\) while \w+ ran", said)
    assert "STARTED again on the same file" in said
    assert len(set(played.children)) == 2
    for name in ("index", "backup", "ask", "once", "flaky"):
        assert re.search(rf"{name} +succeeded ", said), said
    assert said.count("nobody there yet") >= 2
    assert "index   succeeded  1 file, 3 bytes" in said
    assert "backup beside the database: kept-backup.db" in said
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    counts = re.match(r"Nothing was lost: (\d+) firings due, (\d+) recorded \(", last)
    assert counts is not None, last
    assert counts[1] == counts[2]
    assert list(played.temporary.iterdir()) == []
    listed = subprocess.run(
        [sys.executable, "-m", "aurora_scheduler.cli", "history", "--db", "kept.db", "--status", "succeeded"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(re.findall("  once  ", listed.stdout)) == 1, "a one-off ran again after the restart"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_leaves_nothing_behind(demo, number):
    played = demo()
    wait_for(lambda: "flaky" in played.said, "work")
    os.killpg(played.process.pid, number) if number == signal.SIGINT else played.process.send_signal(number)
    assert played.ends() == 130, played.said
    assert "Traceback" not in played.said
    assert list(played.temporary.iterdir()) == []


def test_a_scheduler_whose_parent_was_killed_ends_by_itself(demo):
    played = demo()
    wait_for(lambda: "flaky" in played.said, "work")
    played.process.kill()
    played.process.wait()
    wait_for(lambda: not any(map(is_running, played.children)), "the end of the scheduler's process")


def test_a_scheduler_that_dies_by_itself_ends_the_demo_with_its_last_words(demo):
    played = demo()
    wait_for(lambda: played.children, "the start")
    os.kill(played.children[0], signal.SIGKILL)
    assert played.ends() == 1, played.said
    assert "aurora: the scheduler's process ended with -9" in played.said


def test_a_file_that_is_there_is_not_played_with(aurora, tmp_path):
    (tmp_path / "mine.db").write_text("mine")
    result = aurora("demo", "--db", "mine.db")
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert (tmp_path / "mine.db").read_text() == "mine"


@pytest.mark.parametrize(
    "words", [["--path", "nowhere"], ["--seconds", "1"], ["--db", ":memory:"], ["--db", "postgresql://host/jobs"]]
)
def test_wrong_usage_of_the_demo_ends_with_2(aurora, tmp_path, words):
    assert aurora("demo", *words).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_an_error_in_one_line(aurora):
    result = aurora("demo", "--db", "nowhere/demo.db")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert result.stderr.count("\n") == 1
