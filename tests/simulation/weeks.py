"""Weeks of virtual time, each drawn from a seed: jobs of every kind, and everything that can go wrong.

`python -m simulation.weeks --seeds 2000`, from `tests`, lives through so many; the invariants are checked at the end of
each, and every tenth is lived twice, to the same history.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import trio

from aurora_scheduler import Execution, ExecutionStatus, Job, JobStatus, ScheduleError, SchedulerStopped, StoreError
from aurora_scheduler.model import Trigger
from aurora_scheduler.rules import is_ahead
from aurora_scheduler.rules.timing import delay_of, schedule_of
from aurora_scheduler.testing import Simulation, simulated
from support.lives import check_attempts

__all__ = ["Week", "live"]

MINUTE, HOUR, DAY = 60, 3600, 86_400
SCHEDULES = [
    "every 20 minutes", "every 45 minutes", "every 1 hour", "every 5 hours", "every 1 day", "in 30 hours",
    "7 * * * *", "30 2 * * *", "*/30 9-17 * * 1-5", "0 0 L * *", "every weekday at 9am", "every day at 02:30",
    "every 90 minutes between 08:00 and 20:00",
]  # fmt: skip
POLICIES: dict[str, list[Any]] = {
    "misfire": ["run_once", "skip", "run_all"],
    "misfire_grace": [0, MINUTE, HOUR],
    "overlap": ["skip", "queue_one", "queue_all", "allow", "cancel_previous"],
    "timeout": [None, 5 * MINUTE, HOUR],
    "max_retries": [0, 1, 3],
    "retry_delay": [0, MINUTE, 10 * MINUTE, 2 * HOUR],
    "retry_backoff": [1.0, 2.0],
    "on_exhausted": ["continue", "deactivate"],
    "delivery": ["at_least_once", "at_most_once"],
    "jitter": [0, 5 * MINUTE],
    "max_runs": [None, None, None, 5, 40],
    "timezone": ["UTC", "Europe/Berlin", "America/New_York"],
}
#: By how many seconds firings are claimed ahead in every other week.
LEAD = 0.02
#: A wall clock that goes back by more makes jobs fire anew what it had shown before: what is due then is no one list.
BACK = [1, 30, 600, 2 * HOUR]
FORWARD = [1, 30, 600, 5 * HOUR, 2 * DAY]


@dataclass
class Effect:
    """One call of a callback."""

    execution_id: str
    attempt: int
    is_over: bool = False


#: What callbacks did in the week that is lived.
effects: list[Effect] = []
#: Of each job: how many of its callbacks are under way, and how many were at most.
under_way: Counter[str] = Counter()
most: Counter[str] = Counter()


async def act(
    job_id: str,
    job_name: str,
    execution_id: str,
    scheduled_for: datetime,
    attempt: int,
    seed: int,
    longest: float,
    fails: float,
) -> dict[str, Any]:  # fmt: skip
    """Take so long, and fail so often, as chance has it for this attempt."""
    chance = random.Random(f"{seed} {job_name} {scheduled_for.timestamp()} {attempt}")
    effect = Effect(execution_id, attempt)
    effects.append(effect)
    under_way[job_id] += 1
    most[job_id] = max(most[job_id], under_way[job_id])
    try:
        await trio.sleep(chance.choice([0, 1, 0.2 * longest, longest]))
    finally:
        under_way[job_id] -= 1
    effect.is_over = True
    if chance.random() < fails / 3:
        raise RuntimeError("it had to be")
    return {"success": chance.random() >= fails}


@dataclass
class Week:
    """A week, and what was wrong with it."""

    seed: int
    violations: list[str] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    fingerprint: str = ""


async def live(seed: int) -> Week:
    """Live through the week of this seed."""
    week, chance = Week(seed), random.Random(seed)
    for each in (effects, under_way, most):
        each.clear()
    sim = simulated(
        start=chance.choice(["2030-03-28", "2030-07-01", "2030-10-24 13:37", "2032-02-26"]),
        timezone=chance.choice(POLICIES["timezone"]),
        seed=seed,
        max_concurrent=chance.choice([1000, 3]),
    )
    sim._runtime.claim_ahead = LEAD * (seed % 2)
    async with sim:
        life = _Life(sim, chance, week)
        await life.create_jobs()
        await life.go_on(7 * DAY)
        await life.come_to_rest()
        await life.judge()
        week.fingerprint = await sim.fingerprint()
    week.effects = len(effects)
    return week


class _Life:
    def __init__(self, sim: Simulation, chance: random.Random, week: Week) -> None:
        self.sim = sim
        self.chance = chance
        self.week = week
        #: Jobs that nobody touches: what becomes due of them is known.
        self.steady: list[str] = []
        #: Jobs that are paused, edited, run by hand, deleted.
        self.touched: list[str] = []
        self.final: dict[str, Execution] = {}
        #: The latest that the wall clock has shown.
        self.latest = sim.now

    async def create_jobs(self) -> None:
        for number in range(self.chance.randint(3, 7)):
            ids = self.steady if number % 3 else self.touched
            ids.append(await self.create(f"job {number}"))

    async def create(self, name: str, **said: Any) -> str:
        chance = self.chance
        options = {option: chance.choice(values) for option, values in POLICIES.items() if chance.random() < 0.4}
        if options.get("overlap") == "allow":
            options["max_instances"] = chance.choice([1, 2, 5])
        args = {
            "seed": self.week.seed,
            "longest": chance.choice([0, 10, 10 * MINUTE, 2 * HOUR]),
            "fails": chance.choice([0, 0.1, 0.5, 0.95]),
        }
        return await self.sim.create_job(
            name=name, schedule=chance.choice(SCHEDULES), callback=act, callback_args=args, **(options | said)
        )

    # -- what happens -------------------------------------------------------------------------------------------

    async def go_on(self, seconds: float) -> None:
        while seconds > 0:
            passes = self.chance.choice([1, MINUTE, HOUR, 5 * HOUR, 12 * HOUR]) * self.chance.uniform(0.5, 1.5)
            await self.sim.run_for(passes)
            await self.let_begin()
            self.note_time()
            if self.sim.has_crashed:
                await self.wake()
            seconds -= passes
            deed = self.chance.choice(
                [self.crash, self.crash_at_write, self.stop, self.fail, self.step_clock, self.ask, self.ask, self.edit]
            )
            self.week.deeds[deed.__name__] += 1
            try:
                await deed()
            except StoreError:  # the fault that was meant for the scheduler has met the call
                self.week.deeds["calls that failed"] += 1
            except ScheduleError:  # the last firing is past, or there is none within the job's limits
                self.week.deeds["calls that were refused"] += 1
            except SchedulerStopped:
                if not self.sim.has_crashed:
                    raise
                self.week.deeds["calls into a crash"] += 1
                await self.wake()

    async def let_begin(self) -> None:
        """What is claimed ahead begins: a call would wait for that, and time does not pass while it does."""
        while not self.sim.has_crashed:
            try:
                running = await self.sim.get_executions(status="running", limit=10_000)
            except StoreError:
                continue
            if not any(is_ahead(row, self.sim._runtime.clock.now()) for row in running):
                return
            self.week.deeds["moments before"] += 1
            await self.sim.run_for(LEAD)

    def note_time(self) -> None:
        if not self.sim.has_crashed:
            self.latest = max(self.latest, self.sim.now)

    async def crash(self) -> None:
        await self.sim.crash()
        await self.wake()

    async def crash_at_write(self) -> None:
        self.sim.crash_at_write(self.chance.randint(1, 12), after=self.chance.random() < 0.5)

    async def stop(self) -> None:
        await self.sim.stop(drain=self.chance.choice([0, 30]))
        await self.wake()

    async def wake(self) -> None:
        """Start again, after a while."""
        await self.sim.run_for(self.chance.choice([0, 1, MINUTE, 5 * HOUR, DAY]))
        await self.sim.restart()
        self.note_time()
        await self.see_that_final_stays_final()

    async def fail(self) -> None:
        fault = self.chance.choice([self.sim.fail_writes, self.sim.fail_reads, self.sim.lose_answers])
        fault(self.chance.choice([1, 2, 5, 20]))

    async def step_clock(self) -> None:
        self.sim.step_clock(self.chance.choice([-self.chance.choice(BACK), self.chance.choice(FORWARD)]))

    async def ask(self) -> None:
        sim, job_id = self.sim, self.chance.choice(self.touched)
        match self.chance.choice(["run", "cancel", "pause", "resume", "resume", "delete"]):
            case "run" if await sim.get_job(job_id) is not None:
                await sim.run_job(job_id)
            case "cancel":
                rows = await sim.get_executions(job_id, limit=5)
                if rows:
                    await sim.cancel_execution(self.chance.choice(rows).id)
            case "pause":
                await sim.deactivate_job(job_id, cancel_running=self.chance.random() < 0.5)
            case "resume":
                await sim.activate_job(job_id)
            case "delete":
                await sim.delete_job(job_id)
                await self.create("another", job_id=job_id, if_exists="update")
            case _:
                pass

    async def edit(self) -> None:
        job_id = self.chance.choice(self.touched)
        if await self.sim.get_job(job_id) is not None:
            option = self.chance.choice(["misfire", "misfire_grace", "timeout", "max_retries", "retry_delay", "jitter"])
            changes = {option: self.chance.choice(POLICIES[option])}
            if self.chance.random() < 0.5:
                changes = {"schedule": self.chance.choice(SCHEDULES)}
            await self.sim.update_job(job_id, **changes)

    async def come_to_rest(self) -> None:
        """Everything works again, and has a day to be made good; callbacks that are on their way come to their ends."""
        if self.sim.has_crashed:
            await self.wake()
        await self.sim.stop(drain=0)
        await self.sim.restart()
        await self.sim.run_for(DAY)
        self.note_time()

    # -- what is to be so ---------------------------------------------------------------------------------------

    async def see_that_final_stays_final(self) -> None:
        try:
            rows = await self.sim.history()
        except StoreError:
            return
        known = {row.id: row for row in rows}
        for row in self.final.values():
            if known.get(row.id) != row:
                self.blame("I7", f"{row} became {known.get(row.id)}")
        self.final = {row.id: row for row in rows if row.status.is_final}

    def blame(self, invariant: str, what: object) -> None:
        self.week.violations.append(f"seed {self.week.seed}: {invariant}: {what}")

    async def judge(self) -> None:
        await self.see_that_final_stays_final()
        rows = await self.sim.history()
        self.week.rows = Counter(
            row.status.value if row.reason is None else f"{row.status}({row.reason})" for row in rows
        )
        jobs = {job.id: job for job in await self.sim.get_all_jobs()}
        try:
            check_attempts(rows)
        except AssertionError as error:
            self.blame("I2", error)
        for job_id in self.steady:
            job = jobs.get(job_id)
            if job is None:
                self.blame("I8", f"{job_id} is gone")
            else:
                self.judge_steady(job, [row for row in rows if row.job_id == job_id])
        self.judge_effects(rows)
        owners = {row.owner for row in rows if row.status in (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLING)}
        if len(owners) > 1:
            self.blame("I6", f"orphans run: {owners}")

    def judge_steady(self, job: Job, rows: Sequence[Execution]) -> None:
        firings = sorted(
            (row for row in rows if row.trigger is Trigger.SCHEDULE and row.attempt == 1), key=lambda row: row.scheduled
        )
        schedule, last = schedule_of(job), job.created
        for row in firings:
            first = schedule.next_instant(last)
            if row.scheduled != first:
                self.blame("I1, I3", f"{job.name} ({job.schedule_value}) must go on with {first}, and does with {row}")
                return
            if schedule.count(first - 1, row.last_scheduled) != row.count:
                self.blame("I1, I3", f"{job.name} ({job.schedule_value}) counts wrong: {row}")
                return
            last = row.last_scheduled
        following = schedule.next_instant(last)
        over = job.status is not JobStatus.ACTIVE or following is None
        ran_out = job.policies.max_runs is not None and job.next_fire is None
        if not (over or ran_out):
            assert following is not None
            if following + delay_of(job, following) <= self.latest.timestamp() * 1e6:
                self.blame("I1", f"{job.name} ({job.schedule_value}) has no record of {following}")
        if job.policies.max_runs is not None and job.runs > job.policies.max_runs:
            self.blame("I3", f"{job.name} ran {job.runs} times")
        if job.max_instances is not None and most[job.id] > job.max_instances:
            self.blame("I5", f"{job.name} ran {most[job.id]} at once")

    def judge_effects(self, rows: Sequence[Execution]) -> None:
        began, ended = Counter(each.execution_id for each in effects), Counter()
        for effect in effects:
            ended[effect.execution_id] += effect.is_over
        known = {row.id: row for row in rows}
        firings: dict[tuple[str, int, int], list[Execution]] = defaultdict(list)
        for row in rows:
            firings[row.job_id, row.generation, row.scheduled].append(row)
            if row.status is ExecutionStatus.SUCCEEDED and not ended[row.id] == began[row.id] == 1:
                self.blame("I4", f"{row} has {began[row.id]} effects, {ended[row.id]} to their end")
        for execution_id, count in began.items():
            if count > 1 or execution_id not in known:
                self.blame("I4", f"{count} effects of {known.get(execution_id, execution_id)}")
            elif known[execution_id].started is None:
                self.blame("I4", f"an effect without a claim: {known[execution_id]}")
        for attempts in firings.values():
            good = [row for row in attempts if row.status is ExecutionStatus.SUCCEEDED]
            if len(good) > 1:
                self.blame("I4", f"a firing succeeded twice: {good}")


# -- many weeks -----------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    totals, deeds, rows = Counter(), Counter(), Counter()
    violations: list[str] = []
    for seed in range(asked.first, asked.first + asked.seeds):
        week = asyncio.run(live(seed))
        if seed % 10 == 0:
            totals["lived twice"] += 1
            totals["other history"] += asyncio.run(live(seed)).fingerprint != week.fingerprint
        totals["weeks"] += 1
        totals["effects"] += week.effects
        deeds += week.deeds
        rows += week.rows
        violations += week.violations
        for violation in week.violations[:3]:
            print(violation, flush=True)
    print(
        f"{totals['weeks']:,} weeks, {rows.total():,} records, {totals['effects']:,} effects; "
        f"{totals['lived twice']:,} lived twice, {totals['other history']} of them to another history; "
        f"{len(violations)} violations"
    )
    print("deeds:", ", ".join(f"{deed} {count:,}" for deed, count in sorted(deeds.items())))
    print("records:", ", ".join(f"{status} {count:,}" for status, count in sorted(rows.items())))
    sys.exit(bool(violations or totals["other history"]))


if __name__ == "__main__":
    main()
