"""What of the firings that are found due runs, and what is missed: the policy `misfire`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aurora_scheduler.model import Execution, ExecutionStatus, Job
from aurora_scheduler.rules.firing import Reason, let_pass, stepped
from aurora_scheduler.rules.overlap import planned
from aurora_scheduler.rules.timing import coming, delay_of, fallen_due, following, schedule_of

__all__ = ["MOST", "Backlog", "sort_out"]

#: How many firings of a backlog `misfire="run_all"` makes up for.
MOST = 100


@dataclass(frozen=True, slots=True)
class Backlog:
    """A backlog sorted out: the instants that run, in order, the one row for those that do not, the job after all.

    It is one version on.
    """

    run: tuple[int, ...]
    missed: tuple[Execution, ...]
    job: Job


def sort_out(
    job: Job, waiting: Sequence[Execution], until: int, now: int, new_id: Callable[[], str], *, begins: bool
) -> Backlog:
    """Sort out the instants that have come due by `until`, seen from `now`; at least one has.

    A single firing on time is a backlog of one. `begins`: the first of those that run begins at once, and counts.
    """
    fallen = fallen_due(job, until)
    assert fallen is not None
    last, count = fallen
    policies = job.policies
    if policies.misfire == "skip" and now - (last + delay_of(job, last)) > policies.misfire_grace:
        missed, after = let_pass(job, now, ExecutionStatus.MISSED, Reason.MISFIRE, new_id, until=until)
        return Backlog((), missed, stepped(after))
    runs = planned(job, waiting)
    run = _newest(job, runs, last, count) if policies.misfire == "run_all" else (last,)
    following_one = following(job, last, runs + len(run))
    after = coming(job, following_one, version=job.version + 1, runs=job.runs + begins)
    if run[0] == job.next_fire:
        return Backlog(run, (), after)
    missed, _ = let_pass(job, now, ExecutionStatus.MISSED, Reason.MISFIRE, new_id, until=run[0] - 1)
    return Backlog(run, missed, after)


def _newest(job: Job, runs: int, last: int, count: int) -> tuple[int, ...]:
    """The newest of `count` instants that end with `last`: as many as are made up for, and as `max_runs` leaves."""
    left = MOST if job.policies.max_runs is None else max(1, job.policies.max_runs - runs)
    schedule, run = schedule_of(job), [last]
    while len(run) < min(count, MOST, left):
        before = schedule.previous_instant(run[-1])
        assert before is not None
        run.append(before)
    return tuple(reversed(run))
