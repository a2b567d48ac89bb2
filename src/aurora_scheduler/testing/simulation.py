"""A scheduler in virtual time: `simulated`, and what can be done with it."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from aurora_scheduler.engine import Home
from aurora_scheduler.errors import OptionError, SchedulerStopped
from aurora_scheduler.instants import SECOND, presented
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import Execution
from aurora_scheduler.options import duration, read_moment, whole_number
from aurora_scheduler.schedules import load_zone
from aurora_scheduler.service import CronService
from aurora_scheduler.testing.runtime import SimulatedRuntime
from aurora_scheduler.testing.scheduler import SimulatedScheduler

__all__ = ["Simulation", "simulated"]

#: When a simulation begins, unless it is told.
START = "2030-01-01"

#: Ten million executions are more than a test can look at.
_ALL = 10**7

_CALENDAR = re.compile(r"\s*(?P<count>\d+|an?|one)\s+(?P<unit>year|month)s?\s*", re.IGNORECASE)

T = TypeVar("T")


def simulated(
    start: datetime | str = START,
    timezone: str = "UTC",
    *,
    database: str | os.PathLike[str] = ":memory:",
    seed: int = 0,
    **options: Any,
) -> Simulation:
    """A scheduler whose clock stands still until you let time pass: the real one, in every other respect.

    For example::

        async with simulated(start="2030-03-30", timezone="Europe/Berlin") as sim:
            await sim.create_job(name="report", schedule="every day at 02:30", callback="reports.send")
            await sim.run_for("1 year")
            print(await sim.get_executions())

    Works from asyncio, Trio and any anyio program, and as a plain `with simulated() as sim` where there is no loop.

    Args:
        start: when it begins: a datetime, or text like "2030-03-30 12:00", read in `timezone`.
        timezone: the IANA name of the zone that jobs are read and shown in, unless they name their own.
        database: a path, for a file that stays; ":memory:" lives as long as the simulation, also through `crash`.
        seed: what chance is drawn from: ids, and which of the tasks that can go on in one instant goes first. The same
            seed gives the same history.
        **options: as for `SchedulerManager`; but all history is kept unless `keep_executions` or `keep_days` is said.

    Raises:
        OptionError: an argument is not accepted.
        ScheduleError: `timezone` is unknown.
    """
    return Simulation(start, timezone, database=database, seed=seed, **options)


class Simulation(SchedulerManager):
    """A `SchedulerManager` in virtual time, made by `simulated`. All its methods are there, and those that follow.

    Time passes while you wait for `run_for`, `run_until`, `run_job(wait=True)` and `stop`, and at no other time.

    Plain callbacks are called in the scheduler's own loop, and take no virtual time; async ones take what they sleep
    with `trio.sleep` or `anyio.sleep`. The clock stands still while a callback with `runner="app"` runs on your loop.
    """

    _kind = SimulatedScheduler

    def __init__(
        self,
        start: datetime | str = START,
        timezone: str = "UTC",
        *,
        database: str | os.PathLike[str] = ":memory:",
        seed: int = 0,
        **options: Any,
    ) -> None:
        prunes = bool(options.keys() & {"keep_executions", "keep_days"})
        if not isinstance(database, str | os.PathLike):
            raise OptionError("database", database, 'must be a path, or ":memory:"')
        super().__init__(database, timezone=timezone, **options)
        self._zone = load_zone(timezone).key
        begin = read_moment("start", start, self._zone)
        if begin is None:
            raise OptionError("start", start, 'must be a datetime or text like "2030-03-30"')
        self._runtime = SimulatedRuntime(begin, whole_number("seed", seed, least=0), prunes=prunes)
        self._simulated.simulate(self._runtime)

    @property
    def _simulated(self) -> SimulatedScheduler:
        assert isinstance(self._scheduler, SimulatedScheduler)
        return self._scheduler

    def __repr__(self) -> str:
        return f"<Simulation {self._scheduler.state} at {self.now}>"

    @property
    def manager(self) -> SchedulerManager:
        """The simulation itself, for code that takes a manager."""
        return self

    @property
    def cron(self) -> CronService:
        """The plain facade of the same scheduler, for programs and tests without an event loop."""
        return CronService.of(self._scheduler)

    # -- life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Simulation:
        """Initialise and start, without an event loop; after a crash, too."""
        self.cron.start()
        self.advance(0)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop."""
        self.cron.shutdown()

    async def __aenter__(self) -> Simulation:
        """Initialise and start."""
        await self.restart()
        return self

    async def crash(self) -> None:
        """Kill the scheduler as `kill -9` would: whatever runs is dropped, no end is written.

        What was committed is there at the next start, by `restart` or `initialize` and `start`; time may pass before.
        """
        await self._simulated.crash().wait()

    def crash_at_write(self, number: int = 1, *, after: bool = False) -> None:
        """Have the scheduler killed at its so-many-eth transaction from now: before it, or right after its commit.

        Time passes all the same, as after `crash`. A transaction claims a firing, or records its end, or is a call's.
        """
        self._scheduler.check()
        self._runtime.kill_at_write(whole_number("number", number, least=1), after=after)

    @property
    def has_crashed(self) -> bool:
        """Whether the scheduler was killed, and not started since."""
        return self._runtime.was_killed

    async def restart(self) -> None:
        """Start, or start again after `crash` or `stop`; what was due meanwhile has begun then."""
        await self.initialize()
        self.start()
        await self.run_for(0)

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What the wall clock shows, in the simulation's time zone."""
        shown = presented(self._runtime.clock.now(), self._zone)
        assert shown is not None
        return shown

    async def run_for(self, time: float | timedelta | str) -> None:
        """Let so much time pass: seconds, a `timedelta`, or text like "90 minutes", "3 days", "1 year".

        Everything that comes due meanwhile has begun, and has ended if it does not take longer. Months and years go by
        the calendar. While the scheduler is stopped or has crashed, time passes all the same.

        Raises:
            OptionError: `time` is no duration, or negative.
            SchedulerStopped: the scheduler failed meanwhile, and why.
        """
        await self._pass(self._micros(time))

    async def run_until(self, when: datetime | str) -> None:
        """Let time pass until the wall clock shows `when`: a datetime, or text, read in the simulation's time zone.

        Raises as `run_for`; `OptionError` also where that is past.
        """
        await self._pass(self._until(when))

    def advance(self, time: float | timedelta | str) -> None:
        """The same as `run_for`, for a plain program: blocks this thread until it is done."""
        try:
            self._simulated.pass_time(self._micros(time) / SECOND).result()
        except SchedulerStopped:
            self._scheduler.check()  # which knows more of it
            raise

    def step_clock(self, by: float | timedelta | str) -> None:
        """Set the wall clock, forward or ("-1 hour") back; the time that runs by itself is not touched.

        What the step makes due fires when time passes next. Raises `OptionError` where `by` is no duration.
        """
        length, back = _sized(by)
        seconds = duration("by", length) / SECOND
        self._runtime.step_clock(-seconds if back else seconds)

    async def _pass(self, micros: int) -> None:
        if self._scheduler.state == "started" and (home := Home.here()) is not None:
            self._scheduler.adopt(home)
        try:
            await self._simulated.pass_time(micros / SECOND).wait()
        except SchedulerStopped:
            self._scheduler.check()  # which knows more of it
            raise

    def _micros(self, time: float | timedelta | str) -> int:
        said = _CALENDAR.fullmatch(time) if isinstance(time, str) else None
        if said is None:
            return duration("time", time)
        count = int(said["count"]) if said["count"].isdigit() else 1
        months = count * (12 if said["unit"].lower() == "year" else 1)
        then = _months_after(self.now.replace(tzinfo=None), months)
        if then is None:
            raise OptionError("time", time, "goes beyond the calendar, which ends with the year 9999")
        return self._until(then)

    def _until(self, when: datetime | str) -> int:
        instant = read_moment("when", when, self._zone)
        now = self._runtime.clock.now()
        if instant is None or instant < now:
            raise OptionError("when", when, f"must be a time that is not past; it is {self.now}")
        return instant - now

    # -- what is asked -----------------------------------------------------------------------------------------

    async def history(self, job_id: str | None = None) -> list[Execution]:
        """Every execution there is, of all jobs or one, in the order in which they were recorded."""
        return (await self.get_executions(job_id, limit=_ALL))[::-1]

    async def fingerprint(self) -> str:
        """A hash of the whole history and of all jobs: the same for the same seed and the same deeds."""
        digest = hashlib.sha256()
        for each in (*await self.history(), *await self.get_all_jobs()):
            digest.update(repr(each).encode())
        return digest.hexdigest()

    # -- faults -------------------------------------------------------------------------------------------------

    def fail_writes(self, times: int = 1) -> None:
        """Have so many of the next transactions fail, as of a locked or full database, with nothing written."""
        self._break("failing_writes", times)

    def fail_reads(self, times: int = 1) -> None:
        """Have so many of the next looks into the database fail."""
        self._break("failing_reads", times)

    def lose_answers(self, times: int = 1) -> None:
        """Have so many of the next transactions take effect, and seem to fail all the same."""
        self._break("failing_answers", times)

    def _break(self, what: str, times: int) -> None:
        self._scheduler.check()
        self._runtime.change_writer(what, whole_number("times", times, least=0))


def _sized(by: float | timedelta | str) -> tuple[float | timedelta | str, bool]:
    """How long a step is, and whether it goes back."""
    if isinstance(by, str):
        said = by.strip()
        return said.removeprefix("-"), said.startswith("-")
    if isinstance(by, timedelta):
        return abs(by), by < timedelta(0)
    if not isinstance(by, int | float):
        raise OptionError("by", by, 'must be seconds, a timedelta, or text like "-5 minutes"')
    return abs(by), by < 0


def _months_after(moment: datetime, months: int) -> datetime | None:
    """The same day and time so many months later, or that month's last day; None beyond the calendar."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, moment.day - 4, -1):
        with suppress(ValueError):
            return moment.replace(year=year, month=month + 1, day=day)
    return None
