"""When a job fires: its schedule within its bounds, and what its next firing was computed with."""

from __future__ import annotations

import hashlib
from typing import Any

from aurora_scheduler.model import Job, ScheduleType
from aurora_scheduler.schedules import Schedule, accounted, load_zone, stored_schedule, wall_before, zone_data
from aurora_scheduler.values import replace

__all__ = [
    "anew",
    "coming",
    "delay_of",
    "fallen_due",
    "following",
    "hashed",
    "is_outdated",
    "may_be_outdated",
    "rejittered",
    "schedule_of",
    "within",
]


def schedule_of(job: Job) -> Schedule:
    """The job's schedule within its limits, from its stored text. Raises `ScheduleError` where its zone is unknown."""
    policies, memo, zone = job.policies, job.memo, load_zone(job.timezone)
    # A job is mostly made of the one before it, and has the very same texts; else what was made of them is forgotten.
    if (
        memo is not None
        and memo[1] is job.schedule_value
        and memo[2] is policies
        and memo[3] is zone
        and memo[4] is job.anchor
        and memo[5] is job.schedule_type
    ):
        schedule: Schedule = memo[0]
        return schedule
    schedule = stored_schedule(
        job.schedule_type,
        job.schedule_value,
        job.timezone,
        job.anchor,
        policies.starts is not None,
        policies.exclude_dates,
        policies.only_between,
    )
    made = (schedule, job.schedule_value, policies, zone, job.anchor, job.schedule_type)
    object.__setattr__(job, "memo", made)
    return schedule


def following(job: Job, after: int, runs: int | None = None) -> int | None:
    """The job's first instant strictly after `after`, within `start_at`, `end_at` and `max_runs`.

    `runs` counts the firings begun by then, where it is not those that the job knows of.
    """
    policies = job.policies
    if policies.max_runs is not None and (job.runs if runs is None else runs) >= policies.max_runs:
        return None
    if policies.starts is not None:
        after = max(after, policies.starts - 1)
    instant = schedule_of(job).next_instant(after)
    return None if instant is None or (policies.ends is not None and instant > policies.ends) else instant


def coming(job: Job, next_fire: int | None, **state: Any) -> Job:
    """The job with a next firing that was computed here and now, and what tells the zone data it was computed with.

    `state` is what else becomes of it.
    """
    delay = 0 if next_fire is None else delay_of(job, next_fire)
    data, wall = None, None
    if next_fire is not None and _asks_zone(job):
        data, wall = zone_data(job.timezone), wall_before(load_zone(job.timezone), next_fire)
    return replace(job, next_fire=next_fire, next_delay=delay, zone_data=data, next_wall=wall, **state)


def rejittered(job: Job) -> Job:
    """The job with the share of its `jitter` that its next firing has: after an edit, or before it is stored."""
    return job if job.next_fire is None else replace(job, next_delay=delay_of(job, job.next_fire))


def delay_of(job: Job, instant: int) -> int:
    """How long after one of its instants the job is due: a share of `jitter` that depends on job and instant alone.

    It is always less than the distance to the next instant, so firings keep their order.
    """
    most = job.policies.jitter
    if not most:
        return 0
    following_one = schedule_of(job).next_instant(instant)
    if following_one is not None:
        most = min(most, following_one - instant - 1)
    return hashed(f"{job.id}:{instant}", most)


def hashed(key: str, most: int) -> int:
    """A number from 0 to `most` that looks random, the same for the same key on every machine."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % (most + 1)


def fallen_due(job: Job, until: int) -> tuple[int, int] | None:
    """The latest of the job's instants that have come due by `until`, and how many have; None: none has.

    They begin with its next firing. Raises `ScheduleError` where the job's zone is unknown here and one has.
    """
    first = job.next_fire
    if first is None or job.next_due is None or job.next_due > until:
        return None
    schedule = schedule_of(job)
    last, count = schedule.span(first, within(job, until))
    if last > first and last + delay_of(job, last) > until:  # of it alone the share may be still to come
        before = schedule.previous_instant(last)
        assert before is not None
        last, count = before, count - 1
    return last, count


def _asks_zone(job: Job) -> bool:
    """Whether the job's firings depend on its zone: an amount of time does not, unless it is limited by wall times."""
    policies = job.policies
    limited = policies.exclude_dates or policies.only_between is not None
    return job.schedule_type is not ScheduleType.RELATIVE or bool(limited)


def is_outdated(job: Job) -> bool:
    """Whether the job's next firing was computed with other data of its zone than there are here, if there are any."""
    return job.next_fire is not None and _asks_zone(job) and zone_data(job.timezone) not in ("", job.zone_data)


def may_be_outdated(timezone: str, computed_with: str | None, schedule_type: str) -> bool:
    """Whether a job of which no more is known may be: one that counts an amount of time has data only if it asks."""
    asks = computed_with is not None or schedule_type != ScheduleType.RELATIVE
    return asks and zone_data(timezone) not in ("", computed_with)


def anew(job: Job, now: int) -> Job:
    """The job with its next firing by the zone data there are here; itself, where it was computed with these.

    By these data it may have come due, and is a backlog then, or not be due any more. Raises `ScheduleError` where the
    schedule cannot be read here.
    """
    if job.next_fire is None or not is_outdated(job):
        return job
    schedule = schedule_of(job)
    after = accounted(schedule, job.next_fire, job.next_wall, now)
    if job.next_fire <= now and schedule.next_instant(after) == job.next_fire:
        return coming(job, job.next_fire)  # due by both: it stays, even where an edit has set an end before it
    return coming(job, following(job, after))


def within(job: Job, until: int) -> int:
    """`until`, but not after the job's `end_at`; an instant that was next already when that was set stays in."""
    if job.policies.ends is None:
        return until
    return min(until, max(job.policies.ends, job.next_fire or job.policies.ends))
