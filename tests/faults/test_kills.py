"""A process is killed, again and again, on one database; then one comes to its end, and the promises are held to it.

Quick by default. With HYPOTHESIS_PROFILE=thorough each named point is died at ten times, and hundreds of kills come at
random instants. FAULTS_ROUNDS says how many rounds of both instead, FAULTS_SEED what they are drawn from, and
FAULTS_PATIENCE how many times longer than promised progress may take: 1 on a machine that does nothing else.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.options import read_options
from faults.killing import Life, NeverThereError
from faults.points import CALLS, FILES, FIRING

Settle = Callable[[Life], None]

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "10" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "1"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
#: Random kills in a life; a round has a life for each facade, but the only round of the quick half has one life.
KILLS = 10
FACADES = ("asyncio", "trio", "plain")
#: These come by often, so that any passing of the first few will do.
OFTEN = frozenset(
    f"{phase}-{kind}"
    for kind in ("claim", "end", "retry", "create", "run", "pause")
    for phase in ("before", "in", "after")
) | {"claimed-not-started", "callback-before-effect", "callback-after-effect", "callback-returned", "answered-run"}


def _deliveries() -> list[str]:
    """The ways of delivery that are built: one that is refused as not available yet is left out until it is."""
    built = []
    for delivery in ("at_least_once", "at_most_once"):
        try:
            read_options({"delivery": delivery}, "UTC")
        except (OptionError, ScheduleError):
            continue
        built.append(delivery)
    return built


@pytest.fixture(params=_deliveries())
def delivery(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("points", [FIRING, CALLS, FILES], ids=["firing", "calls", "files"])
def test_a_kill_at_each_named_point_breaks_no_promise(
    points: tuple[str, ...], turn: int, delivery: str, tmp_path: Path, settle: Settle
):
    chance = random.Random(f"{SEED} {points[0]} {turn} {delivery}")
    life = Life(tmp_path, chance.randrange(1 << 30), delivery, FACADES[turn % len(FACADES)])
    for point in points:
        if point.endswith("miss"):
            time.sleep(2.1)  # nobody is there for two instants of what fires every second: a backlog
        if point.endswith(("stop", "close")):
            life.dies_at(point, seconds=0.2)
        else:
            life.dies_at(point, chance.randint(1, 4) if turn and point in OFTEN else 1)
    life.lives(3)
    settle(life)


@pytest.mark.parametrize("facade", FACADES if ROUNDS > 1 else FACADES[:1])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_at_random_instants_break_no_promise(
    turn: int, facade: str, delivery: str, tmp_path: Path, settle: Settle
):
    chance = random.Random(f"{SEED} {facade} {turn} {delivery}")
    life = Life(tmp_path, chance.randrange(1 << 30), delivery, facade)
    for _ in range(KILLS):
        life.dies_after(chance.uniform(0.2, 3.0 if ROUNDS > 1 else 1.5))
    life.lives(3)
    settle(life)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_of_the_owner_and_of_the_standby_break_no_promise(
    turn: int, delivery: str, tmp_path: Path, settle: Settle
):
    chance = random.Random(f"{SEED} two {turn} {delivery}")
    life = Life(tmp_path, chance.randrange(1 << 30), delivery, FACADES[turn % len(FACADES)])
    kills = KILLS if ROUNDS > 1 else 4
    life.struggles([(chance.uniform(0.5, 3.0), chance.randrange(2)) for _ in range(kills)])
    settle(life)


def test_a_victim_that_never_comes_to_its_point_is_told(tmp_path: Path):
    life = Life(tmp_path)
    with pytest.raises(NeverThereError, match="never died at 'in-migrate'"):
        life.dies_at("in-migrate", 2, seconds=0.1)
