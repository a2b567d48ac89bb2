"""A long time in which one thing after the other happens to the processes of a fleet, whether they are well or not."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial

from faults.contender import job_ids, periods_of
from faults.fleet import SECOND, Fleet, Member
from faults.skewed import skew

__all__ = ["Ordeal"]

#: In microseconds: what begins so soon after an act may have been claimed before it.
_CLAIMED = 20_000
_GIVE_UP = 90.0


@dataclass(eq=False)
class Act:
    """What was done to whom, and which jobs have to be fired until it is made good."""

    how: str
    at: int
    left: set[str]
    but: int = 0
    last: int = 0
    is_alone: bool = True
    steps: Generator[None] = field(default_factory=lambda: (_ for _ in ()))
    member: Member | None = None


@dataclass
class Ordeal(Fleet):
    """Five processes; nobody waits until what was done to one of them is made good before the next thing is done."""

    size: int = 5
    jobs: int = 1000
    periods: int = 10
    complaints: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._acts: list[Act] = []
        self._heard = 0
        self._held: dict[str, int] = {}
        self._alive: dict[int, int] = {}
        self._due = {
            job_id: (self._anchor + number * SECOND // self.jobs, period)
            for number, (job_id, period) in enumerate(periods_of(self.jobs, self.periods).items())
        }

    def last_for(self, seconds: float) -> None:
        """Do something every five to twenty seconds; then wait until all of it is made good."""
        end = time.monotonic() + seconds
        turn = time.monotonic()
        acts = (
            *(self._killed, self._stopped, self._frozen, self._cut_off, self._delayed, self._half_open),
            *(partial(self._lost_commit, arrives=True), partial(self._lost_commit, arrives=False)),
            *(self._crashed, self._skewed, self._skewed),
        )
        while time.monotonic() < end or self._acts:
            if turn <= time.monotonic() < end:
                self._do(self._random.choice(acts))
                turn = time.monotonic() + self._random.uniform(5, 20)
            self._go_on()
            time.sleep(0.05)

    def _do(self, act: Callable[[Act, Member], Generator[None]]) -> None:
        busy = [each.member for each in self._acts]
        free = [member for member in self.members if member not in busy]
        if len(free) <= 2:  # somebody has to make it good
            return
        member, at = self._random.choice(free), time.time_ns() // 1000
        its = {job_id for job_id, pid in self._held.items() if pid == member.pid and self._is_soon(job_id, at)}
        made = Act("", at, its, is_alone=not self._acts, member=member)
        for each in self._acts:
            each.is_alone = False
        made.steps = act(made, member)
        next(made.steps)
        self.done.append(made.how)
        self._journal.note("act", how=made.how, to=member.pid)
        self._acts.append(made)

    def _is_soon(self, job_id: str, at: int) -> bool:
        """Whether the job comes due within a second."""
        first, period = self._due[job_id]
        return -(at - first) % period <= SECOND

    def _go_on(self) -> None:
        lines = self._growing.lines()
        for line in lines[self._heard :]:
            if line.what == "begin":
                self._held[line["job"]] = line.pid
                self._alive[line.pid] = line.at
                for act in self._acts:
                    if line["job"] in act.left and line.at > act.at + _CLAIMED and line.pid != act.but:
                        act.left.discard(line["job"])
                        act.last = max(act.last, line.at)
        self._heard = len(lines)
        now = time.time_ns() // 1000
        for act in list(self._acts):
            if next(act.steps, self) is self:
                self._acts.remove(act)
            elif now - act.at > _GIVE_UP * SECOND:
                self.complaints.append(f"{act.how} at {act.at}: not made good, left are {sorted(act.left)[:9]}")
                if act.member is not None:
                    act.member.proxy.is_silent = False
                    act.member.cradle.send(signal.SIGCONT)
                self._acts.remove(act)

    # -- what is done, step by step -----------------------------------------------------------------------------

    def _made_good(self, act: Act) -> Generator[None]:
        while act.left:
            yield
        if act.is_alone and act.last:
            self.recoveries[act.how].append((act.last - act.at) / SECOND)

    def _share(self, member: Member) -> Generator[None]:
        since = time.time_ns() // 1000
        while self._alive.get(member.pid, 0) <= since:
            yield

    def _killed(self, act: Act, member: Member) -> Generator[None]:
        act.how = "killed"
        member.cradle.send(signal.SIGKILL)
        member.cradle.ended(60)
        self._bear(member)
        yield
        yield from self._made_good(act)
        yield from self._share(member)

    def _stopped(self, act: Act, member: Member) -> Generator[None]:
        act.how = "stopped"
        member.cradle.send(signal.SIGTERM)
        yield
        while (code := member.cradle.ended(0)) is None:
            yield
        if code or "Traceback" in member.said.read_text():
            self.complaints.append(f"it ended with {code}: {member.said.read_text()}")
        self._bear(member)
        yield from self._made_good(act)
        yield from self._share(member)

    def _frozen(self, act: Act, member: Member) -> Generator[None]:
        act.how = "frozen"
        member.cradle.send(signal.SIGSTOP)
        yield
        yield from self._made_good(act)
        member.cradle.send(signal.SIGCONT)
        yield from self._share(member)

    def _cut_off(self, act: Act, member: Member) -> Generator[None]:
        act.how, act.but = "cut off", member.pid
        member.proxy.is_silent = True
        yield
        yield from self._made_good(act)
        member.proxy.is_silent = False
        yield from self._share(member)

    def _delayed(self, act: Act, member: Member) -> Generator[None]:
        act.how = "delayed"
        member.proxy.delay = self._random.uniform(0.005, 0.05)  # all wait for who writes
        yield
        yield from self._a_while(5, 15)
        member.proxy.delay = 0.0
        yield from self._made_good(act)

    def _half_open(self, act: Act, member: Member) -> Generator[None]:
        act.how = "half open"
        member.proxy.cut_clients()
        yield
        yield from self._made_good(act)

    def _lost_commit(self, act: Act, member: Member, *, arrives: bool) -> Generator[None]:
        act.how = "commit lost"
        member.proxy.lose_the_next_commit(arrives=arrives)
        yield
        yield from self._made_good(act)

    def _crashed(self, act: Act, _: Member) -> Generator[None]:
        act.how, act.member = "without a server", None
        self.server.stop()
        yield
        yield from self._a_while(2, 2)
        self.server.start()
        act.at = time.time_ns() // 1000
        act.left = {job_id for job_id in job_ids(self.jobs) if self._is_soon(job_id, act.at)}
        yield from self._made_good(act)

    def _skewed(self, act: Act, member: Member) -> Generator[None]:
        act.how = "skewed"
        by = self._random.randrange(-10 * SECOND, 10 * SECOND)
        file = self.directory / f"skew-{self.members.index(member)}"
        skew(file, by)
        yield
        yield from self._a_while(5, 20)
        skew(file, 0)
        yield from self._made_good(act)
        yield from self._share(member)

    def _a_while(self, least: float, most: float) -> Generator[None]:
        until = time.monotonic() + self._random.uniform(least, most)
        while time.monotonic() < until:
            yield

    def _bear(self, member: Member) -> None:
        file = self.directory / f"skew-{self.members.index(member)}"
        skew(file, 0)
        member.told = {"CONTEST_SKEW": str(file)}
        super()._bear(member)
