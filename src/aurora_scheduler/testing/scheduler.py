"""A scheduler that stands on a simulated runtime, as both facades use it: who waits for it lets virtual time pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aurora_scheduler.engine import Home, current_execution
from aurora_scheduler.errors import SchedulerStopped
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import Execution
from aurora_scheduler.options import duration
from aurora_scheduler.scheduler import Scheduler
from aurora_scheduler.testing.memory import Memory
from aurora_scheduler.testing.runtime import SimulatedRuntime
from aurora_scheduler.tickets import Ticket

__all__ = ["SimulatedScheduler"]


class SimulatedScheduler(Scheduler):
    """The real scheduler, but for what it stands on; `runtime` is given before it is opened."""

    runtime: SimulatedRuntime

    def simulate(self, runtime: SimulatedRuntime) -> None:
        """Stand on this; a database in memory is kept from one run to the next."""
        self.runtime = runtime
        self.stand_on(runtime)
        if self.in_memory:
            self._new_store = Memory().store

    def open(self, home: Home | None) -> Ticket[None]:
        """Open the database; after a crash, as it was left. One that is open has its callbacks run on this loop now."""
        if self.runtime.was_killed:
            self.runtime.over.result()  # the dead take a moment to go
            super().stop(0)
        if self.runtime.is_stuck:
            raise SchedulerStopped(
                "a callback of the last run would not end though it was cancelled, and this simulation cannot go on "
                "beside it: make another one"
            )
        opened = super().open(home)
        if home is not None:
            self.adopt(home)
        return opened

    def stop(self, drain: float | str | Any) -> Ticket[None]:
        """Stop; time passes meanwhile, and the loop is over when it is answered."""
        seconds = duration("drain", drain) / SECOND
        if current_execution.get() is not None:
            self.runtime.pass_time(math.inf)
            return super().stop(seconds)
        over, stop = self.runtime.over, super().stop

        def begin() -> None:
            stop(seconds)
            self.runtime.pass_time(math.inf)

        self._when_settled(begin)
        return over

    def join(self) -> None:
        """Wait for the thread's last steps; not where a callback keeps it."""
        if not self.runtime.is_stuck:
            super().join()

    def crash(self) -> Ticket[None]:
        """Die as by `kill -9`; answered when nothing goes on any more."""
        over, stop = self.runtime.over, super().stop

        def bury() -> None:
            stop(0)

        if not over.on_answer(bury):  # no sooner: the dead are not asked to stop
            bury()
        self._when_settled(self.runtime.kill)
        return over

    def _when_settled(self, call: Callable[[], None]) -> None:
        """Do something when nothing else can go on, so that its place does not depend on the speed of threads."""
        if not self.runtime.pass_time(0).on_answer(call):
            call()

    def run_to_end(self, job_id: str) -> Ticket[Execution]:
        """Ask for a run, now; time passes until it has ended."""
        ended = super().run_to_end(job_id)
        self.runtime.pass_time(math.inf, lambda: ended.is_answered)
        return ended

    def pass_time(self, seconds: float) -> Ticket[None]:
        """Let so much time pass; also while nothing runs. Raises where a callback of this scheduler asks for it."""
        execution_id = current_execution.get()
        if execution_id is not None and self.runs(execution_id):
            raise RuntimeError(
                "inside a callback time passes by sleeping; who lets it pass waits for the callback's end"
            )
        if self.runtime.is_running and not self.runtime.was_killed:
            return self.runtime.pass_time(seconds)
        passed: Ticket[None] = Ticket()

        def skip() -> None:
            self.runtime.clock.skip(seconds)
            passed.answer(None)

        if not self.runtime.over.on_answer(skip):  # the dead, while they go, do not count
            skip()
        return passed
