"""From what a user says to a `Job`: all is checked here, in the caller's own thread, before anything is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aurora_scheduler.callbacks import (
    ANY,
    HOOK_NAMES,
    Allowed,
    check_arguments,
    check_told,
    checked_arguments,
    is_async,
    name_of,
    named,
    resolve,
)
from aurora_scheduler.errors import CallbackError, OptionError, ScheduleError, UnknownOptionError, shown
from aurora_scheduler.instants import presented
from aurora_scheduler.model import CallbackName, Job, JobStatus, Policies, ScheduleType
from aurora_scheduler.options import checked_aliases, checked_choice, checked_name, checked_tags, read_options
from aurora_scheduler.rules import coming, following
from aurora_scheduler.rules.timing import rejittered, schedule_of
from aurora_scheduler.schedules import clock_text, load_zone, parse_schedule, zone_said
from aurora_scheduler.values import replace

__all__ = [
    "Amended",
    "Declared",
    "NewJob",
    "amended",
    "checked_hook",
    "declare",
    "declare_all",
    "redeclared",
    "refuse_never",
    "refuse_shared_aliases",
]

T = TypeVar("T")

_NO_OPTIONS = read_options({}, "UTC")

IF_EXISTS = ("error", "update", "keep")

_CHANGEABLE = ("name", "schedule", "callback", "callback_args", "timezone", "tags")


class NewJob:
    """A job to be created: the arguments of `create_job`, for `create_jobs`.

    >>> NewJob(name="report", schedule="every 1 hour", callback="reports.send", max_retries=1)
    NewJob(name='report', schedule='every 1 hour', callback='reports.send', max_retries=1)
    """

    __slots__ = ("callback", "callback_args", "kinds", "name", "options", "schedule")

    def __init__(
        self,
        *,
        name: str,
        schedule: str,
        callback: Callable[..., object] | str,
        callback_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.schedule = schedule
        self.callback: object = callback
        self.callback_args = callback_args
        self.options = options
        #: The kinds of schedule that are accepted; None: all.
        self.kinds: Collection[ScheduleType] | None = None

    @classmethod
    def of_kind(
        cls,
        kind: ScheduleType | None,
        *,
        name: str,
        schedule: str,
        callback: object,
        callback_args: Mapping[str, Any] | None,
        **options: Any,
    ) -> NewJob:
        """A job whose schedule must be of one kind; its callback may be a pair of module and function."""
        new = cls(name=name, schedule=schedule, callback="", callback_args=callback_args, **options)
        new.callback, new.kinds = callback, None if kind is None else (kind,)
        return new

    def __repr__(self) -> str:
        said = {"name": self.name, "schedule": self.schedule, "callback": self.callback}
        if self.callback_args is not None:
            said["callback_args"] = self.callback_args
        return f"NewJob({', '.join(f'{key}={value!r}' for key, value in (said | self.options).items())})"


@dataclass(frozen=True, slots=True)
class Declared:
    """A job that was checked, and what shall happen if its id is taken."""

    job: Job
    if_exists: str
    is_unheard_of: bool = False
    """Whether its id was made for it: there is nothing of that id yet."""
    aliases: tuple[str, ...] = ()
    """The ids that it had before: where there is no job of its own, the first that is there becomes it."""


@dataclass(frozen=True, slots=True)
class Amended:
    """An edit that was checked: what the job shall be. From when on is decided when it is written."""

    wanted: Job
    again: bool
    """Whether its schedule starts anew though it is the same."""

    def made_of(self, job: Job, now: int) -> Job | None:
        """The job, edited; None: it is so already. Raises `ScheduleError` for a schedule that would never fire."""
        return redeclared(job, self.wanted, now, again=self.again)


@dataclass(frozen=True, slots=True)
class _Alike:
    """What jobs that say the same have in common: all but id, name and arguments, and what depends on these."""

    job: Job
    function: Callable[..., Any] | None
    """None: the callback is for others to find."""


#: What every job is made of: copying it takes a third of what making one takes.
_JOB = Job(
    id="", name="", schedule_type=ScheduleType.RELATIVE, schedule_value="", callback=CallbackName("", ""),
    callback_args={}, timezone="UTC", anchor=0, created=0, updated=0,
)  # fmt: skip

#: So many different things are kept of what was said.
_MANY = 1000


class _Once:
    """What was made of what a job says, for the others of the same call: mostly they say the same."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[object, Any]] = {}

    def made(self, make: Callable[[], T], *said: object) -> T:
        """What `make()` makes of this, once for what is the same."""
        # Texts that are equal say the same; anything else is the same only if it is the same object.
        key = tuple([each if type(each) is str else id(each) for each in said])
        if key not in self._made:
            made = make()
            if len(self._made) >= _MANY:
                self._made.clear()
            self._made[key] = said, made  # what was said is kept, so that no other object gets its `id`
        value: T = self._made[key][1]
        return value


