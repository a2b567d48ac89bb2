"""The parent: has victims live and die on one database, keeps what each left behind, and has it checked."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aurora_scheduler
from faults.cradle import Cradle
from faults.journal import Journal
from support import cluster

__all__ = ["Life", "NeverThereError", "Victim"]

_SOURCE = Path(aurora_scheduler.__file__).parents[1]
#: A victim that is to die at a point stops by itself after so many seconds; then it never came there.
_PATIENCE = 20.0
_DEADLINE = 60.0
_FOREVER = 600.0
_TO_MAKE_GOOD = 2.5
_NAMES = ("a", "b")


class NeverThereError(AssertionError):
    """A victim did not die at its point."""


@dataclass
class Life:
    """One database, over several generations of processes. A context: at its end none of them is left."""

    directory: Path
    seed: int = 0
    delivery: str = "at_least_once"
    facade: str = "asyncio"
    url: str | None = None
    """Of a database on a server; else it is a file."""
    generations: int = 0
    named_kills: int = 0
    random_kills: int = 0
    deaths: list[str] = field(default_factory=list)

    _cradles: dict[str, Cradle] = field(default_factory=dict, init=False, repr=False)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *exc_info: object) -> None:
        while self._cradles:
            self._cradles.popitem()[1].close()

    def cradle(self, name: str) -> Cradle:
        """Where the victims of this name come from."""
        if name not in self._cradles:
            self._cradles[name] = Cradle(_SOURCE)
        return self._cradles[name]

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
        code = victim.ended(seconds)
        if code is None:
            code = victim.is_killed()
        if code != -signal.SIGKILL:
            raise AssertionError(f"the victim ended by itself, with {code}\n{victim.errors()}")
        self.random_kills += 1
        self._keep(f"{seconds:.3f} s")

    def lives(self, seconds: float) -> None:
        """A victim comes to its end: it stops the scheduler, and leaves with 0, without a word."""
        self._see_a_clean_end(Victim(self, seconds=seconds))
        self._keep("stopped")

    def struggles(self, instants: Sequence[tuple[float, int]]) -> None:
        """Two victims live at once, one of them the owner; after so many seconds one is killed.

        The other goes on, and when it is seen to, the one that was killed is begun again. In the end both are asked to
        stop, one after the other, each with time to make good what was lost.
        """
        journal = Journal(self.journal)
        victims = [Victim(self, name=name, seconds=_FOREVER) for name in _NAMES]
        for seconds, which in instants:
            time.sleep(seconds)
            victim = victims[which]
            journal.note("killed", killed=victim.pid)  # before: the other may be the owner before we hear of it
            victim.is_killed()
            self.random_kills += 1
            self.deaths.append(f"{victim.name} {seconds:.3f} s")
            self._wait_until(victims[1 - which], "begin")
            victims[which] = Victim(self, name=victim.name, seconds=_FOREVER)
        for victim in victims:
            self._wait_until(victim, "hears")
        for victim in victims:
            time.sleep(_TO_MAKE_GOOD)
            victim.is_asked_to_stop()
            self._see_a_clean_end(victim)
        self._keep("stopped")

    @staticmethod
    def _see_a_clean_end(victim: Victim) -> None:
        code, errors = victim.wait(), victim.errors()
        if code != 0 or errors:
            raise AssertionError(f"the victim ended with {code}\n{errors}")

    def _wait_until(self, victim: Victim, what: str) -> None:
        """Wait for a line of the victim's in the journal."""
        give_up = time.monotonic() + _DEADLINE
        since = f'{{"pid": {victim.pid}, '
        wanted = f'"what": "{what}"'
        while not any(line.startswith(since) and wanted in line for line in self.journal.read_text().splitlines()):
            assert time.monotonic() < give_up, f"there is no {what!r} of the victim's\n{victim.errors()}"
            code = victim.ended(0.02)
            assert code is None, f"the victim ended with {code}\n{victim.errors()}"

    def _keep(self, death: str) -> None:
        """Copy the files as they are: whoever opened them would change them."""
        self.generations += 1
        self.deaths.append(death)
        kept = self.directory / f"{self.generations:03}"
        kept.mkdir()
        if self.url is not None:
            cluster.copy_tables(self.url, kept / "jobs.db")
            return
        for suffix in ("", "-wal"):
            file = Path(f"{self.database}{suffix}")
            if file.exists():
                shutil.copy(file, kept)


class Victim:
    """One process."""

    def __init__(
        self, life: Life, *, seconds: float, kill_at: str | None = None, kill_on: int = 1, name: str = "a"
    ) -> None:
        self.name = name
        self._said = life.directory / f"errors-{life.generations + 1:03}-{name}-{len(life.deaths)}.txt"
        told = {
            "VICTIM_DATABASE": life.url or str(life.database),
            "VICTIM_JOURNAL": str(life.journal),
            "VICTIM_NAME": name,
            "VICTIM_FACADE": life.facade,
            "VICTIM_SECONDS": str(seconds),
            "VICTIM_SEED": str(life.seed + len(life.deaths)),
            "VICTIM_DELIVERY": life.delivery,
            "KILL_AT": kill_at or "",
            "KILL_ON": str(kill_on),
        }
        self._cradle = life.cradle(name)
        self.pid = self._cradle.bear(told, life.directory, self._said)

    def ended(self, within: float) -> int | None:
        """How it ended, if it did within so many seconds."""
        return self._cradle.ended(within)

    def wait(self) -> int:
        """Its end; it is given up, with the stacks of its threads, when there is none."""
        code = self.ended(_DEADLINE)
        if code is None:
            self._cradle.send(signal.SIGUSR1)
            time.sleep(1)
            self._cradle.send(signal.SIGKILL)
            self.ended(_DEADLINE)
            raise AssertionError(f"the victim did not end\n{self.errors()}")
        return code

    def is_killed(self) -> int:
        """`kill -9`; when this returns nothing of it runs any more."""
        self._cradle.send(signal.SIGKILL)
        return self.wait()

    def is_asked_to_stop(self) -> None:
        """A signal that it listens to."""
        self._cradle.send(signal.SIGTERM)

    def errors(self) -> str:
        """What it said beside its journal: nothing, if all is well."""
        return self._said.read_text()
