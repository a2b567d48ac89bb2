"""The options of a job: their names, what each accepts, and how it is stored. Nothing is ever ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from aurora_scheduler.callbacks import name_of
from aurora_scheduler.errors import CallbackError, OptionError, ScheduleError, UnknownOptionError, one_of
from aurora_scheduler.instants import FIRST, LAST, SECOND, aware, instant_of, micros
from aurora_scheduler.model import Policies
from aurora_scheduler.schedules import parse_duration, parse_time_of_day, to_instant

__all__ = [
    "FIELDS",
    "checked_aliases",
    "checked_choice",
    "checked_name",
    "checked_node_tags",
    "checked_tags",
    "duration",
    "read_moment",
    "read_options",
    "unknown_option",
    "whole_number",
]

#: The option, and the field of `Policies` it is stored in.
FIELDS: Mapping[str, str] = {
    "max_retries": "max_retries",
    "retry_delay": "retry_delay",
    "retry_backoff": "retry_backoff",
    "max_retry_delay": "max_retry_delay",
    "retry_jitter": "retry_jitter",
    "on_exhausted": "on_exhausted",
    "start_at": "starts",
    "end_at": "ends",
    "max_runs": "max_runs",
    "exclude_dates": "exclude_dates",
    "only_between": "only_between",
    "misfire": "misfire",
    "misfire_grace": "misfire_grace",
    "overlap": "overlap",
    "max_instances": "max_instances",
    "timeout": "timeout",
    "jitter": "jitter",
    "delivery": "delivery",
    "runner": "runner",
    "on_failure": "on_failure",
    "on_deactivate": "on_deactivate",
    "ping": "ping",
    "node_tag": "node_tag",
}

#: Options of a new job that are no policies, and are read elsewhere.
_BESIDE = ("job_id", "if_exists", "aliases", "timezone", "tags")
_LONGEST_NAME = 255
_MOST_TAGS = 100
_MOST_ALIASES = 100
_MOST_DATES = 1_000
_LONGEST_URL = 2_000


def read_options(
    options: Mapping[str, Any], zone: str, defaults: Policies | None = None, *, beside: Sequence[str] = _BESIDE
) -> Policies:
    """The policies that `options` say, over `defaults`; `beside` are the options that are accepted and read elsewhere.

    Durations are seconds, `timedelta` or text ("5 minutes"); instants aware or naive datetimes or text, read in `zone`.
    Raises `UnknownOptionError` for a name there is not, `OptionError` for a value that is not accepted.
    """
    base = defaults if defaults is not None else Policies()
    values: dict[str, Any] = {name: getattr(base, name) for name in Policies.__dataclass_fields__}
    for option, value in options.items():
        if option not in _READERS:
            raise unknown_option(option, value, beside)
        values[FIELDS[option]] = _READERS[option](option, value, zone)
    if "max_retries" not in options and values["max_retries"] == _retries_of(base.delivery):
        values["max_retries"] = _retries_of(values["delivery"])
    if values["overlap"] != "allow":
        if (options.get("max_instances") or 1) > 1:
            raise OptionError(
                "max_instances", options["max_instances"], 'needs overlap="allow": with any other, one runs at a time'
            )
        values["max_instances"] = None
    policies = Policies(**values)
    if policies.starts is not None and policies.ends is not None and policies.ends < policies.starts:
        raise OptionError("end_at", options.get("end_at"), "must not be before start_at")
    return policies


def _retries_of(delivery: str) -> int:
    """How many retries there are where nobody says: none, where an attempt must not be made twice."""
    return Policies().max_retries if delivery == "at_least_once" else 0


def duration(option: str, value: object, *, least: int = 0) -> int:
    """A duration in microseconds: from seconds, a `timedelta`, or text like "5 minutes"."""
    accepted = 'seconds, a timedelta, or text like "5 minutes"'
    if isinstance(value, timedelta):
        length = micros(value)
    elif isinstance(value, str):
        try:
            length = parse_duration(value)
        except ScheduleError as error:
            raise OptionError(option, value, f"is not a duration ({error.reason}); accepted: {accepted}") from error
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        length = round(value * SECOND)
    else:
        raise OptionError(option, value, f"must be {accepted}")
    if length < least:
        raise OptionError(option, value, "must not be negative" if least == 0 else "must be longer than 0")
    if length > LAST:
        raise OptionError(option, value, "is longer than any calendar")
    return length


def whole_number(option: str, value: object, *, least: int, most: int = 10**9) -> int:
    """A whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OptionError(option, value, f"must be a whole number from {least:,} to {most:,}")
    return value


