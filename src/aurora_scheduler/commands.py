"""What a call does: each function is one transaction's work on a store, the same for every facade and every process.

They run in the writer's thread, where reading, deciding and writing see one state; what they decide by are the rules.

A firing is claimed a moment ahead of its instant. What changes its job in that moment raises `NotYet`, and is to be
done anew when the instant has come: so nothing fires any more once a pause, an edit or a deletion has been answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from aurora_scheduler.answers import Explanation, Outlook
from aurora_scheduler.definition import Amended, Declared, redeclared, refuse_never
from aurora_scheduler.errors import JobExistsError, JobNotFoundError, OptionError, ScheduleError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.logs import about, logger
from aurora_scheduler.model import Change, ChangeKind, Commit, Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.options import read_moment
from aurora_scheduler.ports import Clock, NotYet, Refused, Share, Snapshot, Store
from aurora_scheduler.rules import (
    beyond,
    cancel_waiting,
    delete,
    is_ahead,
    is_free,
    may_be_outdated,
    pass_over,
    pause,
    recover,
    renamed,
    renewed,
    request_cancel,
    request_run,
    reschedule,
    resolved,
    resume,
    seated,
    standing,
)
from aurora_scheduler.rules.explaining import explain as explained
from aurora_scheduler.rules.firing import changed, finish_if_over
from aurora_scheduler.rules.outlook import outlook as outlook_of
from aurora_scheduler.values import replace

__all__ = [
    "activate_job",
    "cancel_execution",
    "create_jobs",
    "deactivate_job",
    "delete_job",
    "explain",
    "outdated_jobs",
    "recover_orphans",
    "renew_jobs",
    "replace_job",
    "run_job",
    "take_part",
]

_log = logger("engine")


def create_jobs(store: Store, clock: Clock, declared: Sequence[Declared], *, waits: bool = True) -> list[str]:
    """Add the jobs, or make those that exist as they are said now; all or none. The ids, in order.

    Of very many that fire often one is always claimed ahead. Unless it `waits` for that, some of them fire once more.
    """
    heard_of = store.heard_of([new.job.id for new in declared if not new.is_unheard_of])

    def may_be_there(new: Declared) -> bool:
        return bool(new.aliases) or (not new.is_unheard_of and new.job.id in heard_of)

    for of_heard, some in groupby(declared, may_be_there):
        if of_heard:
            for new in some:
                _create(store, clock, new, waits)
                heard_of.add(new.job.id)
        else:
            first = list(some)
            _create_first(store, clock, first, waits)
            heard_of.update(new.job.id for new in first)
    return [new.job.id for new in declared]


def _create_first(store: Store, clock: Clock, declared: Sequence[Declared], waits: bool) -> None:
    """Add jobs of whose ids there is nothing; unless they are there twice."""
    first = {new.job.id: new for new in reversed(declared)}
    for new in first.values():
        refuse_never(new.job)
    jobs = [new.job for new in declared if first[new.job.id] is new]
    store.insert_all(jobs, [_created(job) for job in jobs])
    for new in declared:
        if first[new.job.id] is not new:
            _create(store, clock, new, waits)


def _created(job: Job) -> Change:
    return Change(job_id=job.id, generation=job.generation, at=job.created, kind=ChangeKind.CREATED)


def _create(store: Store, clock: Clock, new: Declared, waits: bool) -> None:
    existing = _found(store, clock, new, waits)
    if existing is None:
        refuse_never(new.job)
        created = replace(new.job, generation=store.next_generation(new.job.id))
        store.insert(created)
        store.record(_created(created))
    elif new.if_exists == "error":
        raise JobExistsError(existing.id)
    elif new.if_exists == "update":
        now = clock.now()
        job = redeclared(existing, new.job, now)
        if job is not None:
            _replace(store, clock, existing, job, now, waits)
        elif existing.status is JobStatus.UNRESOLVED:
            _resolve(store, clock, existing)


def _resolve(store: Store, clock: Clock, job: Job) -> None:
    """Have an unresolved job go on: its callback was found just now, and its zone."""
    found = store.snapshot(job.id)
    commit = resolved(job, _sorted(found)[0] if found is not None else (), clock.now())
    if commit is not None:
        store.commit(commit)


def _found(store: Store, clock: Clock, new: Declared, waits: bool) -> Job | None:
    """The job of this id, or else the first that is there under an alias, which has the id then; None: neither.

    What is there under another alias is deleted: it would do the same work a second time.
    """
    existing = store.job(new.job.id)
    for alias in new.aliases:
        former = store.job(alias)
        if former is not None and existing is None:
            existing = _rename(store, clock, former, new.job.id, waits)
        elif former is not None:
            delete_job(store, clock, alias, waits=waits)
    return existing


def _rename(store: Store, clock: Clock, former: Job, job_id: str, waits: bool) -> Job:
    _snapshot(store, clock.now(), former.id, waits)
    now = clock.now()
    job = renamed(former, job_id, store.next_generation(job_id), now)
    store.rename(former, job)
    # Of both ids: whoever fires the jobs has to let go of the one, and to take up the other.
    store.record(changed(former, ChangeKind.RENAMED, now, job.id))
    store.record(changed(job, ChangeKind.RENAMED, now, former.id))
    return job


def replace_job(store: Store, clock: Clock, before: Job, edit: Amended) -> Job:
    """Edit the job. Raises `Stale` where this version is not the last any more, `ScheduleError` as `create_job`."""
    now = clock.now()  # and not when it was said: what has come due since is due by the schedule before
    after = edit.made_of(before, now)
    return before if after is None else _replace(store, clock, before, after, now)


def _replace(store: Store, clock: Clock, before: Job, after: Job, now: int, waits: bool = True) -> Job:
    """Write an edit that was made now."""
    found = _snapshot(store, now, before.id, waits)
    waiting, running = _sorted(found) if found is not None else ((), ())
    after = seated(after, waiting)
    if before.next_fire != after.next_fire:
        after = _beyond(store, after, now, open_left=bool(waiting or running))
        passed = _passed_over(store, clock, before)
        before, after = passed, replace(after, version=after.version + passed.version - before.version)
    store.replace(after)
    store.commit(reschedule(before, after, now, clock.new_id))
    return after


def delete_job(store: Store, clock: Clock, job_id: str, *, waits: bool = True) -> bool:
    """Delete the job; what waits is cancelled, what runs goes on, its history stays. False if there is none."""
    found = _snapshot(store, clock.now(), job_id, waits)
    if found is None:
        return False
    waiting, _ = _sorted(found)
    job = _passed_over(store, clock, found.job)
    store.remove(job)
    store.commit(delete(job, waiting, clock.now(), clock.new_id))
    return True


def deactivate_job(store: Store, clock: Clock, job_id: str, cancel_running: bool = False) -> bool:
    """Pause the job, and cancel what runs if that is asked for. False if there is none."""
    found = _snapshot(store, clock.now(), job_id)
    if found is None:
        return False
    waiting, running = _sorted(found)
    commit = pause(_passed_over(store, clock, found.job), waiting, clock.now(), clock.new_id)
    if commit is not None:
        store.commit(commit)
    if cancel_running:
        for row in running:
            cancel_execution(store, clock, row.id)
    return True


def activate_job(store: Store, clock: Clock, job_id: str) -> bool:
    """Let a paused or deactivated job fire again. Whether it is active now: False if there is none, or it is over."""
    found = _snapshot(store, clock.now(), job_id)
    if found is None:
        return False
    waiting, running = _sorted(found)
    commit = resume(found.job, waiting, len(running), clock.now(), clock.new_id())
    if commit is None or commit.job is None:
        return found.job.is_active
    # A one-off that passed meanwhile may have its record: of a time before the clock was set back.
    missed = tuple(row for row in commit.new if not store.is_recorded(row.job_id, row.generation, row.scheduled))
    job = _beyond(store, commit.job, clock.now(), open_left=bool(waiting or running))
    store.commit(replace(commit, job=job, new=missed))
    return job.is_active


def run_job(store: Store, clock: Clock, job_id: str, execution_id: str) -> Execution:
    """Ask for a run by hand, now. Raises `JobNotFoundError`."""
    found = _snapshot(store, clock.now(), job_id)
    if found is None:
        raise JobNotFoundError(job_id)
    job, now = found.job, clock.now()
    scheduled = now
    while store.is_recorded(job.id, job.generation, scheduled) or not is_free(job, scheduled):
        scheduled += 1
    commit, execution = request_run(job, scheduled, now, execution_id)
    store.commit(commit)
    return execution


def cancel_execution(store: Store, clock: Clock, execution_id: str) -> bool:
    """Cancel an attempt that waits, or ask its owner to cancel it. False if there is none, or it is over."""
    row = store.execution(execution_id)
    if row is None or row.status.is_final:
        return False
    if row.status is ExecutionStatus.CANCELLING:
        return True
    _refuse_ahead(clock.now(), (row,))
    found = store.snapshot(row.job_id)
    job = found.job if found is not None and found.job.generation == row.generation else None
    if row.status is ExecutionStatus.RUNNING:
        store.commit(request_cancel(job, row, clock.now()))
        return True
    waiting, running = _sorted(found) if found is not None and job is not None else ((), ())
    store.commit(cancel_waiting(job, row, len(waiting) - 1, len(running), clock.now()))
    return True


def explain(store: Store, clock: Clock, job_id: str, at: object) -> Explanation:
    """Why the job ran at `at`, or did not. Reads only. Raises `JobNotFoundError`, `OptionError`.

    Where `at` names a whole minute or second, the first firing in it is meant: who asks reads a clock, and an interval
    counts from a microsecond. So "now" means the minute that it is.
    """
    job = store.job(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    now = clock.now()
    first = now - now % (60 * SECOND) if at == "now" else read_moment("at", at, job.timezone)
    if first is None:
        raise OptionError("at", at, 'must be a datetime, text like "2030-05-28 15:00", or "now"')
    last = first + _meant(first)
    return explained(job, store.recorded(job, first, last), store.changes_of(job), first, last, now)


def outlook(store: Store, clock: Clock, job_id: str, count: int) -> Outlook:
    """What is to come of the job. Reads only. Raises `JobNotFoundError`, `ScheduleError`."""
    job = store.job(job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    return outlook_of(job, count, clock.now())


def _meant(instant: int) -> int:
    """How much more than an instant somebody means who names it to the minute, or to the second."""
    return next((unit - 1 for unit in (60 * SECOND, SECOND) if instant % unit == 0), 0)


def recover_orphans(store: Store, clock: Clock, owner: str) -> list[Commit]:
    """What owners before `owner` began and did not end is lost, and runs again where it should; what was written."""
    commits: list[Commit] = []
    orphans = store.orphans(owner)
    _refuse_ahead(clock.now(), (row for row, _ in orphans))
    for row, deaths in orphans:
        found = store.snapshot(row.job_id)
        if found is not None and found.job.generation != row.generation:
            found = None
        waiting, running = _sorted(found) if found is not None else ((), ())
        others = sum(other.id != row.id for other in running)
        job = None if found is None else found.job
        commit = recover(job, waiting, others, row, deaths, clock.now(), new_id=clock.new_id)
        try:
            with store.savepoint():
                store.commit(commit)
        except Refused:  # in the transaction that has just read it: the database does not agree with itself
            told = "execution %s of job %r cannot be recovered: the database is damaged"
            _log.error(told, row.id, row.job_name, extra=about(row))
        else:
            commits.append(commit)
    return commits


def take_part(
    store: Store, clock: Clock, owner: str, *, takes: bool = True, is_first: bool = False
) -> tuple[Share, list[Commit]]:
    """Of several that fire the jobs beside each other: say that this one lives, and have its share.

    What those began that are gone is recovered; what was written. The first time it is looked for in any case. Raises
    `NotYet`.
    """
    share = store.share(takes=takes)
    return share, recover_orphans(store, clock, owner) if is_first or share.someone_died else []


def outdated_jobs(store: Store) -> list[str]:
    """The ids of the jobs whose next firing was computed with other zone data than there are here. Reads only."""
    return [
        job_id
        for data in store.computed_with()
        if may_be_outdated(data.timezone, data.zone_data, data.schedule_type)
        for job_id in store.jobs_computed_with(data)
    ]


def renew_jobs(store: Store, clock: Clock, job_ids: Sequence[str]) -> int:
    """Compute the next firing of these jobs with the zone data there are here; how many have moved.

    A job whose schedule cannot be read here is left as it is, for its task to say so.
    """
    moved = 0
    for job_id in job_ids:
        job = store.job(job_id)
        try:
            commit = None if job is None else renewed(job, clock.now())
        except ScheduleError:
            continue
        if commit is None:
            continue
        try:
            with store.savepoint():
                store.commit(commit)
        except Refused:
            told = "the next firing of job %r cannot be written: the database is damaged"
            _log.error(told, job_id, extra={"job_id": job_id})
        else:
            moved += commit.change is not None
    return moved


def _passed_over(store: Store, clock: Clock, job: Job) -> Job:
    """The job past what has its record already of the firings that have come due: the clock may have been set back."""
    now, first = clock.now(), job.next_fire
    if job.status not in (JobStatus.ACTIVE, JobStatus.UNRESOLVED) or first is None or (job.next_due or first) > now:
        return job
    records = standing(job, store.recorded(job, first, now), first, now)
    if not records:
        return job
    commit = pass_over(job, records, now, clock.new_id)
    store.commit(commit)
    return job if commit.job is None else commit.job


def _beyond(store: Store, job: Job, now: int, *, open_left: bool) -> Job:
    """The job, its next firing not inside a range that is recorded; and finished, if it has none then."""
    first = job.next_fire
    if first is None:
        return job
    return finish_if_over(beyond(job, store.recorded(job, first, first), now), now, open_left=open_left)[0]


def _snapshot(store: Store, now: int, job_id: str, waits: bool = True) -> Snapshot | None:
    """The job that is about to be changed, and its open rows; None: there is none. Raises `NotYet` where it `waits`."""
    found = store.snapshot(job_id)
    if found is not None and waits:
        _refuse_ahead(now, found.open)
    return found


def _refuse_ahead(now: int, rows: Iterable[Execution]) -> None:
    wait = max((row.started - now for row in rows if row.started is not None and is_ahead(row, now)), default=0)
    if wait:
        raise NotYet(wait)


def _sorted(found: Snapshot) -> tuple[tuple[Execution, ...], tuple[Execution, ...]]:
    waiting = tuple(row for row in found.open if row.status is ExecutionStatus.WAITING)
    return waiting, tuple(row for row in found.open if row.status is not ExecutionStatus.WAITING)
