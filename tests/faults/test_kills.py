"""A process is killed, again and again, on one database; then one comes to its end, and the promises are held to it.

Quick by default. With HYPOTHESIS_PROFILE=thorough each named point is died at ten times, and hundreds of kills come at
random instants. FAULTS_ROUNDS says how many rounds of both instead, FAULTS_SEED what they are drawn from, and
FAULTS_PATIENCE how many times longer than promised progress may take: 1 on a machine that does nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from aurora_scheduler.errors import OptionError, ScheduleError
from aurora_scheduler.options import read_options
from faults.killing import Life, NeverThereError
from faults.points import POINTS
from faults.settings import ROUNDS, SEED

Settle = Callable[..., None]

#: Random kills in a life.
KILLS = 10 if ROUNDS > 1 else 5
FACADES = ("asyncio", "trio", "plain")
#: So many lives go on side by side: a victim mostly waits.
BESIDE = 3
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


def _lives(directory: Path, delivery: str, turn: int, names: Iterable[str]) -> list[tuple[Life, random.Random]]:
    """New lives, each with a source of chance of its own; what they are called by decides it."""
    lives = []
    for number, name in enumerate(names):
        chance = random.Random(f"{SEED} {delivery} {turn} {name}")
        place = directory / str(number)
        place.mkdir()
        life = Life(place, chance.randrange(1 << 30), delivery, FACADES[(turn + number) % len(FACADES)])
        lives.append((life, chance))
    return lives


def _side_by_side(calls: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(BESIDE) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()


@pytest.mark.lengthy
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_kill_at_each_named_point_breaks_no_promise(turn: int, delivery: str, tmp_path: Path, settle: Settle):
    def live_and_die(life: Life, chance: random.Random, points: tuple[str, ...]) -> None:
        with life:
            for point in points:
                if point.endswith("miss"):
                    time.sleep(2.1)  # nobody is there for two instants of what fires every second: a backlog
                if point.endswith(("stop", "close")):
                    life.dies_at(point, seconds=0.2)
                else:
                    life.dies_at(point, chance.randint(1, 4) if turn and point in OFTEN else 1)
            life.lives(3)

    lives = _lives(tmp_path, delivery, turn, POINTS)
    _side_by_side(partial(live_and_die, *each, POINTS[name]) for each, name in zip(lives, POINTS, strict=True))
    settle(*(life for life, _ in lives))


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_at_random_instants_break_no_promise(turn: int, delivery: str, tmp_path: Path, settle: Settle):
    def live_and_die(life: Life, chance: random.Random) -> None:
        with life:
            for _ in range(KILLS):
                life.dies_after(chance.uniform(0, 2.5 if ROUNDS > 1 else 1.5))
            life.lives(3)

    lives = _lives(tmp_path, delivery, turn, (f"random {number}" for number in range(BESIDE if ROUNDS > 1 else 2)))
    _side_by_side(partial(live_and_die, *each) for each in lives)
    settle(*(life for life, _ in lives))


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_of_the_owner_and_of_the_standby_break_no_promise(
    turn: int, delivery: str, tmp_path: Path, settle: Settle
):
    ((life, chance),) = _lives(tmp_path, delivery, turn, ["two"])
    with life:
        life.struggles([(chance.uniform(0.1, 2.5), chance.randrange(2)) for _ in range(KILLS if ROUNDS > 1 else 3)])
    settle(life)


def test_a_victim_that_never_comes_to_its_point_is_told(tmp_path: Path):
    with Life(tmp_path) as life, pytest.raises(NeverThereError, match="never died at 'in-migrate'"):
        life.dies_at("in-migrate", 2, seconds=0.1)
