"""The real engine with the real store, and the reference beside it: after each event the same must stand.

As a program: `python -m support.reference_runs --runs 2000 --steps 50`, from `tests`.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trio

from aurora_scheduler.engine.keeper import watch_clock
from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.ports import NotYet
from aurora_scheduler.rules import is_ahead
from support.lives import START, check_attempts
from support.reference import Reference
from support.reference_jobs import LONGEST_PAUSE, OPEN, SECOND, Job, Part
from support.reference_programs import BOUNDS, DURATIONS, MANNERS, Event, random_program
from support.virtual import World

__all__ = ["Disagreement", "Tally", "run"]

T = TypeVar("T")

#: By so many microseconds firings are claimed ahead, in every other run.
LEAD = 20_000
#: The events that are calls, which wait for what is claimed ahead.
CALLS = frozenset({"pause", "resume", "delete", "run_by_hand", "edit", "cancel"})

# -- the real thing -----------------------------------------------------------------------------------------------


class Real:
    """The engine, the store on disk and a virtual clock, told in the reference's words."""

    def __init__(
        self, path: str, order: int, part_of: Callable[[str, int, int], Part], claim_ahead: float = 0.0
    ) -> None:
        self.world = World(path)
        self.world.reorder(order)
        self.part_of = part_of
        self.claim_ahead = claim_ahead
        self._mono = 0
        self._death = trio.Event()

    async def pass_time(self, micros: int) -> None:
        """Time goes on."""
        self._mono += micros
        # A little more, which rounding takes away again: what is due just then is not missed by a float's last digit.
        await self.world.run(self._mono / SECOND + 3e-7 - self.world.mock.current_time())

    async def set_clock(self, by: int) -> None:
        """The wall clock is set, and watched for the second after."""
        engine = self.world.engine
        async with trio.open_nursery() as nursery:
            if engine is not None:
                nursery.start_soon(watch_clock, engine.book)
            await self.world.settle()
            self.world.clock.set(by / SECOND)
            await self.pass_time(SECOND + 1_000)
            nursery.cancel_scope.cancel()

    async def start(self) -> None:
        """A process."""
        self._death = trio.Event()
        await self.world.start(claim_ahead=self.claim_ahead)

    async def crash(self) -> int:
        """The process dies, and nothing that it does meanwhile reaches the store; how much time passed."""
        world, before = self.world, self.world.now
        world._stopping = True
        world.writer.die()
        self._death.set()
        world._scope.cancel()
        while not world._over.is_set():
            await trio.testing.wait_all_tasks_blocked()
            if not world._over.is_set():
                world.mock.jump(trio.lowlevel.current_statistics().seconds_to_next_deadline)
        world.engine = None
        world.store.close()
        world.open()
        self._mono = round(world.mock.current_time() * SECOND)
        return world.now - before

    def fail(self, *, writes: bool = False, answers: bool = False) -> None:
        """From here on writes fail before they take effect, or after, or not at all."""
        self.world.writer.failing_writes = 10**9 * writes
        self.world.writer.failing_answers = 10**9 * answers

    def create(self, job_id: str, text: str, options: dict[str, Any]) -> None:
        """Create a job."""
        self.world.create(job_id, text, self._play, job_id=job_id, **_said(options))

    async def _play(self, call: Any) -> None:
        part = self.part_of(call.job_id, call.scheduled, call.attempt)
        seconds = float("inf") if part.takes is None else part.takes / SECOND
        if part.deaf:
            with trio.move_on_after(seconds, shield=True):
                await self._death.wait()
            if self._death.is_set():
                await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.sleep(seconds)
        if part.fails:
            raise RuntimeError("no")

    def edit(self, job_id: str, text: str | None, options: dict[str, Any]) -> bool:
        """Edit a job; False where that is refused."""
        changes = _said(options) if text is None else {"schedule": text, **_said(options)}
        with suppress(ScheduleError):
            self.world.edit(job_id, **changes)
            return True
        return False

    def told(self, job: Job) -> list[tuple[Any, ...]]:
        """The rows of a job's generation."""
        return sorted(
            (
                (row.scheduled, row.last_scheduled, row.count, row.attempt, str(row.trigger), str(row.status),
                 None if row.reason is None else str(row.reason), row.due)
                for row in self.world.rows(job.id)
                if row.generation == job.generation
            ),
            key=str,
        )  # fmt: skip

    def ahead(self) -> int:
        """In how many microseconds all that is claimed has begun."""
        rows = [row for row in self.world.rows(status=ExecutionStatus.RUNNING) if is_ahead(row, self.world.now)]
        return max(((row.started or 0) - self.world.now for row in rows), default=0)

    def state(self, job: Job) -> tuple[Any, ...] | None:
        """Status, streak, and when it is due next."""
        found = self.world.store.job(job.id)
        if found is None or found.generation != job.generation:
            return None
        return str(found.status), found.retry_count, found.next_due if found.is_active else None


