"""What APScheduler 3 has in its SQLAlchemyJobStore, as jobs of ours; and what of it cannot be carried over, and why.

Its jobs are pickles: to read them is to run what they name, in an environment where APScheduler is installed.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurora_scheduler.callbacks import name_of, resolve
from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.definition import NewJob
from aurora_scheduler.errors import AuroraError, masked, shown

__all__ = ["Carried", "NotCarried", "carried", "stored_jobs"]

#: Its own default, which most jobs have because nobody said anything else.
_ITS_GRACE = 1
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PLACES = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5}
_LAST = {"month": 12, "day": 31, "hour": 23, "minute": 59}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A job that can be made here."""

    job_id: str
    job: NewJob
    is_paused: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NotCarried:
    """A job that cannot be, and why."""

    job_id: str
    reason: str


class _Refusal(Exception):
    """Why a job cannot be carried over."""


def stored_jobs(url: str, table: str) -> list[tuple[str, bytes]]:
    """The jobs in a store, by their ids, pickled. Raises `Failure`."""
    try:
        from sqlalchemy import create_engine, make_url, text
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise Failure(
            "SQLAlchemy is not installed here; call it in the environment of the program that has the jobs"
        ) from None
    try:
        where = make_url(url)
        file = where.database if where.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
            raise Failure(f"there is no file {shown(file, 300)}")  # else an empty one would be made
        engine = create_engine(where)
        try:
            with engine.connect() as connection:
                rows = connection.execute(text(f'SELECT id, job_state FROM "{table}" ORDER BY next_run_time, id'))
                return [(str(job_id), bytes(state)) for job_id, state in rows]
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        told = str(error).splitlines()[0].replace(url, masked(url))
        raise Failure(f"the jobs cannot be read from {masked(url)}: {told}") from error


def carried(job_id: str, pickled: bytes) -> Carried | NotCarried:
    """One of its jobs as one of ours."""
    try:
        state = pickle.loads(pickled)
    except Exception as error:  # whatever a class that is named in it does
        reason = f"its pickle cannot be read here: {type(error).__name__}: {error}"
        return NotCarried(job_id=job_id, reason=reason)
    try:
        return _carried(job_id, state)
    except (_Refusal, AuroraError) as error:
        return NotCarried(job_id=job_id, reason=str(error))


def _carried(job_id: str, state: Mapping[str, Any]) -> Carried:
    callback = str(state["func"])
    function = resolve(name_of(callback))
    schedule, options = _schedule(state["trigger"])
    more, notes = _policies(state)
    job = NewJob(
        name=state["name"],
        schedule=schedule,
        callback=callback,
        callback_args=_arguments(function, state["args"], state["kwargs"]),
        job_id=job_id,
        if_exists="update",
        tags=["apscheduler"],
        max_retries=0,
        on_exhausted="continue",
        **options,
        **more,
    )
    return Carried(job_id=job_id, job=job, is_paused=state.get("next_run_time") is None, notes=tuple(notes))


def _arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All of them by name."""
    if not args:
        return dict(kwargs)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise _Refusal(f"its arguments have no names, and its function does not tell them: {error}") from error
    named = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    if len(args) > len(named):
        raise _Refusal(f"it has {len(args)} arguments without names, and its function has names for {len(named)}")
    return dict(zip(named, args, strict=False)) | dict(kwargs)


def _policies(state: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    options: dict[str, Any] = {}
    notes: list[str] = []
    grace = state.get("misfire_grace_time")
    if grace == _ITS_GRACE:
        notes.append("misfire_grace_time=1 is its default, and left out: what is late runs")
    elif grace is not None:
        options |= {"misfire": "skip", "misfire_grace": grace}
    elif not state.get("coalesce", True):
        options["misfire"] = "run_all"
    if state.get("max_instances", 1) > 1:
        options |= {"overlap": "allow", "max_instances": state["max_instances"]}
    if state.get("executor", "default") != "default":
        notes.append(f"executor {state['executor']!r} is left out")
    return options, notes


def _schedule(trigger: Any) -> tuple[str, dict[str, Any]]:
    """The text that says what its trigger says, and the options that go with it."""
    kind = type(trigger).__name__
    if kind == "DateTrigger":
        return trigger.run_date.isoformat(), {}
    if kind not in ("IntervalTrigger", "CronTrigger"):
        raise _Refusal(f"its trigger is a {kind}, which has no counterpart")
    options = {"start_at": trigger.start_date, "end_at": trigger.end_date, "jitter": trigger.jitter}
    options["timezone"] = _zone(trigger.timezone)
    told = {name: value for name, value in options.items() if value is not None}
    if kind == "IntervalTrigger":
        seconds = trigger.interval.total_seconds()
        if seconds != int(seconds):
            raise _Refusal(f"its interval is {seconds} seconds, and intervals are whole ones")
        return f"every {int(seconds)} seconds", told
    return _cron({field.name: str(field) for field in trigger.fields}), told


def _zone(zone: Any) -> str:
    return str(getattr(zone, "key", None) or getattr(zone, "zone", None) or zone)


def _cron(fields: Mapping[str, str]) -> str:
    """The five fields of cron that say the same."""
    for name, only in (("year", "*"), ("week", "*"), ("second", "0")):
        if fields[name] != only:
            raise _Refusal(f"its {name} is {fields[name]!r}, which cron cannot say")
    day, weekday = fields["day"], fields["day_of_week"]
    if day != "*" and weekday != "*":
        raise _Refusal(f"it fires on days that are {day!r} and {weekday!r}; in cron that is either of them")
    minute, hour, month = (_numbers(name, fields[name]) for name in ("minute", "hour", "month"))
    day, weekday = _days(day, weekday)
    return f"{minute} {hour} {day} {month} {weekday}"


def _days(day: str, weekday: str) -> tuple[str, str]:
    if day == "last":
        return "L", "*"
    place, _, name = day.partition(" ")
    if name in _WEEKDAYS and "," not in day:
        number = _of_cron(_WEEKDAYS.index(name))
        if place == "last":
            return "*", f"{number}L"
        return "*", f"{number}#{_PLACES[place]}"
    if any(char.isalpha() for char in day):
        raise _Refusal(f"its day is {day!r}, which cron cannot say")
    return _numbers("day", day), "*" if weekday == "*" else _weekdays(weekday)


def _numbers(name: str, text: str) -> str:
    """A field as cron has it: where it begins somewhere and goes on in steps, the end is said."""
    parts = []
    for part in text.split(","):
        first, separator, step = part.partition("/")
        open_ended = separator and first != "*" and "-" not in first
        parts.append(f"{first}-{_LAST[name]}/{step}" if open_ended else part)
    return ",".join(parts)


def _weekdays(text: str) -> str:
    """Weekdays, which count from Monday there and from Sunday here."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, separator, last = ("0", "-", "6") if span == "*" else span.partition("-")
        begin = _weekday(first)
        end = _weekday(last) if separator else (6 if step else begin)
        found.update(range(begin, end + 1, int(step or 1)))
    return ",".join(str(number) for number in sorted(map(_of_cron, found)))


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text) if text in _WEEKDAYS else int(text)


def _of_cron(weekday: int) -> int:
    return (weekday + 1) % 7
