"""Wrong calls: each raises where it was made, says what was given and what is accepted, and stores nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import (
    ArgumentsError,
    AuroraError,
    CallbackError,
    CronService,
    OptionError,
    ScheduleError,
    SchedulerManager,
    StoreError,
    UnknownOptionError,
)
from facades import callbacks

LONGEST_MESSAGE = 1_500
NOT_TEXT = [None, 5, True, 1.5, b"every 5 minutes", ["every 5 minutes"], object()]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CronService]:
    """One for all: nothing of what is tried is stored."""
    with CronService(tmp_path_factory.mktemp("bad input") / "jobs.db") as cron:
        yield cron


def refused(cron: CronService, error: type[Exception], **arguments: Any) -> str:
    """What a call is told that is refused, after a look that nothing was stored."""
    said = {"name": "x", "schedule_text": "every 1 hour", "callback": callbacks.nothing} | arguments
    with pytest.raises(error) as caught:
        cron.schedule_from_text(**said)
    assert cron.get_all_jobs() == []
    message = str(caught.value)
    assert len(message) < LONGEST_MESSAGE
    return message


# -- schedules --------------------------------------------------------------------------------------------------

SCHEDULES = {
    "": "it is empty",
    "   ": "it is empty",
    "x" * 10_000: "10,000 characters",
    "*" * 10_000: "10,000 characters",
    "in 5": "a unit of time is missing",
    "in": "a number and a unit",
    "every": "what comes again is missing",
    "in -5 minutes": "must not be negative",
    "in 0 seconds": "must be 1 or more",
    "every 0 seconds": "must be 1 or more",
    "every 5 parsecs": "'parsecs' is not a unit",
    "every 1.5 hours": "must be whole",
    "in 10**30 days": "10**30 days",
    f"in {10**30} days": "longer than the calendar",
    f"every {10**30} days": "longer than the calendar",
    "2001-01-01 00:00": "past",
    "2030-02-30": "February 2030 has 28 days",
    "13/45/2030": "month is 13",
    "2030-01-01 25:00": "hour is 25",
    "0000-01-01": "year",
    "5 minutes": "in 5 minutes",
    "0 9 * *": "five fields, and this has 4",
    "0 0 9 * * *": "five fields, and this has 6",
    "60 * * * *": "60",
    "* 24 * * *": "24",
    "0 0 30 2 *": "never fire",
    "0 0 31 2,4 *": "never fire",
    "*/0 * * * *": "step",
    "5-1 * * * *": "range",
    "@reboot": "scheduler starts",
    "@soon": "@soon",
    "* * * * * ; rm": "; rm",
    "every 5 minutes\nDROP TABLE": "control character",
    "every ５ minutes": "not ASCII",
    "every 5 minutes\0": "control character",
    "\ud800": "not ASCII",
    "every blue moon": "blue moon",
    "%s %n {0}": "{0}",
}


@pytest.mark.parametrize("text", SCHEDULES, ids=lambda text: repr(text[:30]))
def test_a_text_that_is_no_schedule(service: CronService, text: str):
    message = refused(service, ScheduleError, schedule_text=text)
    assert SCHEDULES[text] in message
    assert repr(text)[:70].rstrip("'\"") in message, "what was given is shown, shortened"
    assert "accepted: " in message


@pytest.mark.parametrize("value", NOT_TEXT, ids=lambda value: type(value).__name__)
def test_a_schedule_that_is_no_text(service: CronService, value):
    message = refused(service, ScheduleError, schedule_text=value)
    assert repr(value) in message
    assert "accepted: " in message


WRONG_KINDS = [
    ("schedule_relative", "relative_time", "0 9 * * 1-5", "schedule_cron"),
    ("schedule_relative", "relative_time", "2099-01-01 09:00", "schedule_absolute"),
    ("schedule_absolute", "absolute_time", "in 5 minutes", "schedule_relative"),
    ("schedule_absolute", "absolute_time", "@daily", "schedule_cron"),
    ("schedule_cron", "cron_expression", "every 5 minutes", "schedule_relative"),
    ("schedule_cron", "cron_expression", "2099-01-01", "schedule_absolute"),
]


@pytest.mark.parametrize(("call", "argument", "text", "right_call"), WRONG_KINDS)
def test_a_schedule_of_another_kind_names_the_right_call(service: CronService, call, argument, text, right_call):
    with pytest.raises(ScheduleError, match=right_call) as caught:
        getattr(service, call)(name="x", callback=callbacks.nothing, **{argument: text})
    assert text in str(caught.value)
    assert service.get_all_jobs() == []


@pytest.mark.anyio
async def test_the_manager_refuses_schedules_of_another_kind_too(anyio_backend: str, manager: SchedulerManager):
    said = {"name": "x", "callback_module": "facades.callbacks", "callback_function": "nothing"}
    with pytest.raises(ScheduleError, match="create_cron_job"):
        await manager.create_relative_job(relative_time="0 9 * * 1-5", **said)
    with pytest.raises(ScheduleError, match="create_relative_job"):
        await manager.create_absolute_job(absolute_time="in 5 minutes", **said)
    with pytest.raises(ScheduleError, match="create_absolute_job"):
        await manager.create_cron_job(cron_expression="2099-01-01", **said)
    assert await manager.get_all_jobs() == []


@pytest.mark.parametrize(
    "bounds",
    [
        {"end_at": "2001-01-01"},
        {"schedule_text": "0 0 29 2 *", "start_at": "2030-03-01", "end_at": "2031-01-01"},
        {"schedule_text": "in 1 day", "end_at": datetime.now(UTC) + timedelta(hours=1)},
    ],
    ids=["over by now", "no such day between", "over before its one time"],
)
def test_a_schedule_that_its_bounds_leave_nothing_of(service: CronService, bounds):
    assert "never fire" in refused(service, ScheduleError, **bounds)


# -- names, ids, tags, zones ------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["name", "job_id"])
@pytest.mark.parametrize(
    "value", ["", "   ", "x" * 10_000, "two\nlines", "\0", "\ud800", 5, True, b"x", ["x"]], ids=lambda v: repr(v)[:30]
)
def test_a_name_or_an_id_that_is_none(service: CronService, option: str, value):
    message = refused(service, OptionError, **{option: value})
    assert message.startswith(f"{option}={value!r}"[:60].rstrip("'"))
    assert "must" in message


def test_a_name_of_none(service: CronService):
    assert "name=None: must be text" in refused(service, OptionError, name=None)


@pytest.mark.parametrize("value", ["nightly", 5, b"x", None, [5], [""], ["x" * 10_000], [str(n) for n in range(101)]])
def test_tags_that_are_none(service: CronService, value):
    assert refused(service, OptionError, tags=value).startswith("tags=")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "x" * 10_000, "../../etc/passwd", "/etc/localtime", "CET ", "Berlin", 5, b"UTC", True]
)
def test_a_time_zone_that_is_unknown(service: CronService, zone, tmp_path: Path):
    message = refused(service, ScheduleError, timezone=zone)
    assert repr(zone)[:60] in message
    assert "Europe/Berlin" in message
    for facade in (SchedulerManager, CronService):
        with pytest.raises(ScheduleError, match="time zone"):
            facade(tmp_path / "other.db", timezone=zone)


# -- callbacks and their arguments ------------------------------------------------------------------------------

_NOT_CALLBACKS = {
    "a lambda": (callbacks.a_lambda, "lambda"),
    "a closure": (callbacks.a_closure(), "inside"),
    "a bound method": (callbacks.Shelf().bound, "bound to an object"),
    "a class": (callbacks.Shelf, "class"),
    "a partial": (functools.partial(callbacks.answer, 1), "partial"),
    "None": (None, "NoneType"),
    "a number": (5, "int"),
    "bytes": (b"facades.callbacks.nothing", "bytes"),
    "an object": (object(), "object"),
    "no text": ("", "names no function"),
    "a bare name": ("nothing", "names no function"),
    "a path": ("facades/callbacks.py", "not a name"),
    "a call": ("facades.callbacks.nothing()", "nothing()"),
    "code": ("os.system('rm')", "not a name"),
    "a missing module": ("facades.nowhere.nothing", "no module named"),
    "a missing package": ("no_such_package.module.function", 'no module named "no_such_package"'),
    "a missing name": ("facades.callbacks.missing", 'no "missing"'),
    "not callable": ("facades.callbacks.not_callable", "cannot be called"),
    "a named class": ("facades.callbacks:Shelf", "class"),
    "very long": ("x" * 10_000, "10,000 characters"),
}


@pytest.mark.parametrize("what", _NOT_CALLBACKS)
def test_what_is_no_callback(service: CronService, what: str):
    callback, reason = _NOT_CALLBACKS[what]
    message = refused(service, CallbackError, callback=callback)
    assert reason in message


def test_a_coroutine_is_no_callback(service: CronService):
    assert "without parentheses" in refused(service, CallbackError, callback=callbacks.nothing_async())


@pytest.mark.anyio
@pytest.mark.parametrize("value", [None, 5, b"facades.callbacks", "", "no such module", ["facades"]], ids=repr)
@pytest.mark.parametrize("part", ["callback_module", "callback_function"])
async def test_a_module_or_function_that_is_no_name(anyio_backend: str, manager: SchedulerManager, part, value):
    said = {"callback_module": "facades.callbacks", "callback_function": "nothing"} | {part: value}
    with pytest.raises(CallbackError):
        await manager.create_relative_job(name="x", relative_time="in 1 hour", **said)
    assert await manager.get_all_jobs() == []


@pytest.mark.parametrize(
    ("callback", "args", "reason"),
    [
        (callbacks.nothing, {"days": 7}, 'takes no argument "days"'),
        (callbacks.note, None, 'lack "stage"'),
        (callbacks.note, {"text": "x"}, 'lack "stage"'),
        (callbacks.note, {"stage": "x", "txt": "x"}, 'takes no argument "txt"'),
    ],
)
def test_arguments_that_the_callback_does_not_take(service: CronService, callback, args, reason):
    message = refused(service, ArgumentsError, callback=callback, callback_args=args)
    assert reason in message
    assert "it takes" in message


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"value": float("nan")}, 'callback_args["value"] is nan'),
        ({"value": [1, {"deep": float("-inf")}]}, 'callback_args["value"][1]["deep"] is -inf'),
        ({"value": {1, 2}}, "is of type set, which is not JSON"),
        ({"value": _cycle()}, "contains itself"),
        ({"value": b"bytes"}, "of type bytes"),
        ({"value": datetime(2030, 1, 1)}, ".isoformat()"),
        ({"value": timedelta(1)}, ".total_seconds()"),
        ({"value": object()}, "of type object"),
        ({"value": {1: "x"}}, "key of type int"),
        ({5: "x"}, "key of type int"),
        ({"value": "\ud800"}, "surrogate"),
        ({"value": "x" * 2_000_000}, "1,048,576 is the most"),
        ({"value": 10**5000}, "more digits"),
        ([1, 2], "must be a mapping"),
        ("text", "must be a mapping"),
        (5, "must be a mapping"),
        (b"{}", "must be a mapping"),
        (True, "must be a mapping"),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, dict) or "value" not in value else "",
)
def test_arguments_that_are_no_json(service: CronService, args, reason):
    message = refused(service, ArgumentsError, callback=callbacks.answer, callback_args=args)
    assert reason in message
    assert "facades.callbacks:answer" in message, "it names the callback that they are for"


# -- options ----------------------------------------------------------------------------------------------------

UNKNOWN = {
    "retires": 1,
    "max_retry": 1,
    "Max_Retries": 1,
    "priority": "high",
    "": 1,
}


@pytest.mark.parametrize("option", UNKNOWN)
def test_an_option_that_there_is_not_is_named(service: CronService, option: str):
    message = refused(service, UnknownOptionError, **{option: UNKNOWN[option]})
    assert message.startswith(f"{option}={UNKNOWN[option]!r}: ")


def test_a_misspelt_option_is_told_its_name(service: CronService):
    assert "did you mean 'max_retries'" in refused(service, UnknownOptionError, max_retires=1)


def test_several_instances_need_a_policy_that_allows_them(service: CronService):
    assert 'needs overlap="allow"' in refused(service, OptionError, max_instances=2)
    assert 'needs overlap="allow"' in refused(service, OptionError, max_instances=2, overlap="queue_all")


def test_cancelling_the_previous_one_needs_a_callback_that_can_be_cancelled(service: CronService):
    assert "a thread cannot be stopped" in refused(service, CallbackError, overlap="cancel_previous")


@pytest.mark.parametrize("facade", [SchedulerManager, CronService])
@pytest.mark.parametrize("option", ["allow_callback", "max_worker", "colour"])
def test_a_setting_that_there_is_not_is_named(facade, option: str, database: Path):
    with pytest.raises(TypeError, match=option):
        facade(database, **{option: 1})
    assert not database.exists()


VALUES: dict[str, list[Any]] = {
    "max_retries": [-1, "3", 1.5, True, None, 10**30, b"3"],
    "retry_delay": [-1, "soon", "-5 minutes", float("nan"), float("inf"), None, True, b"5", "5", 10**30, [5]],
    "max_retry_delay": [-1, "soon", None],
    "retry_jitter": [-1, "soon", None],
    "retry_backoff": [0.5, 0, -1, "2", None, True, float("nan"), float("inf"), 10**9],
    "on_exhausted": ["explode", None, 5, b"continue", ["continue"]],
    "misfire": ["never", None, True],
    "misfire_grace": [-1, "soon", None],
    "max_instances": [0, -1, "2", 1.5, True],
    "timeout": [0, -1, "soon", True, float("nan")],
    "jitter": [-1, "soon", None],
    "overlap": ["sometimes", None, 5, ["skip"], {}],
    "delivery": ["exactly_once", None, 5],
    "runner": ["gpu", None, 5, b"trio"],
    "max_runs": [0, -1, "3", 1.5, True],
    "start_at": ["yesterday", "in 5 minutes", 5, b"2030-01-01", "2030-02-30", "", datetime.max.replace(tzinfo=UTC)],
    "end_at": ["tomorrow", 5, b"2030-01-01", "2030-02-30", ["2030-01-01"]],
    "if_exists": ["replace", None, 5, True, "update", "keep"],
}


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option, values in VALUES.items() for value in values], ids=repr
)
def test_a_value_that_an_option_does_not_take(service: CronService, option: str, value):
    message = refused(service, OptionError, **{option: value})
    assert message.startswith(f"{option}={value!r}"[:80].rstrip("'"))


def test_an_end_before_the_start(service: CronService):
    assert "start_at" in refused(service, OptionError, start_at="2031-01-01", end_at="2030-01-01")


@pytest.mark.parametrize("runner", ["trio", "app"])
def test_a_loop_is_for_async_callbacks(service: CronService, runner: str):
    assert f'runner="{runner}"' in refused(service, CallbackError, runner=runner)


def test_a_thread_is_for_plain_functions(service: CronService):
    assert 'runner="thread"' in refused(service, CallbackError, runner="thread", callback=callbacks.nothing_async)


# -- asking -----------------------------------------------------------------------------------------------------

NOT_IDS = [None, 5, 10**30, b"x", 1.5, ["x"], {}, object(), "\ud800", "\0", "x" * 10_000, ""]


@pytest.mark.parametrize("value", NOT_IDS, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    "call", ["get_job", "pause_job", "resume_job", "cancel_job", "run_job", "cancel_execution", "get_job_status"]
)
def test_what_is_no_id_is_no_job(service: CronService, call: str, value):
    """Answered like an unknown id, or refused in our words: never an error of the database's driver."""
    answer = None
    try:
        answer = getattr(service, call)(value)
    except StoreError:
        raise
    except AuroraError:
        pass
    assert not answer
    assert service.get_all_jobs() == []