def _said(options: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in options.items():
        if name in DURATIONS and value is not None:
            said[name] = timedelta(microseconds=value)
        elif name in BOUNDS and value is not None:
            said[name] = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        else:
            said[name] = value
    return said


# -- both, side by side -------------------------------------------------------------------------------------------


class Disagreement(AssertionError):
    """What stands is not what must stand."""


@dataclass
class Tally:
    """What was tried, and what was reached by it."""

    runs: int = 0
    steps: int = 0
    comparisons: int = 0
    rows: int = 0
    disagreements: int = 0
    ties: int = 0
    events: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        said = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.events.items()))
        return (
            f"{self.runs:,} runs, {self.steps:,} steps, {self.comparisons:,} comparisons, {self.rows:,} rows compared; "
            f"events: {said}; "
            f"{self.ties} runs ended where nothing is promised; {self.disagreements} disagreements"
        )


class Pair:
    """The real thing and the reference, and one event after the other for both."""

    def __init__(self, path: str, order: int, tally: Tally, claim_ahead: float = 0.0) -> None:
        self.tally = tally
        self.manners = {"a": "well", "b": "well", "c": "well"}
        self.claims_ahead = claim_ahead > 0
        self.real = Real(path, order, self.part_of, claim_ahead)
        self.reference = Reference(START, self.part_of)
        self.odd = 0
        self.story: list[str] = []

    def part_of(self, job_id: str, scheduled: int, attempt: int) -> Part:
        """What a callback does: the same for both. No two take the same time to the microsecond."""
        number = int.from_bytes(
            hashlib.blake2b(f"{job_id}{scheduled}{attempt}".encode(), digest_size=8).digest(), "big"
        )
        parts = MANNERS[self.manners[job_id]]
        part = parts[number % len(parts)]
        takes = None if part.takes is None else part.takes + 1 + number // len(parts) % 299_993
        return Part(takes, part.fails, part.deaf)

    async def happen(self, event: Event) -> None:
        """Have an event happen to both, if it applies, and compare."""
        kind, *said = event
        await self._until_nothing_is_ahead()
        comes_in_between = kind in CALLS and self.claims_ahead and self.odd % 3 == 0 and await self._approach()
        applied = await getattr(self, f"_{kind}")(*said)
        if comes_in_between:
            await self._pass(LEAD)
        self.tally.steps += 1
        self.tally.events[kind if applied else "passed over"] += 1
        if applied:
            self.story.append(f"{event} at {self.reference.mono / SECOND:.6f}")
            self.reference.pass_time(0)
            await self.real.world.settle()
            await self._until_nothing_is_ahead()
            if not self.reference.is_undecided:
                self.compare()
            self.odd += 1  # no two moments have the same microseconds, so that nothing happens just when something does
            await self._pass(self.odd * 7)

    def compare(self) -> None:
        """Raise `Disagreement` where what stands is not what must stand."""
        self.tally.comparisons += 1
        wrong: list[str] = []
        if self.real.world.now != self.reference.now:
            wrong.append(f"the clock: {self.real.world.now} is, {self.reference.now} must be")
        for job in self.reference.jobs:
            must = sorted((row.told() for row in job.rows), key=str)
            real = self.real.told(job)
            self.tally.rows += len(real)
            if real != must:
                wrong += [f"{job.id}/{job.generation} must have {_shown(row)}" for row in must if row not in real]
                wrong += [f"{job.id}/{job.generation} has       {_shown(row)}" for row in real if row not in must]
            state = None if job.is_gone else (
                str(job.status), job.streak, job.next_due() if job.is_active else None,
            )  # fmt: skip
            if self.real.state(job) != state:
                wrong.append(
                    f"{job.id}/{job.generation} must be {_shown(state)}, and is {_shown(self.real.state(job))}"
                )
        if wrong:
            raise Disagreement("\n".join(["", *self.story, *wrong]))

    def count_what_was_reached(self) -> None:
        """For the tally: rows by what became of them."""
        for job in self.reference.jobs:
            self.tally.reached.update(f"{row.status} {row.reason or ''}".strip() for row in job.rows)
            self.tally.reached.update([f"job {job.status}"])

    def _job(self, slot: int) -> Job | None:
        jobs = [job for job in self.reference.jobs if not job.is_gone]
        return jobs[slot % len(jobs)] if jobs else None

    # -- events, each for both: whether it applied ----------------------------------------------------------------

    async def _pass_time(self, seconds: int) -> bool:
        await self._pass(seconds * SECOND)
        return True

    async def _pass(self, micros: int) -> None:
        self.reference.pass_time(micros)
        await self.real.pass_time(micros)

    async def _approach(self) -> bool:
        """Let both go on until just before something is due; False where that takes long."""
        due = [job.next_due() for job in self.reference.jobs if job.is_active and not job.is_gone]
        left = min((instant for instant in due if instant is not None), default=0) - self.reference.now - LEAD // 2
        if not 0 < left < 600 * SECOND:
            return False
        await self._pass(left)
        return True

    async def _until_nothing_is_ahead(self) -> None:
        """Let both go on until what the real one has claimed ahead has begun: the reference does nothing ahead."""
        while ahead := self.real.ahead():
            await self._pass(ahead)

    async def _in_time(self, call: Callable[[], T]) -> T:
        """What a call answers that is to be made when what is claimed ahead has begun."""
        try:
            return call()
        except NotYet as error:
            self.tally.reached.update(["calls that waited"])
            await self._pass(error.wait + 1)
            return call()

    async def _create(self, slot: int, text: str, manner: str, options: dict[str, Any], bounds: dict[str, Any]) -> bool:
        job_id = next((each for each in "abc"[slot:] + "abc"[:slot] if self.reference.job(each) is None), None)
        if job_id is None:
            return False
        options = options | {name: value + self.reference.now for name, value in bounds.items() if value is not None}
        if options.get("overlap") != "allow":
            options.pop("max_instances", None)
        if any(run.row.status in OPEN for job in self.reference.jobs if job.id == job_id for run in job.here):
            manner = self.manners[job_id]
        self.manners[job_id] = manner
        created = self.reference.create(job_id, text, options)
        try:
            self.real.create(job_id, text, options)
        except ScheduleError:
            assert not created
        return created

    async def _start(self) -> bool:
        if self.reference.is_up:
            return False
        self.reference.start()
        await self.real.start()
        return True

    async def _start_at_grace(self, slot: int, more: int) -> bool:
        job = self._job(slot)
        if self.reference.is_up or job is None or not job.is_active or job.next is None:
            return False
        micros = job.due(job.next) + job.misfire_grace + more - self.reference.now
        if micros <= 0:
            return False
        await self._pass(micros)
        return await self._start()

    async def _crash_or_start(self) -> bool:
        if not self.reference.is_up:
            return await self._start()
        self.reference.crash()
        self.reference.pass_time(await self.real.crash())
        return True

    async def _away_or_back(self) -> bool:
        """From here on nothing can be written; or again."""
        if not self.reference.is_up:
            return False
        self.reference.is_away = not self.reference.is_away
        self.real.fail(writes=self.reference.is_away)
        return True

    async def _lose_answers(self, seconds: int) -> bool:
        """For so long all that is written takes effect, and seems to fail."""
        if not self.reference.is_up or self.reference.is_away:
            return False
        self.reference.answers_are_lost = True
        self.real.fail(answers=True)
        await self._pass(seconds * SECOND)
        self.reference.answers_are_lost = False
        self.real.fail()
        await self._pass(LONGEST_PAUSE + 1)
        return True

    async def _set_clock(self, seconds: int) -> bool:
        if self.reference.is_away:
            return False
        self.odd += 1
        by = seconds * SECOND + self.odd
        self.reference.set_clock(by)
        self.reference.pass_time(1_000)
        await self.real.set_clock(by)
        return True

    async def _pause(self, slot: int) -> bool:
        return await self._call(slot, self.reference.pause, self.real.world.pause)

    async def _resume(self, slot: int) -> bool:
        return await self._call(slot, self.reference.resume, self.real.world.resume)

    async def _delete(self, slot: int) -> bool:
        return await self._call(slot, self.reference.delete, self.real.world.delete)

    async def _run_by_hand(self, slot: int) -> bool:
        return await self._call(slot, self.reference.run_by_hand, self.real.world.run_by_hand)

    async def _call(self, slot: int, must: Callable[[Job], object], real: Callable[[str], object]) -> bool:
        job = self._job(slot)
        if job is None:
            return False
        await self._in_time(lambda: real(job.id))
        must(job)
        return True

    async def _edit(self, slot: int, text: str | None, options: dict[str, Any]) -> bool:
        job = self._job(slot)
        if job is None:
            return False
        taken = await self._in_time(lambda: self.real.edit(job.id, text, options))
        if taken:
            self.reference.edit(job, text, options)
        return taken

    async def _cancel(self, slot: int, number: int) -> bool:
        found = [
            (job, row) for job in self.reference.jobs if job.id == "abc"[slot] for row in job.rows if row.status in OPEN
        ]
        if not found:
            return False
        job, row = found[number % len(found)]
        rows = self.real.world.rows(job.id)
        (same,) = [
            each
            for each in rows
            if (each.generation, each.scheduled, each.attempt) == (job.generation, row.scheduled, row.attempt)
        ]
        await self._in_time(lambda: self.real.world.cancel(same.id))
        self.reference.cancel(job, row)
        return True