def checked_name(value: object, option: str = "name") -> str:
    """A job's name, or its id: text that can be shown on a line."""
    if not isinstance(value, str):
        raise OptionError(option, value, f"must be text, not {type(value).__name__}")
    if not value.strip():
        raise OptionError(option, value, "must not be empty")
    if len(value) > _LONGEST_NAME:
        raise OptionError(option, value, f"must have at most {_LONGEST_NAME} characters")
    if not value.isprintable():
        raise OptionError(option, value, "must not have line breaks or other control characters")
    return value


def checked_tags(value: object) -> tuple[str, ...]:
    """Tags: a collection of short texts, each kept once, in order."""
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise OptionError("tags", value, 'must be a list of texts, like ["nightly"]')
    tags = tuple(
        dict.fromkeys(
            checked_name(tag, "tags")
            for tag in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)
        )
    )
    if len(tags) > _MOST_TAGS:
        raise OptionError("tags", value, f"must be at most {_MOST_TAGS}")
    return tags


def checked_node_tags(value: object) -> frozenset[str]:
    """The tags of a process that fires jobs."""
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise OptionError("node_tags", value, 'must be a list of texts, like ["gpu"]')
    if len(value) > _MOST_TAGS:
        raise OptionError("node_tags", value, f"must be at most {_MOST_TAGS}")
    return frozenset(_word("node_tags", tag) for tag in value)


