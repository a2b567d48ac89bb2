"""The public surface: every name, every signature, every attribute that programs outside rely on."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import aurora_scheduler
from aurora_scheduler import (
    AuroraError,
    CronService,
    Execution,
    ExecutionStatus,
    Job,
    JobStatus,
    NewJob,
    OptionError,
    Schedule,
    ScheduleError,
    SchedulerManager,
    get_cron_service,
    next_fire_times,
    parse_schedule,
    schedule_task,
)
from facades import callbacks
from facades.callbacks import Stage

NAMES = {
    "SchedulerManager", "CronService", "get_cron_service", "schedule_task",
    "Job", "NewJob", "Execution", "JobStatus", "ExecutionStatus",
    "Explanation", "Health", "Outlook", "JobEvent", "ExecutionEvent", "EventsLost",
    "next_fire_times", "parse_schedule", "Schedule",
    "FireTime",
    "AuroraError", "ScheduleError", "CallbackError", "ArgumentsError", "OptionError", "UnknownOptionError",
    "JobNotFoundError", "JobExistsError", "SchedulerStopped", "ForkedProcessError",
    "StoreError", "NotADatabaseError", "ForeignTablesError", "NewerSchemaError", "StoreReadOnlyError",
    "StoreCorruptError", "StoreUnavailableError",
}  # fmt: skip

_NEW = "callback_args=None, **options)"
_NAMED = f"callback_module, callback_function, {_NEW}"
MANAGER = {
    "initialize": "async (self)",
    "start": "(self)",
    "stop": "async (self, drain=30.0)",
    "__aenter__": "async (self)",
    "__aexit__": "async (self, exc_type, exc, tb)",
    "create_relative_job": f"async (self, *, name, relative_time, {_NAMED}",
    "create_absolute_job": f"async (self, *, name, absolute_time, {_NAMED}",
    "create_cron_job": f"async (self, *, name, cron_expression, {_NAMED}",
    "create_job": f"async (self, *, name, schedule, callback, {_NEW}",
    "create_jobs": "async (self, jobs)",
    "get_job": "async (self, job_id)",
    "get_all_jobs": "async (self, status=None, tag=None, *, limit=None, after=None)",
    "update_job": "async (self, job_id, **changes)",
    "deactivate_job": "async (self, job_id, cancel_running=False)",
    "activate_job": "async (self, job_id)",
    "delete_job": "async (self, job_id)",
    "run_job": "async (self, job_id, wait=False)",
    "cancel_execution": "async (self, execution_id)",
    "get_execution": "async (self, execution_id)",
    "outlook": "async (self, job_id, count=5)",
    "backup": "async (self, path)",
    "get_executions": "async (self, job_id=None, status=None, limit=100, before=None)",
    "job": "(self, schedule, *, callback_args=None, **options)",
}
SERVICE = {
    "initialize": "async (self)",
    "start": "(self)",
    "shutdown": "(self, drain=30.0)",
    "__enter__": "(self)",
    "__exit__": "(self, exc_type, exc, tb)",
    "schedule_relative": f"(self, *, name, relative_time, callback, {_NEW}",
    "schedule_absolute": f"(self, *, name, absolute_time, callback, {_NEW}",
    "schedule_cron": f"(self, *, name, cron_expression, callback, {_NEW}",
    "schedule_from_text": f"(self, *, name, schedule_text, callback, {_NEW}",
    "get_job": "(self, job_id)",
    "get_all_jobs": "(self, status=None, tag=None, *, limit=None, after=None)",
    "get_job_status": "(self, job_id)",
    "pause_job": "(self, job_id)",
    "resume_job": "(self, job_id)",
    "cancel_job": "(self, job_id)",
    "run_job": "(self, job_id, wait=False)",
    "cancel_execution": "(self, execution_id)",
    "get_execution": "(self, execution_id)",
    "outlook": "(self, job_id, count=5)",
    "backup": "(self, path)",
    "get_executions": "(self, job_id=None, status=None, limit=100, before=None)",
}
FUNCTIONS = {
    "get_cron_service": "()",
    "schedule_task": "(name, when, callback, callback_args=None, **options)",
    "next_fire_times": (
        "(schedule, timezone=None, start=None, count=5, *, explain=False, exclude_dates=None, only_between=None)"
    ),
    "parse_schedule": "(text, timezone=None, start=None, *, exclude_dates=None, only_between=None)",
}
SETTINGS = (
    "timezone",
    "runner",
    "max_workers",
    "max_concurrent",
    "max_tasks",
    "durability",
    "keep_executions",
    "keep_days",
    "allow_callbacks",
    "node_tags",
    "on_failure",
    "on_deactivate",
)

JOB = {
    "id", "name", "schedule_type", "schedule_value", "callback_module", "callback_function", "callback_args",
    "timezone", "is_active", "status", "status_reason", "next_run_time", "last_run_time", "last_run_result",
    "retry_count", "max_retries", "created_at", "updated_at",
    "start_at", "end_at", "max_runs", "jitter", "misfire", "misfire_grace", "overlap", "max_instances", "timeout",
    "retry_delay", "retry_backoff", "max_retry_delay", "retry_jitter", "on_exhausted", "delivery", "runner", "tags",
    "on_failure", "on_deactivate", "ping", "node_tag",
}  # fmt: skip
EXECUTION = {
    "id", "job_id", "job_name", "scheduled_for", "last_scheduled_for", "count", "attempt", "trigger", "status",
    "reason", "due_at", "started_at", "finished_at", "result", "error", "traceback", "owner",
}  # fmt: skip
STATUS_KEYS = {
    "id", "name", "status", "is_active", "schedule_type", "schedule_value", "next_run_time", "last_run_time",
    "last_run_result", "retry_count", "max_retries",
}  # fmt: skip


def shape(function: Any) -> str:
    """How a function is called: its parameters and their defaults, and whether it is awaited."""
    signature = inspect.signature(function)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return f"async {text}" if inspect.iscoroutinefunction(function) else text


def test_every_public_name_is_there_and_no_other():
    assert set(aurora_scheduler.__all__) == NAMES
    assert all(hasattr(aurora_scheduler, name) for name in NAMES)


@pytest.mark.parametrize(
    ("where", "calls"),
    [(SchedulerManager, MANAGER), (CronService, SERVICE), (aurora_scheduler, FUNCTIONS)],
    ids=["SchedulerManager", "CronService", "functions"],
)
def test_every_call_has_its_signature(where, calls):
    assert {name: shape(getattr(where, name)) for name in calls} == calls


@pytest.mark.parametrize("facade", [SchedulerManager, CronService])
def test_facades_are_made_of_a_database_and_settings_by_name(facade):
    parameters = inspect.signature(facade).parameters
    assert next(iter(parameters)) == "database"
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in SETTINGS)


@pytest.mark.parametrize("kind", [SchedulerManager, CronService, Job, Execution, JobStatus, ExecutionStatus, NewJob])
def test_what_is_public_says_what_it_is(kind):
    assert inspect.getdoc(kind)
    public = [member for name, member in vars(kind).items() if not name.startswith("_") and callable(member)]
    assert all(inspect.getdoc(member) for member in public)


def test_every_error_is_an_aurora_error_and_wrong_values_are_value_errors():
    errors = [getattr(aurora_scheduler, name) for name in NAMES if inspect.isclass(getattr(aurora_scheduler, name))]
    errors = [kind for kind in errors if issubclass(kind, Exception)]
    assert len(errors) == 17
    assert all(issubclass(kind, AuroraError) for kind in errors)
    assert issubclass(ScheduleError, ValueError)
    assert issubclass(OptionError, ValueError)


def test_statuses_are_equal_to_their_text():
    assert {str(status) for status in JobStatus} == {"active", "paused", "deactivated", "unresolved", "finished"}
    assert [status for status in ExecutionStatus if not status.is_final] == ["waiting", "running", "cancelling"]
    assert {str(status) for status in ExecutionStatus if status.is_final} == {
        "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed",
    }  # fmt: skip


# -- jobs and executions as values ------------------------------------------------------------------------------


def test_a_job_shows_what_it_was_given_and_what_became_of_it(cron: CronService, stage: Stage):
    job_id = cron.schedule_cron(
        name="report",
        cron_expression="0  9 * * 1-5",
        callback=callbacks.note,
        callback_args=stage.args,
        timezone="Europe/Berlin",
        start_at="2030-01-01",
        end_at=datetime(2031, 1, 1, tzinfo=UTC),
        max_runs=5,
        max_retries=2,
        retry_delay="90 seconds",
        retry_backoff=2,
        max_retry_delay=timedelta(hours=1),
        retry_jitter=1.5,
        on_exhausted="continue",
        overlap="skip",
        delivery="at_least_once",
        runner="thread",
        tags=["nightly", "mail", "nightly"],
    )
    job = cron.get_job(job_id)
    assert job is not None
    assert {name for name in JOB if not hasattr(job, name)} == set()
    assert (job.id, job.name, job.status, job.is_active, job.status_reason) == (job_id, "report", "active", True, None)
    assert (job.schedule_type, job.schedule_value, job.timezone) == ("cron", "0 9 * * 1-5", "Europe/Berlin")
    assert (job.callback_module, job.callback_function) == ("facades.callbacks", "note")
    assert job.callback_args == stage.args
    assert str(job.next_run_time) == "2030-01-01 09:00:00+01:00"
    assert (str(job.start_at), str(job.end_at)) == ("2030-01-01 00:00:00+01:00", "2031-01-01 01:00:00+01:00")
    assert (job.last_run_time, job.last_run_result, job.retry_count, job.max_retries) == (None, None, 0, 2)
    assert (job.retry_delay, job.retry_backoff) == (timedelta(seconds=90), 2.0)
    assert (job.max_retry_delay, job.retry_jitter) == (timedelta(hours=1), timedelta(seconds=1.5))
    assert (job.on_exhausted, job.overlap, job.delivery, job.runner) == ("continue", "skip", "at_least_once", "thread")
    assert (job.max_runs, job.tags) == (5, ("nightly", "mail"))
    assert job.created_at == job.updated_at
    assert job.created_at.tzinfo is not None

    execution = cron.run_job(job_id, wait=True)
    after = cron.get_job(job_id)
    assert after is not None
    assert after.last_run_time == execution.started_at
    assert after.last_run_result == {"success": True, "message": "called"}
    assert job.last_run_result is None, "a job is a snapshot"


def test_an_execution_shows_one_attempt(cron: CronService, stage: Stage):
    job_id = cron.schedule_relative(
        name="report", relative_time="in 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    execution = cron.run_job(job_id, wait=True)
    assert {name for name in EXECUTION if not hasattr(execution, name)} == set()
    assert (execution.job_id, execution.job_name, execution.trigger) == (job_id, "report", "manual")
    assert (execution.count, execution.attempt, execution.status) == (1, 1, ExecutionStatus.SUCCEEDED)
    assert execution.reason is None
    assert execution.scheduled_for == execution.last_scheduled_for == execution.due_at
    assert execution.started_at is not None
    assert execution.finished_at is not None
    assert execution.scheduled_for <= execution.started_at <= execution.finished_at
    assert execution.result == {"success": True, "message": "called"}
    assert (execution.error, execution.traceback) == (None, None)
    assert execution.owner
    assert cron.get_executions(job_id) == [execution]


def test_jobs_and_executions_never_change(cron: CronService):
    job_id = cron.schedule_relative(name="report", relative_time="in 1 hour", callback=callbacks.nothing)
    job, execution = cron.get_job(job_id), cron.run_job(job_id, wait=True)
    for value in (job, execution):
        with pytest.raises(FrozenInstanceError):
            value.status = "paused"  # type: ignore[union-attr,misc,assignment]


def test_the_default_options_are_the_documented_ones(cron: CronService):
    job = cron.get_job(cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing))
    assert job is not None
    assert (job.max_retries, job.retry_delay, job.retry_backoff) == (3, timedelta(minutes=5), 1.0)
    assert (job.max_retry_delay, job.retry_jitter) == (timedelta(days=1), timedelta(0))
    assert (job.on_exhausted, job.overlap, job.delivery) == ("deactivate", "skip", "at_least_once")
    assert (job.misfire, job.misfire_grace, job.timeout) == ("run_once", timedelta(minutes=1), None)
    assert (job.runner, job.tags, job.max_runs, job.start_at, job.end_at) == ("auto", (), None, None, None)
    assert (job.jitter, job.max_instances) == (timedelta(0), 1)


def test_the_status_of_a_job_is_a_plain_dict(cron: CronService, stage: Stage):
    job_id = cron.schedule_relative(
        name="report", relative_time="every 24 hours", callback=callbacks.note, callback_args=stage.args
    )
    status = cron.get_job_status(job_id)
    assert set(status) >= STATUS_KEYS
    job = cron.get_job(job_id)
    assert job is not None
    assert job.next_run_time is not None
    assert status["next_run_time"] == job.next_run_time.isoformat()
    assert (status["last_run_time"], status["last_run_result"]) == (None, None)
    cron.run_job(job_id, wait=True)
    status = cron.get_job_status(job_id)
    assert datetime.fromisoformat(status["last_run_time"]).tzinfo is not None
    assert status["last_run_result"] == {"success": True, "message": "called"}
    assert (status["status"], status["is_active"], status["schedule_type"]) == ("active", True, "relative")
    assert (type(status["status"]), type(status["schedule_type"])) == (str, str)


# -- what a schedule means, without a scheduler -----------------------------------------------------------------


def test_the_next_firings_of_a_schedule_can_be_asked_for():
    friday = datetime(2030, 5, 31, 12)
    firings = next_fire_times("0 9 * * 1-5", timezone="Europe/Berlin", start=friday, count=2)
    assert [str(moment) for moment in firings] == ["2030-06-03 09:00:00+02:00", "2030-06-04 09:00:00+02:00"]


def test_five_firings_from_now_on_are_the_default():
    before = datetime.now(UTC)
    firings = next_fire_times("every 1 hour")
    assert len(firings) == 5
    assert firings[0] > before
    assert firings[1] - firings[0] == timedelta(hours=1)


def test_fewer_firings_are_answered_where_there_are_no_more():
    assert len(next_fire_times("2999-01-01 00:00", count=10)) == 1
    assert next_fire_times("every 1 hour", count=0) == []


def test_the_start_itself_is_not_among_the_firings():
    nine = datetime(2030, 6, 3, 9, tzinfo=UTC)
    assert next_fire_times("0 9 * * *", "UTC", nine, 1) == [nine + timedelta(days=1)]


@pytest.mark.parametrize("arguments", [{"start": "soon"}, {"start": 5}, {"count": -1}, {"count": "5"}, {"count": None}])
def test_a_wrong_start_or_count_is_refused(arguments):
    with pytest.raises(OptionError, match=next(iter(arguments))):
        next_fire_times("every 1 hour", **arguments)


def test_a_schedule_is_a_value():
    schedule = parse_schedule("every 05 Minutes", "UTC")
    assert isinstance(schedule, Schedule)
    assert (schedule.text, schedule.kind) == ("every 5 minutes", "relative")
    with pytest.raises(ScheduleError, match="parsecs"):
        parse_schedule("every 5 parsecs")


def test_the_functions_of_the_process_are_exported():
    assert get_cron_service() is get_cron_service()
    assert repr(get_cron_service()) == "<CronService stopped>", "nothing starts before it is asked to"
    assert callable(schedule_task)
