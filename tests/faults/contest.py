"""Several processes on one file; whichever is the owner is killed, stopped or frozen, and it is seen who comes next.

All of it from outside: the note in the owner's lock file says who owns, the journal who began what and when.
"""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import aurora_scheduler
from faults.contender import JOBS, PERIOD
from faults.cradle import Cradle
from faults.journal import Growing, Journal, Line
from faults.recorded import check_effects, check_firings, is_sound, rows_of

__all__ = ["SECOND", "Contest", "Takeover"]

T = TypeVar("T")

SECOND = 1_000_000
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_DEADLINE = 60.0
_PAUSE = 0.005
#: A frozen owner is left frozen for so many seconds: the others look three times whether it is gone.
_FROZEN = 1.6


@dataclass(frozen=True)
class Takeover:
    """From one owner to the next; `seconds` until the next one's first callback, None where it was killed before."""

    how: str
    seconds: float | None


@dataclass
class Contender:
    """A process, and where it comes from."""

    cradle: Cradle
    said: Path
    pid: int


@dataclass
class Contest:
    """A file and its contenders. A context: at its end none of them is left."""

    directory: Path
    seed: int
    size: int = 3
    takeovers: list[Takeover] = field(default_factory=list)
    freezes: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._births = 0
        self._anchor = time.time_ns() // 1000 // SECOND * SECOND + SECOND
        self._journal = Journal(self._path("journal.txt"))
        self._growing = Growing(self._path("journal.txt"))
        self._contenders: list[Contender] = []

    def __enter__(self) -> Contest:
        for _ in range(self.size):
            contender = Contender(Cradle(_SOURCE), Path(), 0)
            self._contenders.append(contender)
            self._bear(contender)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for contender in self._contenders:
            contender.cradle.close()

    @property
    def database(self) -> Path:
        """The file."""
        return self._path("jobs.db")

    def lines(self) -> list[Line]:
        """What all of them said."""
        return self._growing.lines()

    # -- what is done to the owner ------------------------------------------------------------------------------

    def kill(self, *, hastily: bool = False) -> None:
        """The owner is killed; hastily, the next one too, as soon as it says that it is the owner."""
        owner = self._settled()
        at = self._kills(owner)
        if hastily:
            following = self._wait(lambda: self._noted(but=owner.pid), "the next owner")
            self._bear(owner)
            self.takeovers.append(Takeover("killed", None))
            owner = following
            at = self._kills(owner)
        self._is_followed("killed", owner.pid, at)
        self._bear(owner)

    def stop(self) -> None:
        """The owner is asked to stop, and does."""
        owner = self._settled()
        at = self._now()
        owner.cradle.send(signal.SIGTERM)
        self._is_followed("stopped", owner.pid, at)
        code = owner.cradle.ended(_DEADLINE)
        assert (code, owner.said.read_text()) == (0, ""), f"it ended with {code}: {owner.said.read_text()}"
        self._bear(owner)

    def freeze(self) -> None:
        """The owner stands still for a while, and is still the owner, and goes on."""
        owner = self._settled()
        owner.cradle.send(signal.SIGSTOP)
        self._journal.note("frozen", pid_of=owner.pid)
        frozen = self._now()
        time.sleep(_FROZEN)
        thawed = self._now()
        owner.cradle.send(signal.SIGCONT)
        meanwhile = [line for line in self.lines() if line.what == "begin" and frozen <= line.at < thawed]
        others = [line for line in meanwhile if line.pid != owner.pid]
        assert not others, f"others fired, while the owner was only frozen: {others}"
        first = self._first_begin(thawed)
        assert first.pid == owner.pid, f"{first.pid} fires, and {owner.pid} is the owner"
        self.freezes += 1

    def end(self) -> None:
        """All are asked to stop."""
        self._settled()
        for contender in self._contenders:
            contender.cradle.send(signal.SIGTERM)
        for contender in self._contenders:
            code = contender.cradle.ended(_DEADLINE)
            assert (code, contender.said.read_text()) == (0, ""), f"it ended with {code}: {contender.said.read_text()}"

    # -- what came of it ----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Each instant of each job is in exactly one firing record, and has its effect once."""
        assert is_sound(self.database)
        rows = {job_id: rows_of(self.database, job_id) for job_id in JOBS}
        for job_id, its in rows.items():
            check_firings(its, PERIOD)
            again = [row for row in its if row.attempt > 1]
            assert not (job_id.startswith("at_most_once") and again), f"it is run again, and must not be: {again}"
        for what in ("begin", "end"):
            noted = Counter(line["execution"] for line in self.lines() if line.what == what)
            check_effects((row for its in rows.values() for row in its), noted)

    def two_owners(self) -> list[str]:
        """The moments at which two were owners, by what they recorded and by what they did."""
        rows = [row for job_id in JOBS for row in rows_of(self.database, job_id)]
        wrote: dict[str, list[int]] = {}
        for row in rows:
            if row.owner is not None and row.started is not None:
                # When a lost one ended is what somebody else wrote of it.
                ended = row.started if row.status == "lost" or row.finished is None else row.finished
                wrote.setdefault(row.owner, []).extend((row.started, ended))
        owners = {row.id: row.owner for row in rows}
        did: dict[str, list[int]] = {}
        for line in self.lines():
            if line.what in ("begin", "end"):
                did.setdefault(f"{owners[line['execution']]} (process {line.pid})", []).append(line.at)
        return [*_overlaps(wrote), *_overlaps(did)]

    def figures(self) -> dict[str, object]:
        """What is told of it."""
        told: dict[str, object] = {
            "takeovers": len(self.takeovers),
            "owners frozen, none taken over": self.freezes,
            "moments with two owners": len(self.two_owners()),
        }
        for how in ("killed", "stopped"):
            took = [each.seconds for each in self.takeovers if each.how == how and each.seconds is not None]
            told[f"{how}: median until the next fires"] = f"{statistics.median(took):.3f} s" if took else "-"
            told[f"{how}: longest"] = f"{max(took):.3f} s" if took else "-"
        return told

    # -- inside -------------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self.directory / name

    @staticmethod
    def _now() -> int:
        return time.time_ns() // 1000

    def _bear(self, contender: Contender) -> None:
        self._births += 1
        contender.said = self._path(f"errors-{self._births:03}.txt")
        told = {
            "CONTEST_DATABASE": str(self.database),
            "CONTEST_JOURNAL": str(self._path("journal.txt")),
            "CONTEST_ANCHOR": str(self._anchor),
        }
        contender.pid = contender.cradle.bear(told, self.directory, contender.said, "faults.contender")

    def _kills(self, contender: Contender) -> int:
        at = self._now()
        contender.cradle.send(signal.SIGKILL)
        code = contender.cradle.ended(_DEADLINE)
        assert code == -signal.SIGKILL, f"it ended by itself, with {code}: {contender.said.read_text()}"
        return at

    def _settled(self) -> Contender:
        """All are up, one of them fires; a moment that nobody could foresee has passed. That one."""
        everyone = {contender.pid for contender in self._contenders}
        self._wait(lambda: everyone <= {line.pid for line in self.lines() if line.what == "up"}, "all of them")
        since = self._now()
        firing = self._first_begin(since).pid
        time.sleep(self._random.uniform(0, 0.3))
        (owner,) = [contender for contender in self._contenders if contender.pid == firing]
        return owner

    def _noted(self, *, but: int) -> Contender | None:
        """Who owns, by the note in the lock file, if that is another."""
        with suppress(OSError, IndexError, ValueError):
            pid = int(self._path("jobs.db-aurora.owner").read_text().split()[1])
            for contender in self._contenders:
                if contender.pid == pid != but:
                    return contender
        return None

    def _is_followed(self, how: str, pid: int, at: int) -> None:
        first = self._first_begin(at, but=pid)
        self.takeovers.append(Takeover(how, (first.at - at) / SECOND))

    def _first_begin(self, since: int, but: int | None = None) -> Line:
        """Wait for the first callback since then; of another process, if told so."""

        def look() -> Line | None:
            found = (line for line in self.lines() if line.what == "begin" and line.at >= since and line.pid != but)
            return next(found, None)

        return self._wait(look, "a firing")

    def _wait(self, look: Callable[[], T | None], what: str) -> T:
        give_up = time.monotonic() + _DEADLINE
        while not (found := look()):
            assert time.monotonic() < give_up, (
                f"there is not {what}: {[each.said.read_text() for each in self._contenders]}"
            )
            time.sleep(_PAUSE)
        return found


def _overlaps(moments: dict[str, list[int]]) -> Iterator[str]:
    periods = sorted((min(each), max(each), owner) for owner, each in moments.items())
    for (_, ended, before), (began, _, after) in pairwise(periods):
        if ended > began:
            yield f"{after} began {(ended - began) / SECOND:.6f} s before {before} was over"