def _word(option: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", value):
        accepted = "letters, digits, '_', '-', '.' and ':', at most 100, the first a letter or a digit"
        raise OptionError(option, value, f'must be a word like "gpu": {accepted}')
    return value


def checked_aliases(value: object, job_id: str | None) -> tuple[str, ...]:
    """The ids that a job had before: each kept once, in the order in which they are looked for."""
    if not isinstance(value, list | tuple):
        raise OptionError("aliases", value, 'must be a list of ids, like ["shop.jobs:old_name"]')
    aliases = tuple(dict.fromkeys(checked_name(alias, "aliases") for alias in value))
    if job_id in aliases:
        raise OptionError("aliases", value, "must be ids that the job had before, and not the one it has")
    if len(aliases) > _MOST_ALIASES:
        raise OptionError("aliases", value, f"must be at most {_MOST_ALIASES}")
    return aliases


def checked_choice(option: str, value: object, choices: tuple[str, ...]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise OptionError(option, value, f"must be {one_of(choices)}")
    return str(value)


def unknown_option(option: str, value: object, beside: Sequence[str]) -> UnknownOptionError:
    """The error for an option that is no policy, and none of those `beside`; it tells what is accepted."""
    names = (*beside, *FIELDS)
    near = get_close_matches(option, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; the options are {', '.join(names)}"
    return UnknownOptionError(option, value, f"there is no such option{hint}")


def read_moment(option: str, value: object, zone: str) -> int | None:
    """An instant, from a datetime or text; what has no offset is read in `zone`. Raises `OptionError`."""
    if value is None:
        return None
    try:
        if isinstance(value, datetime):
            instant = instant_of(value) if value.utcoffset() is not None else to_instant(value, zone)
        elif isinstance(value, str):
            instant = to_instant(value, zone)
        else:
            raise OptionError(option, value, 'must be a datetime or text like "2030-05-28 15:00"')
    except ScheduleError as error:
        raise OptionError(option, value, str(error)) from error
    if not FIRST <= instant <= LAST:
        raise OptionError(option, value, "is outside the years that can be scheduled")
    return instant


def _dates(option: str, value: object, zone: str) -> tuple[str, ...]:
    accepted = 'must be a list of dates, like ["2030-12-25", date(2030, 12, 26)]'
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise OptionError(option, value, accepted)
    days = sorted({_date(option, each, accepted) for each in value})
    if len(days) > _MOST_DATES:
        raise OptionError(option, value, f"must be at most {_MOST_DATES:,} dates")
    return tuple(day.isoformat() for day in days)


def _date(option: str, value: object, accepted: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise OptionError(option, value, accepted)
    try:
        instant = to_instant(value, "UTC")
    except ScheduleError as error:
        raise OptionError(option, value, f"is not a date; it {accepted}") from error
    if ":" in value:
        raise OptionError(option, value, f"is a time, not a date; it {accepted}")
    return aware(instant).date()


def _window(option: str, value: object, zone: str) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise OptionError(option, value, 'must be two times of the day, like ("09:00", "17:00")')
    first, last = (_time_of_day(option, each) for each in value)
    if first == last:
        raise OptionError(option, value, "must be two different times of the day")
    return first, last


def _time_of_day(option: str, value: object) -> int:
    if isinstance(value, time):
        if value.tzinfo is not None:
            raise OptionError(option, value, "is read in the job's time zone, and must have none of its own")
        return micros(timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)) + value.microsecond
    try:
        return parse_time_of_day(value)
    except ScheduleError as error:
        raise OptionError(option, value, str(error)) from error


def _duration(option: str, value: object, zone: str) -> int:
    return duration(option, value)


def _limit(option: str, value: object, zone: str) -> int | None:
    return None if value is None else duration(option, value, least=1)


def _count(option: str, value: object, zone: str) -> int:
    return whole_number(option, value, least=0)


def _runs(option: str, value: object, zone: str) -> int | None:
    return None if value is None else whole_number(option, value, least=1)


def _backoff(option: str, value: object, zone: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1.0 <= value <= 1000.0:
        raise OptionError(option, value, "must be a number from 1 (always the same wait) to 1000")
    return float(value)


def _choice(*choices: str) -> Callable[[str, object, str], str]:
    def read(option: str, value: object, zone: str) -> str:
        return checked_choice(option, value, choices)

    return read


def _hook(option: str, value: object, zone: str) -> str | None:
    """The name alone: whether there is such a function is looked at when the job is made."""
    try:
        return None if value is None else name_of(value).stored
    except CallbackError as error:
        raise OptionError(option, value, str(error)) from error


def _node_tag(option: str, value: object, zone: str) -> str | None:
    return None if value is None else _word(option, value)


def _url(option: str, value: object, zone: str) -> str | None:
    if value is None:
        return None
    accepted = 'must be a URL like "https://example.org/token"'
    if not isinstance(value, str):
        raise OptionError(option, value, accepted)
    if "@" in value:
        # Not even in the error's attributes: what is refused is shown in logs.
        raise OptionError(
            option, "…", "must hold no user and no password (nor any @, which is written %40): it is shown with the job"
        )
    if len(value) > _LONGEST_URL or not (value.isascii() and value.isprintable()) or " " in value:
        raise OptionError(option, value, f"{accepted}: at most {_LONGEST_URL:,} printable ASCII characters, no spaces")
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half a bracket
        is_one = False
    if not is_one:
        raise OptionError(option, value, f"{accepted}: http or https, and a host")
    return value


_READERS: Mapping[str, Callable[[str, object, str], Any]] = {
    "max_retries": _count,
    "retry_delay": _duration,
    "retry_backoff": _backoff,
    "max_retry_delay": _duration,
    "retry_jitter": _duration,
    "on_exhausted": _choice("deactivate", "continue"),
    "start_at": read_moment,
    "end_at": read_moment,
    "max_runs": _runs,
    "exclude_dates": _dates,
    "only_between": _window,
    "misfire": _choice("run_once", "skip", "run_all"),
    "misfire_grace": _duration,
    "overlap": _choice("skip", "queue_one", "queue_all", "allow", "cancel_previous"),
    "max_instances": _runs,
    "timeout": _limit,
    "jitter": _duration,
    "delivery": _choice("at_least_once", "at_most_once"),
    "runner": _choice("auto", "thread", "trio", "app", "process"),
    "on_failure": _hook,
    "on_deactivate": _hook,
    "ping": _url,
    "node_tag": _node_tag,
}
