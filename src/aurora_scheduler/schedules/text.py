"""From text to a schedule: many small readers; the first that says "mine" reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import Reading, Schedule, readable
from aurora_scheduler.schedules.cron import read_cron
from aurora_scheduler.schedules.cronfields import EXPRESSIONS
from aurora_scheduler.schedules.interval import read_interval
from aurora_scheduler.schedules.once import TIMES, claims_time, read_delay, read_time
from aurora_scheduler.schedules.zones import instant_of_datetime, load_zone

__all__ = ["fires", "parse_schedule", "stored_schedule", "to_instant"]


@dataclass(frozen=True, slots=True)
class _Reader:
    """One way of saying a schedule: which texts are said so, and how they are read."""

    kind: ScheduleType
    claims: Callable[[str], object]
    read: Callable[[str, Reading], Schedule]


_READERS = (
    _Reader(ScheduleType.RELATIVE, re.compile(r"every\b", re.IGNORECASE).match, read_interval),
    _Reader(ScheduleType.RELATIVE, re.compile(r"in\b", re.IGNORECASE).match, read_delay),
    _Reader(ScheduleType.ABSOLUTE, claims_time, read_time),
    _Reader(ScheduleType.CRON, re.compile(r"@|.*\*|[0-9?/,#-]+ (?![a-z]+$)", re.IGNORECASE).match, read_cron),
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of schedule is called in messages, and the calls that take it."""

    name: str
    accepted: str
    calls: str


_KINDS = {
    ScheduleType.RELATIVE: _Kind(
        "a relative time", '"in 30 minutes", "every 5 minutes"', "create_relative_job or schedule_relative"
    ),
    ScheduleType.ABSOLUTE: _Kind("an absolute time", TIMES, "create_absolute_job or schedule_absolute"),
    ScheduleType.CRON: _Kind(
        "a cron expression", f"cron expressions ({EXPRESSIONS})", "create_cron_job or schedule_cron"
    ),
}


def parse_schedule(
    text: str,
    timezone: str | None = None,
    *,
    now: datetime | int | None = None,
    start: int | None = None,
    kinds: Collection[ScheduleType] | None = None,
    allow_past: bool = False,
) -> Schedule:
    """The schedule that `text` says.

    Args:
        text: `in N unit`, `every N unit`, a time, or a cron expression; case and blanks are free.
        timezone: the IANA name of the zone in which wall times are read; None: UTC.
        now: what `in` and `every` count from, and what is past: an instant or a datetime. None: they count from 1970,
            and nothing is past.
        start: an instant that they count from instead; an interval then fires at that instant first.
        kinds: the kinds of schedule that are accepted; None: all.
        allow_past: take a time that is past, too. It has no firing after now.

    Raises:
        ScheduleError: the text or the zone cannot be used; it says which part, why, and what is accepted.

    >>> parse_schedule("every 05 Minutes").text
    'every 5 minutes'
    >>> parse_schedule("0 9 * * 1-5", "Europe/Berlin").next_fire(datetime(2030, 6, 1)).isoformat()
    '2030-06-03T09:00:00+02:00'
    """
    accepted = _accepted(kinds)
    words = readable(text, accepted)
    zone = load_zone("UTC" if timezone is None else timezone)
    present = instant_of_datetime(now, zone) if isinstance(now, datetime) else now
    anchor = start if start is not None else present
    reading = Reading(
        zone=zone,
        anchor=0 if anchor is None else anchor,
        from_anchor=start is not None,
        now=None if allow_past else present,
    )
    reader = _reader_of(words)
    if reader is None:
        raise ScheduleError(text, _unknown(words), accepted=accepted)
    if kinds is not None and reader.kind not in kinds:
        kind = _KINDS[reader.kind]
        raise ScheduleError(text, f"it is {kind.name}; use {kind.calls}, or create_job", accepted=accepted)
    return reader.read(words, reading)


@lru_cache(maxsize=16_384)
def stored_schedule(
    schedule_type: ScheduleType | str, schedule_value: str, timezone: str, anchor: int, from_anchor: bool
) -> Schedule:
    """The schedule of a stored job, from its canonical text; a time that is past is taken as it is.

    `anchor` is the instant that `in` and `every` count from, `from_anchor` whether an interval fires there already.
    Raises `ScheduleError` where the zone, or the text of a later release, is unknown here.

    >>> stored_schedule("relative", "every 1 hour", "UTC", 0, from_anchor=False).next_instant(0)
    3600000000
    """
    reader = _reader_of(schedule_value)
    if reader is None or reader.kind != schedule_type:
        raise ScheduleError(
            schedule_value, f"this release knows no {schedule_type} schedule of this form", accepted=_accepted(None)
        )
    return reader.read(schedule_value, Reading(load_zone(timezone), anchor, from_anchor))


def fires(schedule: Schedule, after: int, count: int, ends: int | None = None) -> list[int]:
    """The first `count` instants strictly after `after`, none later than `ends`.

    >>> fires(parse_schedule("every 1 second"), 0, 3)
    [1000000, 2000000, 3000000]
    """
    found: list[int] = []
    while len(found) < count:
        instant = schedule.next_instant(found[-1] if found else after)
        if instant is None or (ends is not None and instant > ends):
            break
        found.append(instant)
    return found


def to_instant(moment: datetime | str, timezone: str) -> int:
    """The instant of a datetime, or of a time that is written out; naive ones are wall times of the zone.

    Raises `ScheduleError` for text that is not a time, and for an unknown zone.

    >>> to_instant("1970-01-01 01:00", "Europe/Berlin"), to_instant(datetime(1970, 1, 1, 0, 0, 1), "UTC")
    (0, 1000000)
    """
    zone = load_zone(timezone)
    if isinstance(moment, datetime):
        return instant_of_datetime(moment, zone)
    return read_time(readable(moment, TIMES), Reading(zone)).instant


def _reader_of(words: str) -> _Reader | None:
    return next((reader for reader in _READERS if reader.claims(words)), None)


def _accepted(kinds: Collection[ScheduleType] | None) -> str:
    return "; ".join(kind.accepted for name, kind in _KINDS.items() if kinds is None or name in kinds)


def _unknown(words: str) -> str:
    if re.fullmatch(r"[0-9.,]+ ?[a-z]+", words, re.IGNORECASE):
        return f'say "in {words}" for once, or "every {words}" for again and again'
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", words):
        return "it is a time without a date"
    return "phrases are not understood yet" if re.search(r"[a-z]{3}", words, re.IGNORECASE) else "it is no schedule"
