"""Kills, takeovers and outages on a database that a server has: the promises are those of a file.

Quick by default; with HYPOTHESIS_PROFILE=thorough, or FAULTS_ROUNDS, ten times as much.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from aurora_scheduler import CronService
from faults.callbacks import work
from faults.fleet import Fleet
from faults.killing import Life
from faults.ordeal import Ordeal
from faults.settings import PATIENCE, ROUNDS, SEED
from support.cluster import Server

pytestmark = pytest.mark.lengthy

Settle = Callable[..., None]
Tell = Callable[[str, dict[str, object]], None]

KILLS = 10 if ROUNDS > 1 else 4
#: In seconds: what a process that was killed had begun is recovered within five.
_RECOVERED = 8
#: In seconds, by what has happened to a process, until all that it had is fired by somebody; and a second for its turn.
WITHIN = {"killed": 6.0, "stopped": 3.0, "frozen": 21.0, "cut off": 21.0, "reset": 3.0, "without a server": 6.0}


@pytest.fixture
def server() -> Iterator[Server]:
    """One of the test's own, which can crash."""
    made = Server()
    yield made
    made.close()


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_kills_at_random_instants_break_no_promise(turn: int, delivery: str, url: str, tmp_path: Path, settle: Settle):
    chance = random.Random(f"{SEED} {delivery} {turn}")
    facade = ("asyncio", "trio", "plain")[turn % 3]
    with Life(tmp_path, chance.randrange(1 << 30), delivery, facade, url=url) as life:
        for _ in range(KILLS):
            life.dies_after(chance.uniform(0.3, 2.5))
        life.lives(_RECOVERED)
    settle(life)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_of_the_owner_and_of_the_standby_break_no_promise(turn: int, url: str, tmp_path: Path, settle: Settle):
    chance = random.Random(f"{SEED} two {turn}")
    with Life(tmp_path, chance.randrange(1 << 30), url=url) as life:
        life.struggles([(chance.uniform(0.1, 2.5), chance.randrange(2)) for _ in range(KILLS if ROUNDS > 1 else 3)])
    settle(life)


def test_what_happens_to_one_process_is_made_good_by_the_others(server: Server, tmp_path: Path, tell: Tell):
    chance = random.Random(SEED)
    with Fleet(tmp_path, server, SEED) as fleet:
        acts = (fleet.kill, fleet.stop, fleet.freeze, fleet.cut_off, fleet.reset, fleet.crash)
        for _ in range(ROUNDS):
            for act in chance.sample(acts, len(acts)):
                act()
        fleet.end()
        tell("three processes that share sixty jobs", fleet.figures())
        fleet.check()
    for how, within in WITHIN.items():
        late = [took for took in fleet.recoveries[how] if took > within + PATIENCE]
        assert not late, f"more than {within} s after a process was {how}: {late}"


def test_whatever_happens_to_whomever_while_others_are_not_well_no_firing_is_lost(
    server: Server, tmp_path: Path, tell: Tell
):
    minutes = float(os.environ.get("FAULTS_MINUTES", "10" if ROUNDS > 1 else "1"))
    jobs = 1000 if minutes > 1 else 200  # beside other tests
    with Ordeal(tmp_path, server, SEED, jobs=jobs) as fleet:
        fleet.last_for(minutes * 60)
        fleet.end()
        tell(f"{minutes:g} minutes of five processes that share {jobs} jobs", fleet.figures())
        tell("what was done to them", dict(Counter(fleet.done)))
        fleet.check()
        assert not fleet.complaints
    for how, within in WITHIN.items():
        late = [took for took in fleet.recoveries[how] if took > within + PATIENCE]
        assert not late, f"more than {within} s after a process was {how}: {late}"


def test_a_server_that_crashes_and_comes_back_costs_no_firing_and_doubles_none(server: Server, tell: Tell):
    away = []
    with CronService(server.url, timezone="UTC") as cron:
        jobs = [
            cron.schedule_relative(name=str(number), relative_time="every 1 second", callback=work)
            for number in range(20)
        ]
        for _ in range(2 * ROUNDS):
            time.sleep(1.5)
            server.stop()
            time.sleep(1)
            assert cron.health().status == "degraded"
            server.start()
            back = time.monotonic()
            while cron.health().status != "ok":
                time.sleep(0.02)
            away.append(time.monotonic() - back)
        time.sleep(1.5)
        rows = {job_id: cron.get_executions(job_id, limit=1000) for job_id in jobs}
    tell("a server that crashes", {"until all is well again, longest": f"{max(away):.2f} s"})
    assert max(away) < 5 * PATIENCE
    for its in rows.values():
        instants = [row for row in sorted(its, key=lambda row: row.scheduled_for) if row.attempt == 1]
        for before, after in pairwise(instants):
            gap = (after.scheduled_for - before.last_scheduled_for).total_seconds()
            assert gap == 1, f"{before} and then {after}"
        assert not [row for row in its if row.attempt > 1], "nothing was run again: no process has died"