def declare_all(
    jobs: Iterable[NewJob],
    *,
    now: int,
    new_id: Callable[[], str],
    timezone: str,
    allowed: Allowed = ANY,
    node_tags: Collection[str] = (),
) -> Iterator[Declared]:
    """`declare` each of them, all as of the same instant."""
    once = _Once()
    for new in jobs:
        yield _declare(new, once, now, new_id, timezone, allowed, node_tags)


def declare(
    new: NewJob,
    *,
    now: int,
    new_id: Callable[[], str],
    timezone: str,
    allowed: Allowed = ANY,
    node_tags: Collection[str] = (),
) -> Declared:
    """Check everything about a new job and make the `Job` of it.

    `timezone` is the scheduler's own, for jobs that name none; `allowed` are the callbacks that it may have, and
    `node_tags` its tags: the callback of a job for others need not be found here. Raises the error of whatever is
    wrong; a schedule without any firing to come is refused here, unless the id is given and may
    stand for a job that is there already.
    """
    return _declare(new, _Once(), now, new_id, timezone, allowed, node_tags)


def _declare(
    new: NewJob,
    once: _Once,
    now: int,
    new_id: Callable[[], str],
    timezone: str,
    allowed: Allowed,
    node_tags: Collection[str],
) -> Declared:
    name = checked_name(new.name)
    given = dict(new.options)
    job_id, if_exists, aliases = _identity(given) if given else (None, "error", ())
    may_be_there = job_id is not None and if_exists != "error"

    def make() -> _Alike:
        return _alike(new, given, once, now, timezone, allowed, node_tags, allow_past=may_be_there)

    alike = once.made(make, "all", new.schedule, new.callback, new.kinds, may_be_there, *given, *given.values())
    args = _checked_arguments(alike.job.callback, alike.function, new.callback_args, alike.job.policies)
    job = replace(alike.job, id=job_id if job_id is not None else new_id(), name=name, callback_args=args)
    if job.policies.jitter:
        job = rejittered(job)
    if not may_be_there:
        refuse_never(job)
    return Declared(job, if_exists, is_unheard_of=job_id is None, aliases=aliases)


def _identity(given: dict[str, Any]) -> tuple[str | None, str, tuple[str, ...]]:
    """Taken out of the options: the id that was said, what shall happen if it is taken, and the ids before it."""
    job_id = given.pop("job_id", None)
    if_exists = checked_choice("if_exists", given.pop("if_exists", "error"), IF_EXISTS)
    if job_id is not None:
        checked_name(job_id, "job_id")
    elif if_exists != "error":
        raise OptionError("if_exists", if_exists, "needs a job_id: names need not be unique, ids are")
    said_aliases = given.pop("aliases", ())
    aliases = checked_aliases(said_aliases, job_id)
    if aliases and if_exists == "error":
        raise OptionError("aliases", said_aliases, 'needs a job_id, and if_exists="update" or "keep"')
    return job_id, if_exists, aliases


def _alike(
    new: NewJob,
    given: dict[str, Any],
    once: _Once,
    now: int,
    timezone: str,
    allowed: Allowed,
    node_tags: Collection[str],
    *,
    allow_past: bool,
) -> _Alike:
    """What a job says that others say, too; and its next firing, which has its share of `jitter` when it has its id."""
    options = dict(given)
    zone = options.pop("timezone", None)
    zone = load_zone(timezone if zone is None else zone).key
    zone = once.made(lambda: zone_said(new.schedule), "zone", new.schedule) or zone
    tags = checked_tags(options.pop("tags", ()))
    policies = read_options(options, zone) if options else _NO_OPTIONS
    is_here = policies.is_for(node_tags)
    if options and is_here:
        _check_hooks(options, allowed)
    schedule = parse_schedule(
        new.schedule, zone, now=now, start=policies.starts, kinds=new.kinds, allow_past=allow_past
    )
    find = _found_callback if is_here else _named_callback
    callback, function = once.made(lambda: find(new.callback, allowed), "callback", new.callback, find)
    job = replace(
        _JOB, schedule_type=schedule.kind, schedule_value=schedule.text, timezone=zone, callback=callback,
        policies=policies, tags=tags, created=now, updated=now,
        anchor=now if policies.starts is None else policies.starts,
    )  # fmt: skip
    return _Alike(coming(job, following(job, now)), function)


