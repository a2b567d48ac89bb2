"""The parent: has victims live and die on one file, keeps what each left behind, and has it checked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aurora_scheduler
from faults.journal import Journal

__all__ = ["Life", "NeverThereError", "Victim"]

_TESTS = Path(__file__).parents[1]
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
#: A victim that is to die at a point stops by itself after so many seconds; then it never came there.
_PATIENCE = 20.0
_DEADLINE = 90.0
_FOREVER = 3600.0
_NAMES = ("a", "b")


class NeverThereError(AssertionError):
    """A victim did not die at its point."""


@dataclass
class Life:
    """One database file, over several generations of processes."""

    directory: Path
    seed: int = 0
    delivery: str = "at_least_once"
    facade: str = "asyncio"
    generations: int = 0
    named_kills: int = 0
    random_kills: int = 0
    deaths: list[str] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """The file."""
        return self.directory / "jobs.db"

    @property
    def journal(self) -> Path:
        """What all the victims said."""
        return self.directory / "journal.txt"

    @property
    def snapshots(self) -> list[Path]:
        """The database as each generation left it, oldest first."""
        return [self.directory / f"{number:03}" / "jobs.db" for number in range(1, self.generations + 1)]

    def dies_at(self, point: str, passing: int = 1, *, seconds: float = _PATIENCE) -> None:
        """A victim comes to `point`, and is no more. One that stops sooner, and never came there, is an error."""
        victim = Victim(self, seconds=seconds, kill_at=point, kill_on=passing)
        code = victim.wait()
        if code != -signal.SIGKILL:
            raise NeverThereError(f"the victim never died at {point!r}: it ended with {code}\n{victim.errors()}")
        self.named_kills += 1
        self._keep(f"{point} ({passing})")

    def dies_after(self, seconds: float) -> None:
        """A victim is killed from outside, so many seconds after it was begun."""
        victim = Victim(self, seconds=_PATIENCE)
        try:
            code = victim.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = victim.is_killed()
        if code != -signal.SIGKILL:
            raise AssertionError(f"the victim ended by itself, with {code}\n{victim.errors()}")
        self.random_kills += 1
        self._keep(f"{seconds:.3f} s")

    def lives(self, seconds: float) -> None:
        """A victim comes to its end: it stops the scheduler, and leaves with 0, without a word."""
        victim = Victim(self, seconds=seconds)
        code, errors = victim.wait(), victim.errors()
        if code != 0 or errors:
            raise AssertionError(f"the victim ended with {code}\n{errors}")
        self._keep("stopped")

    def struggles(self, instants: Sequence[tuple[float, int]]) -> None:
        """Two victims live at once, one of them the owner; after so many seconds one is killed, and begun again.

        In the end both are asked to stop, one after the other.
        """
        journal = Journal(self.journal)
        victims = [Victim(self, name=name, seconds=_FOREVER) for name in _NAMES]
        try:
            for seconds, which in instants:
                time.sleep(seconds)
                victims[which].is_killed()
                journal.note("killed", killed=victims[which].process.pid)
                self.random_kills += 1
                self.deaths.append(f"{_NAMES[which]} {seconds:.3f} s")
                victims[which] = Victim(self, name=_NAMES[which], seconds=_FOREVER)
            for victim in victims:
                self._wait_until_it_hears(victim)
            for victim in victims:
                victim.process.terminate()
                code, errors = victim.wait(), victim.errors()
                assert (code, errors) == (0, ""), f"a victim ended with {code}\n{errors}"
        finally:
            for victim in victims:
                victim.is_killed()
        self._keep("stopped")

    def _wait_until_it_hears(self, victim: Victim) -> None:
        give_up = time.monotonic() + _DEADLINE
        said = f'{{"pid": {victim.process.pid}, '
        while not any(line.startswith(said) and '"hears"' in line for line in self.journal.read_text().splitlines()):
            assert victim.process.poll() is None, f"the victim ended by itself\n{victim.errors()}"
            assert time.monotonic() < give_up, f"the victim does not hear\n{victim.errors()}"
            time.sleep(0.02)

    def _keep(self, death: str) -> None:
        """Copy the files as they are: whoever opened them would change them."""
        self.generations += 1
        self.deaths.append(death)
        kept = self.directory / f"{self.generations:03}"
        kept.mkdir()
        for suffix in ("", "-wal"):
            file = Path(f"{self.database}{suffix}")
            if file.exists():
                shutil.copy(file, kept)


class Victim:
    """One process."""

    def __init__(
        self, life: Life, *, seconds: float, kill_at: str | None = None, kill_on: int = 1, name: str = "a"
    ) -> None:
        self._said = life.directory / f"errors-{life.generations + 1:03}-{name}-{len(life.deaths)}.txt"
        told = {
            "VICTIM_DATABASE": str(life.database),
            "VICTIM_JOURNAL": str(life.journal),
            "VICTIM_NAME": name,
            "VICTIM_FACADE": life.facade,
            "VICTIM_SECONDS": str(seconds),
            "VICTIM_SEED": str(life.seed + len(life.deaths)),
            "VICTIM_DELIVERY": life.delivery,
            "KILL_AT": kill_at or "",
            "KILL_ON": str(kill_on),
            "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_TESTS}",
        }
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "faults.victim"],
                cwd=life.directory,
                env=os.environ | told,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def wait(self) -> int:
        """Its end; it is given up, with the stacks of its threads, when there is none."""
        try:
            return self.process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the victim did not end\n{self.errors()}") from None

    def is_killed(self) -> int:
        """`kill -9`; when this returns nothing of it runs any more."""
        self.process.kill()
        return self.wait()

    def errors(self) -> str:
        """What it said beside its journal: nothing, if all is well."""
        return self._said.read_text()
