"""Three processes on one file; the owner is killed, stopped or frozen, and there is never more than one.

Quick by default; with HYPOTHESIS_PROFILE=thorough, or FAULTS_ROUNDS, fifty takeovers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults.contest import Contest
from faults.settings import PATIENCE, ROUNDS, SEED

#: What is done in each round, in an order of its own: five takeovers, as killing hastily makes two.
ROUND = ("kill", "kill", "kill hastily", "stop", "freeze")
#: In seconds, until the next owner fires.
WITHIN = 2.0


def test_owners_that_are_killed_or_stopped_are_followed_by_one_and_frozen_ones_by_none(
    tmp_path: Path, tell: Callable[[str, dict[str, object]], None]
):
    chance = random.Random(SEED)
    with Contest(tmp_path, SEED) as contest:
        acts = {
            "kill": contest.kill,
            "kill hastily": partial(contest.kill, hastily=True),
            "stop": contest.stop,
            "freeze": contest.freeze,
        }
        for _ in range(ROUNDS):
            for act in chance.sample(ROUND, len(ROUND)):
                acts[act]()
        contest.end()
        tell("takeovers", contest.figures())
        contest.check()
        assert contest.two_owners() == []
    assert len(contest.takeovers) == 5 * ROUNDS
    late = [each for each in contest.takeovers if each.seconds is not None and each.seconds > WITHIN * PATIENCE]
    assert not late, f"more than {WITHIN} s: {late}"
