"""The engine, the rules and the store, together, do what the specification told once more says they must.

Programs of events (calls, time, crashes, a clock that is set, a store that is away) are given to the real scheduler on
a file and to a reference that shares no code with it. After each event the same rows must stand, and the same must be
known of each job.
"""

from __future__ import annotations

import ast
import inspect
import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import reference, reference_jobs
from support.reference_programs import Event, draw_program, programs, random_program
from support.reference_runs import Tally, run


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Every crash and every try at a store that is away is logged otherwise."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@settings(suppress_health_check=list(HealthCheck))
@given(programs(24), st.integers(0, 1000))
def test_whatever_happens_what_stands_is_what_must_stand(program: list[Event], order: int):
    run(program, order)


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Some long programs of plain chance: `python -m support.reference_runs` runs thousands."""
    tally = Tally()
    for number in range(100):
        run(random_program(number, 50), number, tally)
    return tally


def test_long_lives_by_chance_agree_too(tally):
    assert tally.runs == 100
    assert tally.comparisons > 3_000


@pytest.mark.parametrize(
    "event",
    [
        "away_or_back", "cancel", "crash_or_start", "create", "delete", "edit", "lose_answers", "pass_time", "pause",
        "resume", "run_by_hand", "set_clock", "start_at_grace",
    ],
)  # fmt: skip
def test_each_kind_of_event_happens_in_them(tally, event):
    assert tally.events[event] > 0


@pytest.mark.parametrize(
    "outcome",
    [
        "cancelled cancelled by hand", "cancelled deactivated", "cancelled deleted", "cancelled paused",
        "cancelled superseded", "failed", "failed recovered", "lost the process died", "missed deleted",
        "missed edited", "missed misfire", "missed paused", "skipped overlap", "skipped superseded", "succeeded",
        "succeeded backlog", "succeeded queued", "succeeded recovered", "timed_out timeout", "job active",
        "job deactivated", "job finished", "job paused",
    ],
)  # fmt: skip
def test_they_come_to_every_outcome(tally, outcome):
    assert tally.reached[outcome] > 0


@pytest.mark.parametrize("module", [reference, reference_jobs])
def test_the_reference_shares_no_code_with_what_it_is_compared_with(module):
    tree = ast.parse(inspect.getsource(module))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name is not None and name.startswith("aurora_scheduler")}
    assert ours <= {"aurora_scheduler.model", "aurora_scheduler.schedules"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import) and "aurora" in ast.unparse(node)]


def test_a_program_is_the_same_each_time():
    assert random_program(7, 50) == random_program(7, 50)
    assert len(random_program(7, 50)) == 50
    assert draw_program(lambda choices: choices[0], 10)[1] == ("crash_or_start",)