def _shown(facts: tuple[Any, ...] | None) -> str:
    """Instants as seconds after the start."""
    if facts is None:
        return "gone"
    return str(
        tuple(f"{(fact - START) / SECOND:.6f}" if isinstance(fact, int) and fact > 10**12 else fact for fact in facts)
    )


def _unseen(program: list[Event]) -> list[Event]:
    """The program without what can be told from whether firings are claimed ahead: when a claim is tried again."""
    return [event for event in program if event[0] not in ("away_or_back", "lose_answers")]


def run(program: list[Event], order: int = 0, tally: Tally | None = None, path: str | None = None) -> None:
    """Run one program, both ways; claims are made ahead where `order` is odd. Raises `Disagreement`."""
    tally = Tally() if tally is None else tally
    program, ahead = (_unseen(program), LEAD / SECOND) if order % 2 else (program, 0.0)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        pair = Pair(path or str(Path(directory) / "jobs.db"), order, tally, ahead)

        async def main() -> None:
            try:
                for event in program:
                    await pair.happen(event)
                    if pair.reference.is_undecided:
                        tally.ties += 1
                        return
                check_attempts(pair.real.world.rows())
                pair.count_what_was_reached()
            finally:
                if pair.real.world.engine is not None:
                    await pair.real.crash()
                pair.real.world.store.close()

        tally.runs += 1
        trio.run(main, clock=pair.real.world)


def main() -> int:
    """Many runs, one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-clock", action="store_true")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tail", type=int, default=1_000)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    tally, began = Tally(), time.monotonic()
    for number in range(arguments.first, arguments.first + arguments.runs):
        program = random_program(
            number, arguments.steps, arguments.seed, clock=not arguments.no_clock, faults=not arguments.no_faults
        )
        try:
            run(program, number, tally)
        except Disagreement as error:
            tally.disagreements += 1
            print("\n".join([f"run {number}", *str(error).splitlines()[-arguments.tail :]]), "\n")
    print(tally)
    reached = ", ".join(f"{what} {count:,}" for what, count in sorted(tally.reached.items()))
    print(f"in {time.monotonic() - began:.0f} s; reached: {reached}")
    return int(tally.disagreements > 0)


if __name__ == "__main__":
    sys.exit(main())
