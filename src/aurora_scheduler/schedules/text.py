"""From text to a schedule: who reads it, in which zone, and what is said of a text that nobody can read."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import ScheduleType
from aurora_scheduler.schedules.base import LONGEST_TEXT, Reading, Schedule, readable
from aurora_scheduler.schedules.cron import read_cron
from aurora_scheduler.schedules.cronfields import EXPRESSIONS
from aurora_scheduler.schedules.daytimes import read_times
from aurora_scheduler.schedules.interval import read_interval
from aurora_scheduler.schedules.limits import limited
from aurora_scheduler.schedules.names import MONTHS, ORDINALS, WEEKDAYS
from aurora_scheduler.schedules.nearest import nearest
from aurora_scheduler.schedules.once import TIMES, claims_time, read_delay, read_time
from aurora_scheduler.schedules.phrase import read_phrase
from aurora_scheduler.schedules.upcoming import FIRST_WORDS, read_upcoming
from aurora_scheduler.schedules.words import Misspoken, Words
from aurora_scheduler.schedules.zones import (
    find_zone,
    instant_of_datetime,
    load_zone,
    nearest_zone,
    zones_of_city,
)

__all__ = ["fires", "parse_schedule", "stored_schedule", "to_instant", "zone_said"]


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
    ScheduleType.PHRASE: _Kind(
        "a phrase",
        'phrases like "every monday at 09:00", "every 15 minutes between 09:00 and 17:00 on weekdays"',
        "schedule_from_text",
    ),
}

_CRON = re.compile(r"@|.*\*|[0-9?/,#-]+ (?![a-z]+$)", re.IGNORECASE)
_WORDY = re.compile(r"(?:every|in|at|on)\b|[0-9]{1,2}(?:st|nd|rd|th)? (?:of )?[a-z]{3,} ", re.IGNORECASE)
_IN_ZONE = re.compile(r"(?P<rest>.*\S) in (?P<zone>\S+|[a-z]+/[a-z ]+)", re.IGNORECASE)
_BARE_ZONE = re.compile(r"(?P<rest>.*\S) (?P<zone>[a-z]\S*/\S+|utc)", re.IGNORECASE)
_ADVERBS = {
    "hourly": "every hour",
    "daily": "every day",
    "weekly": "every monday",
    "monthly": "every month on the 1st",
    "yearly": "every year on january 1",
}
_PLURALS = frozenset(f"{name}s" for name in (*WEEKDAYS, "weekday", "weekend"))


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
        text: an amount of time after `in` or `every`, a time, a cron expression or a phrase; case and blanks are free.
            A time zone may follow, as in `every day at 9am in Europe/Berlin`.
        timezone: the IANA name of the zone in which wall times are read if the text says none; None: UTC.
        now: what `in` and `every` count from, what `tomorrow` is seen from, and what is past: an instant or a
            datetime. None: 1970, and nothing is past.
        start: an instant that `in` and `every` count from instead; an interval then fires at that instant first.
        kinds: the kinds of schedule that are accepted; None: all.
        allow_past: take a time that is past, too. It has no firing after now.

    Raises:
        ScheduleError: the text or the zone cannot be used; it says which part, why, and what is accepted.

    >>> parse_schedule("every 05 Minutes").text
    'every 5 minutes'
    >>> parse_schedule("every weekday at 9am in Europe/Berlin").next_fire(datetime(2030, 6, 1)).isoformat()
    '2030-06-03T09:00:00+02:00'
    """
    accepted = _accepted(kinds)
    words = readable(text, accepted)
    zone = load_zone("UTC" if timezone is None else timezone)
    present = instant_of_datetime(now, zone) if isinstance(now, datetime) else now
    anchor = start if start is not None else present
    reading = Reading(
        zone=zone,
        present=0 if present is None else present,
        anchor=0 if anchor is None else anchor,
        from_anchor=start is not None,
        refuses_past=present is not None and not allow_past,
    )
    _refuse_other_kind(text, _form(words), kinds)
    try:
        schedule = _read(words, reading)
    except Misspoken as error:
        raise ScheduleError(
            words,
            error.reason,
            part=words[error.start : error.end] or None,
            position=error.start,
            nearest=nearest(words, error, lambda other: _read(other, reading)),
            accepted=accepted,
        ) from None
    _refuse_other_kind(text, schedule.kind, kinds)
    return schedule


@lru_cache(maxsize=16_384)
def stored_schedule(
    schedule_type: ScheduleType | str,
    schedule_value: str,
    timezone: str,
    anchor: int,
    from_anchor: bool,
    excluded: tuple[str, ...] = (),
    between: tuple[int, int] | None = None,
) -> Schedule:
    """The schedule of a stored job, from its canonical text; a time that is past is taken as it is.

    `anchor` is the instant that `in` and `every` count from, `from_anchor` whether an interval fires there already;
    `excluded` and `between` limit it. Raises `ScheduleError` where the zone, or the text of a later release, is
    unknown here.

    >>> stored_schedule("relative", "every 1 hour", "UTC", 0, from_anchor=False).next_instant(0)
    3600000000
    """
    try:
        schedule = _read(schedule_value, Reading(load_zone(timezone), anchor, anchor, from_anchor))
    except Misspoken:
        schedule = None
    if schedule is None or schedule.kind != schedule_type:
        raise ScheduleError(
            schedule_value, f"this release knows no {schedule_type} schedule of this form", accepted=_accepted(None)
        )
    return limited(schedule, excluded, between)


