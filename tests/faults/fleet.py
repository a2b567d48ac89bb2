"""Several processes that share the jobs of one PostgreSQL database; some are killed, stopped, frozen or cut off.

All of it from outside: the journal says who began what and when, the database what was recorded.
"""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aurora_scheduler
from faults.contender import job_ids, periods_of
from faults.cradle import Cradle
from faults.journal import Growing, Journal, Line
from faults.recorded import Row, check_firings, rows_by_job
from support import cluster
from support.proxy import Proxy

__all__ = ["Fleet"]

SECOND = 1_000_000
_SOURCE = Path(aurora_scheduler.__file__).parents[1]
_DEADLINE = 60.0
#: In microseconds: later than any that is begun before others find its process dead, by whatever clock.
_LATE = 13 * SECOND
#: Within so many microseconds what is claimed is in the hands of a thread, and begins with whatever that does next.
_HANDED_OVER = 50_000


@dataclass
class Member:
    """A process, its own way to the database, and where it comes from."""

    cradle: Cradle
    proxy: Proxy
    said: Path
    pid: int = 0
    told: dict[str, str] = field(default_factory=dict)


@dataclass
class Fleet:
    """A database and its processes. A context: at its end none of them is left."""

    directory: Path
    server: cluster.Server
    seed: int
    size: int = 3
    jobs: int = 60
    periods: int = 1
    """In seconds: the longest that a job has."""
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By what was done: how many seconds later the last job of that process was fired again, by whomever."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._births = 0
        self._rows: dict[str, list[Row]] = {}
        self._anchor = _now() // SECOND * SECOND + 3 * SECOND
        self._journal = Journal(self.directory / "journal.txt")
        self._growing = Growing(self.directory / "journal.txt")
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        for _ in range(self.size):
            member = Member(Cradle(_SOURCE), Proxy(self.server.url), Path())
            self.members.append(member)
            self._bear(member)
        self._wait(
            lambda: {member.pid for member in self.members} <= {line.pid for line in self._of("up")}, "all of them"
        )
        self._wait(self._is_spread, "a share for each")
        return self

    def __exit__(self, *exc_info: object) -> None:
        for member in self.members:
            member.cradle.send(signal.SIGCONT)
            member.cradle.close()
            member.proxy.__exit__()

    # -- what is done to one of them ----------------------------------------------------------------------------

    def kill(self) -> None:
        """It is killed, and another is begun in its place when its jobs are fired by others."""
        member = self._some()
        its, at = self._jobs_of(member), _now()
        member.cradle.send(signal.SIGKILL)
        member.cradle.ended(_DEADLINE)
        self._is_made_good("killed", its, at)
        self._bear(member)

    def stop(self) -> None:
        """It is asked to stop, and leaves its jobs to the others."""
        member = self._some()
        its, at = self._jobs_of(member), _now()
        member.cradle.send(signal.SIGTERM)
        self._is_made_good("stopped", its, at)
        code = member.cradle.ended(_DEADLINE)
        assert (code, member.said.read_text()) == (0, ""), f"it ended with {code}: {member.said.read_text()}"
        self._bear(member)

    def freeze(self) -> None:
        """It stands still, until its jobs are fired by others; then it goes on, and finds itself without any."""
        member = self._some()
        its, at = self._jobs_of(member), _now()
        self._journal.note("act", how="frozen", to=member.pid)
        member.cradle.send(signal.SIGSTOP)
        self._is_made_good("frozen", its, at)
        member.cradle.send(signal.SIGCONT)
        self._fires_again(member)

    def cut_off(self) -> None:
        """Nothing comes through between it and the database, until its jobs are fired by others."""
        member = self._some()
        its, at = self._jobs_of(member), _now()
        member.proxy.is_silent = True
        self._is_made_good("cut off", its, at, but=member.pid)
        member.proxy.is_silent = False
        self._fires_again(member)

    def reset(self) -> None:
        """All its connections are reset; it connects anew, and goes on with what it has."""
        member = self._some()
        its, at = self._jobs_of(member), _now()
        member.proxy.cut()
        self._is_made_good("reset", its, at)

    def crash(self) -> None:
        """The server crashes, and is there again after two seconds."""
        self._some()
        self.server.stop()
        time.sleep(2)
        self.server.start()
        self._is_made_good("without a server", job_ids(self.jobs), _now())

    def end(self) -> None:
        """All are asked to stop, when all of them have had their share."""
        self._wait(self._is_spread, "a share for each")
        for member in self.members:
            member.cradle.send(signal.SIGTERM)
        for member in self.members:
            code = member.cradle.ended(_DEADLINE)
            assert code == 0, f"it ended with {code}: {member.said.read_text()}"
            assert "Traceback" not in member.said.read_text(), member.said.read_text()
        for member in self.members:
            member.proxy.cut()  # what the server has not noticed is over
        cluster.copy_tables(self.server.url, self.directory / "jobs.db")

    # -- what came of it ----------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All that is recorded, in the end."""
        return [row for its in self._by_job().values() for row in its]

    def check(self) -> None:
        """Each instant of each job is in exactly one firing record; effects agree with them."""
        by_job = self._by_job()
        for job_id, period in periods_of(self.jobs, self.periods).items():
            its = by_job[job_id]
            check_firings(its, period)
            again = [row for row in its if row.attempt > 1]
            assert not (job_id.startswith("at_most_once") and again), f"it is run again, and must not be: {again}"
            unended = [row for row in its if row.status in ("running", "waiting", "cancelling")]
            assert not unended, f"nobody has recovered {unended}"
        rows = {row.id: row for row in self.rows()}
        for what in ("begin", "end"):
            for execution, count in Counter(line["execution"] for line in self._of(what)).items():
                row = rows.get(execution)
                assert row is not None, f"there is no record of {execution}, which has begun"
                assert count == 1, f"{row} had {count} effects"
                assert row.status in ("succeeded", "lost"), f"{row} had an effect"
        for line in self._of("begin"):
            row = rows[line["execution"]]
            if row.status == "lost" and row.started is not None and line.at - row.started > _LATE:
                stood_still = [act.at for act in self._of("act") if (act["how"], act["to"]) == ("frozen", line.pid)]
                told = f"{row} came due while its process stood still, and was begun though it was lost already"
                assert any(0 <= at - row.started < _HANDED_OVER for at in stood_still), told
        ended = {line["execution"] for line in self._of("end")}
        without = [row for row in rows.values() if row.status == "succeeded" and row.id not in ended]
        assert not without, f"these have succeeded, and had no effect: {without}"

    def figures(self) -> dict[str, object]:
        """What is told of it."""
        rows = self.rows()
        counts = Counter(row.status for row in rows)
        late = [
            (row.started - row.scheduled) / 1000
            for row in rows
            if row.status == "succeeded" and row.attempt == 1 and row.started is not None
        ]
        effects = Counter(line["execution"] for line in self._of("end"))
        told: dict[str, object] = {
            "firings": len({(row.scheduled, row.id) for row in rows if row.attempt == 1}),
            **counts,
            "effects of lost attempts": sum(effects[row.id] for row in rows if row.status == "lost"),
            "late, median": f"{statistics.median(late):.1f} ms",
            "late, 99 of 100": f"{statistics.quantiles(late, n=100)[98]:.1f} ms",
        }
        for how, took in self.recoveries.items():
            told[f"{how}: until all its jobs fire"] = f"{statistics.median(took):.2f} s, at most {max(took):.2f}"
        return told

    def _by_job(self) -> dict[str, list[Row]]:
        self._rows = self._rows or rows_by_job(self.directory / "jobs.db")
        return self._rows

    # -- inside -------------------------------------------------------------------------------------------------

    def _bear(self, member: Member) -> None:
        self._births += 1
        member.said = self.directory / f"errors-{self._births:03}.txt"
        told = {
            "CONTEST_DATABASE": member.proxy.url,
            "CONTEST_JOURNAL": str(self.directory / "journal.txt"),
            "CONTEST_ANCHOR": str(self._anchor),
            "CONTEST_JOBS": str(self.jobs),
            "CONTEST_PERIODS": str(self.periods),
            **member.told,
        }
        member.pid = member.cradle.bear(told, self.directory, member.said, "faults.contender")

    def _some(self) -> Member:
        """All have their share; a moment that nobody could foresee has passed. One of them."""
        self._wait(self._is_spread, "a share for each")
        time.sleep(self._random.uniform(0, 1))
        return self._random.choice(self.members)

    def _of(self, what: str) -> list[Line]:
        return [line for line in self._growing.lines() if line.what == what]

    def _lately(self, since: int) -> list[Line]:
        return [line for line in self._of("begin") if line.at >= since]

    def _is_spread(self) -> bool:
        """Whether each has fired something lately, and all jobs were fired."""
        lately = self._lately(_now() - (self.periods + 1) * SECOND)
        everyone = {member.pid for member in self.members}
        return everyone == {line.pid for line in lately} and len({line["job"] for line in lately}) == self.jobs

    def _jobs_of(self, member: Member) -> set[str]:
        last = {line["job"]: line.pid for line in self._of("begin")}
        return {job for job, pid in last.items() if pid == member.pid}

    def _is_made_good(self, how: str, jobs: Iterable[str], at: int, but: int = 0) -> None:
        """Wait until each of these jobs has begun after that, in a firing that was due after it."""
        left = set(jobs)

        def look() -> bool:
            began = {line["job"] for line in self._lately(at + 20_000) if line.pid != but}
            return left <= began

        self._wait(look, f"a firing of each of {sorted(left)}")
        firsts = {}
        for line in self._lately(at + 20_000):
            if line["job"] in left and line.pid != but:
                firsts.setdefault(line["job"], line.at)
        self.recoveries[how].append((max(firsts.values()) - at) / SECOND)

    def _fires_again(self, member: Member) -> None:
        since = _now()
        self._wait(lambda: member.pid in {line.pid for line in self._lately(since)}, "a share for it")

    def _wait(self, look: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + _DEADLINE
        while not look():
            assert time.monotonic() < give_up, (
                f"there is not {what}: {[each.said.read_text() for each in self.members]}"
            )
            time.sleep(0.02)

    def _said(self) -> list[str]:
        return [member.said.read_text() for member in self.members]


def _now() -> int:
    return time.time_ns() // 1000
