"""Jobs as a TOML file says them: read into what `create_jobs` takes, and written from what is stored.

[jobs.report]                      # the job's id
schedule = "0 2 * * *"
callback = "shop.jobs.report"
callback_args = { days = 7 }
max_retries = 5                    # and any other option
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from aurora_scheduler.cli.failing import Failure
from aurora_scheduler.cli.views import special_options
from aurora_scheduler.definition import NewJob
from aurora_scheduler.errors import shown
from aurora_scheduler.model import Job
from aurora_scheduler.options import FIELDS, unknown_option

__all__ = ["place_of", "read_jobs", "said_of", "written"]

_NEEDED = ("schedule", "callback")
#: A key of TOML that needs no quotes.
_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: Arguments that TOML cannot say, as it has no null.
_AS_JSON = "callback_args_json"
#: What a table may say beside the options that are policies.
_BESIDE = ("name", "schedule", "callback", "callback_args", _AS_JSON, "timezone", "tags")
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def read_jobs(text: str) -> dict[str, NewJob]:
    """The jobs that a file says, by their ids; each is to be made, or made as it is said. Raises `Failure`."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"it is no TOML: {error}") from error
    jobs = said.pop("jobs", {})
    accepted = "accepted: tables [jobs.ID], each with schedule and callback"
    if said:
        raise Failure(f"it holds {', '.join(map(shown, said))}; {accepted}")
    if not isinstance(jobs, dict):
        raise Failure(f"jobs is {shown(jobs)}; {accepted}")
    for job_id, table in jobs.items():
        if not isinstance(table, dict):
            raise Failure(f"{place_of(job_id).strip('[]')} is {shown(table)}; {accepted}")
    return {job_id: _job(place_of(job_id), job_id, table) for job_id, table in jobs.items()}


def place_of(job_id: str) -> str:
    """Where in a file a job is.

    >>> print(place_of("report"), place_of("the report"))
    [jobs.report] [jobs."the report"]
    """
    return f"[jobs.{job_id if _BARE.fullmatch(job_id) else json.dumps(job_id)}]"


def _job(place: str, job_id: str, table: Mapping[str, Any]) -> NewJob:
    said = dict(table)
    if lacking := [name for name in _NEEDED if name not in said]:
        raise Failure(f"{place} lacks {' and '.join(lacking)}")
    for option in ("job_id", "if_exists"):
        if option in said:
            raise Failure(f"{place} says {option}: its id is in the brackets, and it is made as it is said")
    if "aliases" in said:  # what is shown before could not tell of it
        raise Failure(f"{place} says aliases: they are for jobs that are declared in code")
    for option, value in said.items():
        if option not in FIELDS and option not in _BESIDE:
            raise Failure(f"{place}: {unknown_option(option, value, _BESIDE)}")
    args = said.pop("callback_args", None)
    if _AS_JSON in said:
        text = said.pop(_AS_JSON)
        try:
            args = json.loads(text)
        except (TypeError, ValueError) as error:
            raise Failure(f"{place}: {_AS_JSON}={shown(text)} is no JSON: {error}") from error
    return NewJob(
        name=said.pop("name", job_id),
        schedule=said.pop("schedule"),
        callback=said.pop("callback"),
        callback_args=args,
        **said,
        job_id=job_id,
        if_exists="update",
    )


def written(jobs: Iterable[Job]) -> dict[str, Any]:
    """What a file says of these jobs."""
    return {"jobs": {job.id: said_of(job) for job in jobs}}


def said_of(job: Job) -> dict[str, Any]:
    """A job as a file says it: what is as for any other job is left out."""
    args = dict(job.callback_args)
    has_null = "null" in json.dumps(args) and _has_none(args)
    return {
        **({"name": job.name} if job.name != job.id else {}),
        "schedule": job.schedule_value,
        "timezone": job.timezone,
        "callback": str(job.callback),
        **({_AS_JSON: json.dumps(args)} if has_null else {"callback_args": args} if args else {}),
        **({"tags": list(job.tags)} if job.tags else {}),
        **_options(job),
    }


def _options(job: Job) -> Mapping[str, Any]:
    return {option: _value(value) for option, value in special_options(job).items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return [_value(each) for each in value] if isinstance(value, tuple) else value


def _duration(length: timedelta) -> str | float:
    """In words where it is a whole number of something, else in seconds."""
    seconds = length.total_seconds()
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return seconds


def _has_none(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_none, value.values()))
    return any(map(_has_none, value)) if isinstance(value, list) else value is None