def zone_said(text: object) -> str | None:
    """The time zone that the text itself says, or None.

    >>> zone_said("every day at 9am in europe/berlin"), zone_said("every day at 9am")
    ('Europe/Berlin', None)
    """
    try:
        zone = _split(" ".join(text.split()))[1] if isinstance(text, str) else None
    except (Misspoken, ScheduleError):  # to be told by who reads the text
        return None
    return None if zone is None else zone.key


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
    try:
        return read_time(readable(moment, TIMES), Reading(zone)).instant
    except ScheduleError as error:  # it was no schedule that was asked for
        raise ScheduleError(moment, error.reason, part=error.part, accepted=TIMES, what="time") from None


def _read(text: str, reading: Reading) -> Schedule:
    """The schedule of a text with single blanks, in the zone it says, else in the reading's."""
    rest, zone = _split(text)
    schedule = _read_without_zone(rest, reading if zone is None else replace(reading, zone=zone))
    if zone is not None:
        schedule = replace(schedule, text=f"{schedule.text} in {zone.key}")
    if len(schedule.text) > LONGEST_TEXT:  # it could not be read again
        reason = f"its canonical text has {len(schedule.text)} characters, and {LONGEST_TEXT} is the most"
        raise ScheduleError(text, reason, accepted="fewer times; another job can have the others")
    return schedule


def _split(text: str) -> tuple[str, ZoneInfo | None]:
    """The text before the time zone that it says, and the zone."""
    found = _IN_ZONE.fullmatch(text)
    if found is None:  # a name alone, which may also be something else
        found = _BARE_ZONE.fullmatch(text)
        zone = find_zone(found["zone"]) if found else None
        return (found["rest"], zone) if found and zone else (text, None)
    name = found["zone"].replace(" ", "_")
    zone = find_zone(name)
    if zone is not None:
        return found["rest"], zone
    near = nearest_zone(name)
    if "/" in name:
        raise Misspoken("no time zone of this name is known here", *found.span("zone"), (near or "UTC",))
    if near is not None and near in zones_of_city(name):
        raise Misspoken(f"a time zone is said by its whole name, like {near}", *found.span("zone"), (near,))
    return text, None


def _read_without_zone(text: str, reading: Reading) -> Schedule:
    """The schedule of a text. Many small readers; the first that says "mine" reads it."""
    form = _form(text)
    if form is ScheduleType.ABSOLUTE:
        return read_time(text, reading)
    if form is ScheduleType.CRON:
        return read_cron(text, reading)
    words = Words(text)
    if words.accept("in"):
        return read_delay(words, reading)
    if words.accept("every"):
        return read_interval(words, reading) or read_phrase(words, reading)
    if _recurs(words):
        words.accept("on")
        words.accept("the")
        return read_phrase(words, reading)
    if words.accept("at"):
        times = read_times(words)
        if words.accept("every"):
            return read_phrase(words, reading, times)
        words.go_to(0)
    if words.peek() in FIRST_WORDS or words.peek() in MONTHS or _WORDY.match(text):
        return read_upcoming(words, reading)
    return _refuse(words)


def _recurs(words: Words) -> bool:
    """Whether "every" is left out: `on mondays ...`, `the first monday of ...`."""
    on = words.peek() == "on"
    the = words.peek(on) == "the"
    return words.peek(on) in _PLURALS or (the and words.peek(on + 1) in ORDINALS)


def _form(text: str) -> ScheduleType | None:
    """The kind that a text has by its form, whether it can be read or not; None where its words tell."""
    if claims_time(text):
        return ScheduleType.ABSOLUTE
    return ScheduleType.CRON if _CRON.match(text) and not _WORDY.match(text) else None


def _refuse_other_kind(text: str, kind: ScheduleType | None, kinds: Collection[ScheduleType] | None) -> None:
    if kind is not None and kinds is not None and kind not in kinds:
        said = _KINDS[kind]
        raise ScheduleError(text, f"it is {said.name}; use {said.calls}, or create_job", accepted=_accepted(kinds))


def _accepted(kinds: Collection[ScheduleType] | None) -> str:
    return "; ".join(kind.accepted for name, kind in _KINDS.items() if kinds is None or name in kinds)


def _refuse(words: Words) -> NoReturn:
    """Raise `Misspoken` for a text that begins like no schedule."""
    text = words.text
    if re.fullmatch(r"[0-9.,]+ ?[a-z]+", text, re.IGNORECASE):
        words.fail(f'say "in {text}" for once, or "every {text}" for again and again', "in", "every")
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        words.fail(f'it is a time without a date; say "at {text}" for once, or "every day at {text}"', "at")
    fitting = _ADVERBS.get(words.peek())
    words.fail(
        'it is no schedule; they begin with "every", "in", "at", "on" or a date, or are cron expressions',
        *([fitting] if fitting else ["every", "on", "in", "at"]),
    )