def refuse_shared_aliases(declared: Sequence[Declared]) -> None:
    """Raise `OptionError` where an id that a job had before is, in the same call, that of another, too."""
    aliased = [new for new in declared if new.aliases]
    holders = {new.job.id: new.job.id for new in declared} if aliased else {}
    for new in aliased:
        for alias in new.aliases:
            holder = holders.setdefault(alias, new.job.id)
            if holder != new.job.id:
                other = "another job" if holder == alias else f"job {shown(holder)}, too"
                what = "the id" if holder == alias else "an alias"
                reason = f"{shown(alias)} is {what} of {other}; an alias is an id that only this job had"
                raise OptionError("aliases", list(new.aliases), reason)


def refuse_never(job: Job) -> None:
    """Raise `ScheduleError` for a job that would never fire."""
    if job.next_fire is not None:
        return
    # Said again with everything that is known: a time that is past is named as such.
    schedule = parse_schedule(job.schedule_value, job.timezone, now=job.created, start=job.policies.starts)
    bounds = [
        f"{option} is {presented(instant, job.timezone)}"
        for option, instant in (("start_at", job.policies.starts), ("end_at", job.policies.ends))
        if instant is not None
    ]
    if job.policies.only_between is not None:
        bounds.append(f"only_between is {' to '.join(map(clock_text, job.policies.only_between))}")
    if job.policies.exclude_dates:
        bounds.append(f"exclude_dates has {len(job.policies.exclude_dates)}")
    because = f" ({', '.join(bounds)})" if bounds else ""
    raise ScheduleError(schedule.text, f"it would never fire{because}")


def redeclared(existing: Job, wanted: Job, now: int, *, again: bool = False) -> Job | None:
    """`existing` made as `wanted` says, or None where it is so already.

    Who did not change the schedule keeps its anchor and its next firing; a changed schedule starts after now. Id,
    counters, history and a pause stay; a finished job with a new schedule is active again. Raises `ScheduleError` for a
    changed schedule that would never fire. `again`: an unchanged schedule starts after now, too.

    What fires once, and has come due since it was said, still fires.
    """
    if not again and all(getattr(existing, field) == getattr(wanted, field) for field in _DEFINITION):
        return None
    job = replace(
        existing,
        **{field: getattr(wanted, field) for field in _DEFINITION},
        version=existing.version + 1,
        updated=now,
    )
    if again or any(_timing(existing, field) != _timing(wanted, field) for field in _TIMING):
        job = replace(job, anchor=wanted.anchor)
        next_fire = following(job, now)
        job = coming(job, following(job, wanted.created) if next_fire is None else next_fire)
        refuse_never(replace(job, created=now))
    elif any(getattr(existing.policies, field) != getattr(wanted.policies, field) for field in _BOUNDS):
        due = job.next_fire is not None and job.next_fire <= now and _is_instant(job)  # or about to be; and stays so
        job = job if due else coming(job, following(job, now))
        if any(getattr(existing.policies, field) != getattr(wanted.policies, field) for field in _LIMITS):
            refuse_never(replace(job, created=now))
    if existing.policies.jitter != wanted.policies.jitter:
        job = rejittered(job)
    if job.status is JobStatus.FINISHED and job.next_fire is not None:
        job = replace(job, status=JobStatus.ACTIVE)
    if job.status is JobStatus.UNRESOLVED:
        job = replace(job, status=JobStatus.ACTIVE, status_reason=None)
    return job


def _is_instant(job: Job) -> bool:
    """Whether the next firing is one within the job's limits, which may be others than those it was computed with."""
    return job.next_fire is not None and schedule_of(job).next_instant(job.next_fire - 1) == job.next_fire


_DEFINITION = (
    "name", "schedule_type", "schedule_value", "timezone", "callback", "callback_args", "policies", "tags",
)  # fmt: skip
_LIMITS = ("exclude_dates", "only_between")
_BOUNDS = ("ends", "max_runs", *_LIMITS)
_TIMING = ("schedule_type", "schedule_value", "timezone", "starts")


def _timing(job: Job, field: str) -> object:
    return job.policies.starts if field == "starts" else getattr(job, field)


