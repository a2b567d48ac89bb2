"""`aurora run` in a terminal: the table of its jobs, as a person sees it."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_scheduler import SchedulerManager
from cli.conftest import on
from cli.terminal import Screen, Terminal

PROGRAM = """
import logging

import trio


def tick():
    return "tick tock"


def careful():
    logging.getLogger("shop").warning("careful with that axe")
    print("printed by the callback")


async def slow():
    await trio.sleep(3600)
"""

Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """To run `aurora run` with some words in a terminal, in a directory with the module `shop` and the database."""
    (tmp_path / "shop.py").write_text(PROGRAM)

    def begin(*words: str, program: tuple[str, ...] = ("-m", "aurora_scheduler.cli"), **options) -> Terminal:
        variables = {"AURORA_SCHEDULER_DB": "jobs.db", **options.pop("variables", {})}
        return Terminal([sys.executable, *program, "run", *words], tmp_path, variables, **options)

    return begin


def create(path: Path, *jobs: tuple[str, str, str]) -> None:
    """Jobs of these names, schedules and functions of `shop`, which need not be importable here."""

    async def make(manager: SchedulerManager) -> None:
        for name, schedule, function in jobs:
            await manager.create_job(name=name, schedule=schedule, callback=f"shop.{function}", job_id=name)

    sys.path.insert(0, str(path.parent))
    sys.modules.pop("shop", None)  # another one, of another test
    try:
        on(path, make)
    finally:
        sys.path.remove(str(path.parent))
        sys.modules.pop("shop", None)


@pytest.fixture
def database(start: Start, tmp_path: Path) -> Path:
    """Two jobs: one fires every second, the other never while anybody looks."""
    path = tmp_path / "jobs.db"
    create(path, ("tick", "every 1 second", "tick"), ("yearly", "0 0 1 1 *", "tick"))
    return path


def runs_of(path: Path, job_id: str) -> int:
    return len(on(path, lambda manager: manager.get_executions(job_id, "succeeded")))


def row_of(screen: Screen, job: str) -> list[str]:
    """The cells of a job's row in the table."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in screen.seen if line.startswith("│")]
    return next((row for row in rows if len(row) == 6 and row[0] == job), [""] * 6)


def headers(screen: Screen) -> list[str]:
    return [line for line in screen.seen if "next firing" in line]


def ended(screen: Screen, job: str) -> list[str]:
    """The lines of executions of a job, below the table."""
    return [line for line in screen.seen if re.match(r"\d{4}-", line) and f"  {job}  " in line]


def test_the_table_tells_of_each_job_and_the_lines_below_it_of_what_has_ended(start, database):
    with start() as terminal:
        terminal.until(lambda screen: len(ended(screen, "tick")) >= 2, "two executions")
        terminal.until(lambda screen: row_of(screen, "tick")[4] == "tick tock", "the last result in the table")
        name, schedule, status, next_firing, result, running = row_of(terminal.screen, "yearly")
        assert (name, schedule, status) == ("yearly", "0 0 1 1 *", "active")
        assert re.fullmatch(r"in \d+ (d|h|min)( \d+ (h|min))?", next_firing)
        assert (result, running) == ("", "")
        assert "succeeded" in ended(terminal.screen, "tick")[-1]
        assert len(headers(terminal.screen)) == 1, "it is drawn in its place"


def test_the_terminal_is_left_in_order(start, database):
    with start() as terminal:
        terminal.until(lambda screen: row_of(screen, "tick")[4] == "tick tock", "an execution")
        assert not terminal.screen.has_cursor
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.screen.has_cursor
        assert terminal.modes == terminal.before
        assert "stopping: what runs has 30.0 s; a second signal hurries" in str(terminal.screen)
        assert row_of(terminal.screen, "tick")[4] == "tick tock", "the last of it stays to be read"


def test_a_second_signal_hurries(start, tmp_path):
    create(tmp_path / "jobs.db", ("slow", "in 1 second", "slow"))
    with start("--drain", "3000") as terminal:
        terminal.until(lambda screen: row_of(screen, "slow")[5:] == ["1"], "that it runs")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until(lambda screen: "stopping" in str(screen), "that it stops")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        assert terminal.screen.has_cursor
        assert "hurrying" in str(terminal.screen)
        assert row_of(terminal.screen, "slow")[5:] == [""], "it runs no more"


