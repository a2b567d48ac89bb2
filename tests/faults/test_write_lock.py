"""Several processes write to one file as fast as they can, and some are killed in the midst of a transaction."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import aurora_scheduler
from faults.cradle import Cradle
from faults.journal import Line, read
from faults.recorded import is_sound
from faults.settings import PATIENCE, ROUNDS, SEED

SIZE = 3
#: Half of them at a point of their own choosing, with a transaction open or a checkpoint under way; half from outside.
DEATHS = 8 * ROUNDS
POINTS = ("before-create", "in-create", "in-edit", "in-delete", "during-checkpoint", "after-edit")
#: For so long a writer waits for the lock before it gives up.
LOCK_PATIENCE = 5.0

_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_DEADLINE = 60.0


class Scribe:
    """A process that writes, and another in its place when it has died."""

    def __init__(self, directory: Path, number: int, cradle: Cradle, chance: random.Random) -> None:
        self.directory = directory
        self.cradle = cradle
        self._number = number
        self._chance = chance
        self._lives = 0
        self.point = ""
        self.deaths = 0

    def lives(self, point: str = "") -> None:
        self._lives += 1
        self.point = point
        told = {
            "SCRIBE_DATABASE": str(self.directory / "jobs.db"),
            "SCRIBE_JOURNAL": str(self.directory / "journal.txt"),
            "SCRIBE_SEED": f"{SEED} {self._number} {self._lives}",
            "KILL_AT": point,
            "KILL_ON": str(self._chance.randint(1, 20) if point != "during-checkpoint" else 1),
        }
        self.cradle.bear(told, self.directory, self._errors, "faults.scribe")

    def dies(self) -> bool:
        """By a signal; or at its point, if it comes there, which is what is answered: only the owner moves the log."""
        self.deaths += 1
        if self.point and self.cradle.ended(self._chance.uniform(1, 2)) == -signal.SIGKILL:
            return True
        self.cradle.send(signal.SIGKILL)
        code = self.cradle.ended(_DEADLINE)
        assert code == -signal.SIGKILL, f"it ended by itself, with {code}: {self._errors.read_text()}"
        return False

    def stops(self) -> None:
        self.cradle.send(signal.SIGTERM)
        code = self.cradle.ended(_DEADLINE)
        assert (code, self._errors.read_text()) == (0, "")

    @property
    def _errors(self) -> Path:
        return self.directory / f"errors-{self._number}-{self._lives}.txt"


def test_writers_that_are_killed_hold_nobody_up_and_what_was_acknowledged_is_there(
    tmp_path: Path, tell: Callable[[str, dict[str, object]], None]
):
    chance = random.Random(SEED)
    with ExitStack() as stack:
        scribes = []
        for number in range(SIZE):
            cradle = Cradle(_SOURCE)
            stack.callback(cradle.close)
            scribes.append(Scribe(tmp_path, number, cradle, chance))
            scribes[-1].lives()
        at_points = 0
        for turn in range(DEATHS):
            time.sleep(chance.uniform(0, 0.4))
            scribe = chance.choice(scribes)
            at_points += scribe.dies()
            scribe.lives(chance.choice(POINTS) if turn % 2 else "")
        for scribe in scribes:
            if scribe.point:  # it is not to die of it after all
                at_points += scribe.dies()
                scribe.lives()
        time.sleep(0.5)
        for scribe in scribes:
            scribe.stops()
    lines = read(tmp_path / "journal.txt")
    waits = [line["seconds"] for line in lines if line.what == "answered"]
    figures = {
        "killed at a point of a transaction": at_points,
        "killed from outside": sum(scribe.deaths for scribe in scribes) - at_points,
        "calls answered": len(waits),
        "calls refused": sum(line.what == "refused" for line in lines),
        "longest wait": f"{max(waits):.3f} s",
    }
    tell("writers killed", figures)
    assert is_sound(tmp_path / "jobs.db")
    assert [line for line in lines if line.what == "refused"] == []
    assert max(waits) < LOCK_PATIENCE * PATIENCE
    check_jobs(tmp_path / "jobs.db", lines)


def check_jobs(database: Path, lines: list[Line]) -> None:
    """Each job is as its last answered call left it, or as the one after that would, if that was never answered."""
    may_be: dict[str, list[int | None]] = {}
    for line in lines:
        if line.what == "asked":
            may_be.setdefault(line["job"], [None]).append(line["turn"])
        elif line.what == "answered":
            may_be[line["job"]] = may_be[line["job"]][-1:]
    with closing(sqlite3.connect(database)) as sql:
        found = {
            job_id: (name, text)
            for job_id, name, text in sql.execute(
                "SELECT id, name, json_extract(callback_args, '$.text') FROM aurora_jobs"
            )
        }
    assert found.keys() <= may_be.keys()
    for job_id, turns in may_be.items():
        name, text = found.get(job_id, (None, None))
        assert name == text, f"half of a transaction: {job_id} is called {name!r} and says {text!r}"
        assert name in [None if turn is None else f"turn {turn}" for turn in turns], f"{job_id}: {name}, not {turns}"