def amended(
    job: Job, changes: Mapping[str, Any], *, now: int, allowed: Allowed = ANY, node_tags: Collection[str] = ()
) -> Amended:
    """What the job shall be by `changes` (`update_job`'s arguments), which were said now.

    Raises the error of whatever is wrong with them.
    """
    for option in ("job_id", "if_exists", "aliases"):
        if option in changes:
            raise UnknownOptionError(option, changes[option], "cannot be changed; a job keeps its id")
    known = {field: changes[field] for field in _CHANGEABLE if field in changes}
    options = {option: value for option, value in changes.items() if option not in known}
    zone = load_zone(known["timezone"]).key if "timezone" in known else job.timezone
    zone = zone_said(known.get("schedule")) or zone
    policies = read_options(options, zone, job.policies, beside=_CHANGEABLE)
    is_here = policies.is_for(node_tags)
    if is_here:
        _check_hooks(options, allowed)
    wanted = replace(
        job,
        name=checked_name(known.get("name", job.name)),
        timezone=zone,
        tags=checked_tags(known["tags"]) if "tags" in known else job.tags,
        policies=policies,
        anchor=now if policies.starts is None else policies.starts,
        created=now,
    )
    if "schedule" in known:
        schedule = parse_schedule(known["schedule"], zone, now=now, start=policies.starts)
        wanted = replace(wanted, schedule_type=schedule.kind, schedule_value=schedule.text)
    elif "timezone" in known:  # instead of the one that the schedule says, which may be unknown here
        wanted = replace(wanted, schedule_value=job.schedule_value.removesuffix(f" in {job.timezone}"))
    if known.keys() & {"callback", "callback_args"} or options.keys() & {"runner", "overlap"}:
        find = _found_callback if is_here else _named_callback
        callback, function = find(known.get("callback", job.callback), allowed)
        args = _checked_arguments(callback, function, known.get("callback_args", job.callback_args), policies)
        wanted = replace(wanted, callback=callback, callback_args=args)
    # "in 30 minutes", said once more, is from now.
    return Amended(wanted, again="schedule" in known and wanted.schedule_value.startswith("in "))


def checked_hook(option: str, value: object) -> Callable[..., Any] | None:
    """The function that a hook for all jobs is: any one, or the one of a name; None: none. Raises `OptionError`.

    It is not stored, and so need not be found again under a name.
    """
    if value is None:
        return None
    try:
        function = value if callable(value) and not isinstance(value, type) else resolve(name_of(value))
        check_told(function, HOOK_NAMES[option])
    except CallbackError as error:
        raise OptionError(option, value, str(error)) from error
    return function


def _check_hooks(options: Mapping[str, Any], allowed: Allowed) -> None:
    """See that a job's own hooks can be called; whether they have names, `read_options` has looked at."""
    for option, names in HOOK_NAMES.items():
        value = options.get(option)
        if value is None:
            continue
        try:
            check_told(resolve(name_of(value), allowed), names)
        except CallbackError as error:
            raise OptionError(option, value, str(error)) from error


def _named_callback(callback: object, allowed: Allowed) -> tuple[CallbackName, Callable[..., Any] | None]:
    """The name of a callback that others call; whether there is such a function they will see."""
    if isinstance(callback, CallbackName):
        name = callback
    elif isinstance(callback, tuple):
        name = named(*callback)
    else:
        name = name_of(callback)
    allowed.check_name(name)
    return name, None


def _found_callback(callback: object, allowed: Allowed) -> tuple[CallbackName, Callable[..., Any] | None]:
    """The callback's name, and the function itself."""
    name, _ = _named_callback(callback, allowed)
    return name, resolve(name, allowed)


def _checked_arguments(
    name: CallbackName, function: Callable[..., Any] | None, args: object, policies: Policies
) -> dict[str, Any]:
    """The arguments as they are stored, after a look at what the function takes, and at its kind."""
    told = str(name)
    stored = checked_arguments(args, told)
    if function is None:
        return stored
    check_arguments(function, stored, told)
    runner = policies.runner
    if runner in ("trio", "app") and not is_async(function):
        raise CallbackError(told, f'runner="{runner}" is for `async def` callbacks; leave runner out, or say "thread"')
    if policies.overlap == "cancel_previous" and not is_async(function) and runner != "process":
        raise CallbackError(
            told,
            'overlap="cancel_previous" is for `async def` callbacks: a thread cannot be stopped; say "queue_one", or '
            'add runner="process"',
        )
    if runner in ("thread", "process") and is_async(function):
        raise CallbackError(told, f'runner="{runner}" is for plain functions; leave runner out, or say "trio" or "app"')
    return stored