def test_what_is_logged_or_printed_meanwhile_stands_above_the_table(start, tmp_path):
    create(tmp_path / "jobs.db", ("careful", "every 1 second", "careful"))
    with start() as terminal:
        terminal.until(lambda screen: len(ended(screen, "careful")) >= 3, "three executions")
        terminal.until(lambda screen: str(screen).count("printed by the callback") >= 2, "what it prints")
        seen = terminal.screen.seen
        assert len(headers(terminal.screen)) == 1
        table = seen.index(headers(terminal.screen)[0])
        assert [place for place, line in enumerate(seen) if line.endswith("WARNING careful with that axe")][-1] < table
        assert [place for place, line in enumerate(seen) if line == "printed by the callback"][-1] < table


def test_of_very_many_jobs_those_are_shown_that_fire_next_and_how_many_more_there_are(start, tmp_path):
    others = [(f"job-{number}", f"in {number + 2} hours", "tick") for number in range(700)]
    create(tmp_path / "jobs.db", *others, ("tick", "every 1 second", "tick"))
    with start(rows=20) as terminal:
        terminal.until(lambda screen: ended(screen, "tick"), "an execution")
        terminal.until(lambda screen: row_of(screen, "job-1")[3].startswith("in "), "the next to fire")
        shown = [line for line in terminal.screen.seen if line.startswith("│")]
        told = next(line for line in terminal.screen.seen if line.endswith(" more"))
        assert told == f"and {701 - len(shown)} more"
        assert 2 < len(shown) < 20
        assert row_of(terminal.screen, "tick")[0] == "tick"
        assert row_of(terminal.screen, "job-0")[3] in ("in 2 h", "in 1 h 59 min")
        assert terminal.screen.seen[0] == "" or headers(terminal.screen), "its head is in sight"


def test_jobs_that_another_process_makes_come_into_sight(start, database):
    with start() as terminal:
        terminal.until(lambda screen: row_of(screen, "yearly")[0], "the table")
        create(database, ("later", "every 1 hour", "tick"))
        terminal.until(lambda screen: row_of(screen, "later")[3].startswith("in "), "the new job")


WITHOUT_RICH = "import sys; sys.modules['rich'] = None; from aurora_scheduler.cli import main; main()"


def test_where_nobody_sees_it_any_more_the_jobs_go_on(start, database):
    with start() as terminal:
        terminal.until(lambda screen: row_of(screen, "tick")[4] == "tick tock", "an execution")
        terminal.hang_up()
        before, give_up = runs_of(database, "tick"), time.monotonic() + 60
        while runs_of(database, "tick") < before + 3:
            assert terminal.process.poll() is None
            assert time.monotonic() < give_up
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(60) == 0


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--plain"], {}),
        ([], {"variables": {"TERM": "dumb"}}),
        ([], {"program": ("-c", WITHOUT_RICH)}),
    ],
    ids=["asked for", "a dumb terminal", "without rich"],
)
def test_where_there_is_no_table_there_are_plain_lines(start, database, words, options):
    with start(*words, **options) as terminal:
        terminal.until(lambda screen: len(ended(screen, "tick")) >= 2, "two executions")
        assert "\x1b" not in terminal.written
        assert not headers(terminal.screen)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0


def test_quiet_shows_nothing_while_all_is_well(start, database):
    with start("--quiet") as terminal:
        terminal.until(lambda screen: "ok; 2 jobs" in str(screen), "that it runs")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert not headers(terminal.screen)
        assert not ended(terminal.screen, "tick")


def test_errors_that_were_sent_elsewhere_go_there(start, database, tmp_path):
    with (tmp_path / "errors.txt").open("wb") as errors, start(errors=errors.fileno()) as terminal:
        terminal.until(lambda screen: row_of(screen, "tick")[4] == "tick tock", "an execution")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert "stopping" not in terminal.written
    assert "stopping" in (tmp_path / "errors.txt").read_text()
