"""May it begin beside what runs, or wait for its turn, or not at all: the policy `overlap`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aurora_scheduler.model import Execution, ExecutionStatus, Job, Trigger
from aurora_scheduler.rules.firing import Reason, closed, let_pass, row_of
from aurora_scheduler.rules.timing import coming, fallen_due, following
from aurora_scheduler.values import replace

__all__ = [
    "QUEUE",
    "Overlapping",
    "has_room",
    "has_turn",
    "keeps_retries",
    "meet",
    "meet_by_hand",
    "planned",
    "queue",
    "seated",
    "superseded",
]

#: How many firings may wait for their turn.
QUEUE = 100


@dataclass(frozen=True, slots=True)
class Overlapping:
    """What becomes of firings that find no room: the job after them, and the rows to write."""

    job: Job
    new: tuple[Execution, ...] = ()
    moved: tuple[Execution, ...] = ()


def has_room(job: Job, running: Collection[object]) -> bool:
    """Whether one more attempt may begin."""
    most = job.max_instances
    return most is None or len(running) < most


def keeps_retries(job: Job) -> bool:
    """Whether a retry that waits and a newer firing both run."""
    return job.policies.overlap in ("allow", "queue_one", "queue_all")


def has_turn(row: Execution) -> bool:
    """Whether the row has its turn after others."""
    return row.reason in (Reason.QUEUED, Reason.BACKLOG)


def planned(job: Job, waiting: Sequence[Execution]) -> int:
    """The job's runs as if the firings that wait for their turn were claimed: they have a place among `max_runs`."""
    if not waiting:
        return job.runs
    return job.runs + sum(has_turn(row) and row.trigger is Trigger.SCHEDULE and row.attempt == 1 for row in waiting)


def seated(job: Job, waiting: Sequence[Execution]) -> Job:
    """A job that was given a next firing; without it, where what waits has the last places among `max_runs`."""
    most, taken = job.policies.max_runs, planned(job, waiting)
    return job if most is None or taken == job.runs or taken < most else coming(job, None)


def queue(job: Job, instants: Sequence[int], reason: Reason, new_id: Callable[[], str]) -> tuple[Execution, ...]:
    """Rows for these instants that wait for their turn."""
    return tuple([row_of(job, instant, new_id(), reason=reason) for instant in instants]) if instants else ()


def meet(
    job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, new_id: Callable[[], str]
) -> Overlapping:
    """Instants came due while what runs leaves no room."""
    match job.policies.overlap:
        case "queue_one":
            return _wait(job, waiting, 1, now, new_id)
        case "queue_all":
            return _wait(job, waiting, QUEUE, now, new_id)
        case "cancel_previous":
            return _take_over(job, waiting, running, now, new_id)
        case _:
            skipped, after = let_pass(job, now, ExecutionStatus.SKIPPED, Reason.OVERLAP, new_id)
            return Overlapping(after, skipped)


def meet_by_hand(
    job: Job,
    request: Execution,
    waiting: Sequence[Execution],
    running: Sequence[Execution],
    now: int,
    busy_since: int,
) -> Overlapping:
    """A run was asked for by hand, and what runs leaves no room; what was asked for before that began has its turn."""
    queued = [row for row in waiting if row.reason == Reason.QUEUED]
    places = {"queue_one": 1, "queue_all": QUEUE}.get(job.policies.overlap, 0)
    in_line = replace(request, reason=Reason.QUEUED)
    if request.due < busy_since:
        return Overlapping(job, moved=(in_line,))
    if job.policies.overlap == "cancel_previous":
        moved = (in_line, *superseded(queued, now), *_cancelled(running))
        return Overlapping(_with_places_of(queued, job, waiting, now), moved=moved)
    if len(queued) < places:
        return Overlapping(job, moved=(in_line,))
    return Overlapping(job, moved=(closed(request, ExecutionStatus.SKIPPED, Reason.OVERLAP, now),))


def _wait(job: Job, waiting: Sequence[Execution], places: int, now: int, new_id: Callable[[], str]) -> Overlapping:
    """The first ones wait, as many as there are places; the others are skipped."""
    places -= sum(row.reason == Reason.QUEUED for row in waiting)
    after = replace(job, runs=planned(job, waiting))
    queued: list[Execution] = []
    while places > 0 and after.next_fire is not None and fallen_due(after, now) is not None:
        instant = after.next_fire
        queued += queue(after, [instant], Reason.QUEUED, new_id)
        places -= 1
        after = replace(after, runs=after.runs + 1)
        after = coming(after, following(after, instant))
    skipped, after = let_pass(after, now, ExecutionStatus.SKIPPED, Reason.OVERLAP, new_id)
    return Overlapping(replace(after, runs=job.runs), (*queued, *skipped))


def _take_over(
    job: Job, waiting: Sequence[Execution], running: Sequence[Execution], now: int, new_id: Callable[[], str]
) -> Overlapping:
    """The latest one takes the place of what runs and of what waits, and begins when what runs has ended."""
    fallen = fallen_due(job, now)
    assert fallen is not None
    last, _ = fallen
    giving_way = [row for row in waiting if row.reason not in (Reason.RECOVERED, Reason.BACKLOG)]
    skipped, _ = let_pass(job, now, ExecutionStatus.SKIPPED, Reason.SUPERSEDED, new_id, until=last - 1)
    places = planned(job, [row for row in waiting if row not in giving_way])
    return Overlapping(
        coming(job, following(job, last, places + 1)),
        (*skipped, *queue(job, [last], Reason.QUEUED, new_id)),
        (*superseded(giving_way, now), *_cancelled(running)),
    )


def _with_places_of(rows: Sequence[Execution], job: Job, waiting: Sequence[Execution], now: int) -> Job:
    """The job when these rows, which waited, do not run: had they the last places among `max_runs`, it goes on."""
    had_places = [row.scheduled for row in rows if row.trigger is Trigger.SCHEDULE]
    if not had_places or job.next_fire is not None or job.policies.max_runs is None or not job.is_active:
        return job
    after = max(now, *had_places)  # the clock may have been set back
    return seated(coming(job, following(job, after)), [row for row in waiting if row not in rows])


def superseded(rows: Sequence[Execution], now: int) -> tuple[Execution, ...]:
    """These rows, whose place a newer firing takes."""
    return tuple([closed(row, ExecutionStatus.SKIPPED, Reason.SUPERSEDED, now) for row in rows]) if rows else ()


def _cancelled(running: Sequence[Execution]) -> tuple[Execution, ...]:
    """What runs is asked to end; but not what was asked before, nor a backlog, which runs whatever comes."""
    return tuple(
        replace(row, status=ExecutionStatus.CANCELLING, reason=Reason.SUPERSEDED)
        for row in running
        if row.status is ExecutionStatus.RUNNING and row.reason != Reason.BACKLOG
    )