@pytest.mark.parametrize("status", ["sleeping", "", 5, b"active", ["active"], True])
def test_a_status_that_there_is_not(service: CronService, status):
    for call in (service.get_all_jobs, service.get_executions):
        with pytest.raises(OptionError, match="status=") as caught:
            call(status=status)
        assert repr(status) in str(caught.value)
        assert 'must be "' in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{"limit": value} for value in (0, -1, "10", None, 1.5, True, 10**30)]
    + [{"before": value} for value in (5, 1.5, b"x", ["x"], True)],
    ids=str,
)
def test_a_page_that_there_cannot_be(service: CronService, arguments):
    with pytest.raises(OptionError, match=next(iter(arguments))):
        service.get_executions(**arguments)


@pytest.mark.parametrize("tag", [5, b"x", ["x"], object()], ids=lambda value: type(value).__name__)
def test_a_tag_that_cannot_be(service: CronService, tag):
    with suppress(OptionError):
        assert service.get_all_jobs(tag=tag) == []


@pytest.mark.anyio
@pytest.mark.parametrize("jobs", [None, 5, "text", [{"name": "x"}], [None]], ids=repr)
async def test_new_jobs_that_are_none(anyio_backend: str, manager: SchedulerManager, jobs):
    with pytest.raises((AuroraError, TypeError)):
        await manager.create_jobs(jobs)
    assert await manager.get_all_jobs() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"runner": "process"},
        {"runner": None},
        {"max_workers": 0},
        {"max_workers": "4"},
        {"max_concurrent": 0},
        {"max_tasks": 0},
        {"max_tasks": None},
        {"durability": "some"},
        {"durability": None},
        {"keep_executions": 0},
        {"keep_days": -1},
        {"keep_days": 10**9},
    ],
    ids=str,
)
@pytest.mark.parametrize("facade", [SchedulerManager, CronService])
def test_a_setting_that_is_not_accepted(facade, settings, database: Path):
    with pytest.raises(OptionError, match=next(iter(settings))):
        facade(database, **settings)
    assert not database.exists()
