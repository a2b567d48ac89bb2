"""`CronService` and the process's own service: plain calls, from threads, and inside both kinds of event loop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sniffio

from aurora_scheduler import (
    CronService,
    ExecutionStatus,
    JobExistsError,
    JobNotFoundError,
    JobStatus,
    ScheduleError,
    SchedulerManager,
)
from facades import callbacks
from facades.callbacks import Stage
from facades.scripts import Script
from facades.waiting import eventually, finishes


def test_a_service_needs_no_event_loop(database: Path, stage: Stage):
    with CronService(database) as cron:
        job_id = cron.schedule_relative(
            name="reminder", relative_time="in 1 second", callback=callbacks.note, callback_args=stage.args
        )
        eventually(lambda: cron.get_all_jobs("finished"))
        assert stage.notes == ["called"]
        assert [row.status for row in cron.get_executions(job_id)] == ["succeeded"]


def test_every_kind_of_schedule_has_its_call(cron: CronService):
    common = {"callback": callbacks.nothing, "timezone": "UTC"}
    relative = cron.schedule_relative(name="1", relative_time="every 24 hours", **common)
    absolute = cron.schedule_absolute(name="2", absolute_time="05/28/2099 15:30", **common)
    by_cron = cron.schedule_cron(name="3", cron_expression="@daily", **common)
    texts = ["in 30 minutes", "every 6 hours", "2099-12-25 09:00", "0 9 * * 1-5"]
    from_text = [cron.schedule_from_text(name=text, schedule_text=text, **common) for text in texts]
    jobs = cron.get_all_jobs()
    assert [job.id for job in jobs] == [relative, absolute, by_cron, *from_text]
    assert [(job.schedule_type, job.schedule_value) for job in jobs] == [
        ("relative", "every 24 hours"),
        ("absolute", "2099-05-28 15:30:00"),
        ("cron", "@daily"),
        ("relative", "in 30 minutes"),
        ("relative", "every 6 hours"),
        ("absolute", "2099-12-25 09:00:00"),
        ("cron", "0 9 * * 1-5"),
    ]


def test_a_job_is_paused_resumed_and_cancelled(cron: CronService):
    job_id = cron.schedule_relative(name="x", relative_time="every 1 hour", callback=callbacks.nothing)
    assert cron.pause_job(job_id)
    assert cron.pause_job(job_id)
    assert cron.get_job_status(job_id)["status"] == "paused"
    assert [job.id for job in cron.get_all_jobs(JobStatus.PAUSED)] == [job_id]
    assert cron.resume_job(job_id)
    assert cron.get_job_status(job_id)["is_active"] is True
    assert cron.cancel_job(job_id)
    assert cron.get_job(job_id) is None
    assert not cron.cancel_job(job_id)


def test_a_one_off_whose_time_passed_while_it_was_paused_is_missed(cron: CronService, stage: Stage):
    when = datetime.now(UTC) + timedelta(seconds=0.2)
    job_id = cron.schedule_absolute(
        name="x", absolute_time=when.isoformat(), callback=callbacks.note, callback_args=stage.args
    )
    cron.pause_job(job_id)
    eventually(lambda: datetime.now(UTC) > when)
    assert cron.resume_job(job_id) is False, "it has no firing to come"
    assert cron.get_job_status(job_id)["status"] == "finished"
    assert [(row.status, row.reason) for row in cron.get_executions(job_id)] == [("missed", "paused")]
    assert stage.notes == []


def test_options_are_the_same_as_everywhere(cron: CronService):
    job_id = cron.schedule_from_text(
        name="x",
        schedule_text="every 1 hour",
        callback="facades.callbacks.nothing",
        job_id="mine",
        tags=["a"],
        max_retries=1,
    )
    assert job_id == "mine"
    with pytest.raises(JobExistsError):
        cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing, job_id="mine")
    cron.schedule_relative(
        name="y", relative_time="in 1 hour", callback=callbacks.nothing, job_id="mine", if_exists="update"
    )
    (job,) = cron.get_all_jobs()
    assert (job.name, job.schedule_value, job.tags, job.max_retries) == ("y", "in 1 hour", (), 3)


def test_a_run_by_hand_is_waited_for_and_looked_up(cron: CronService):
    job_id = cron.schedule_relative(name="x", relative_time="every 1 hour", callback=callbacks.nothing)
    assert cron.run_job(job_id).status == "waiting"
    second = eventually(lambda: _succeeded(cron, job_id))[0]
    third = cron.run_job(job_id, wait=True)
    assert cron.get_executions(job_id, ExecutionStatus.SUCCEEDED, limit=1) == [third]
    assert cron.get_executions(job_id, "succeeded", before=third)[0] == second


def _succeeded(cron: CronService, job_id: str):
    return cron.get_executions(job_id, "succeeded")


def test_unknown_ids_answer_none_or_false_or_raise(cron: CronService):
    assert cron.get_job("nobody") is None
    assert cron.pause_job("nobody") is False
    assert cron.resume_job("nobody") is False
    assert cron.cancel_job("nobody") is False
    assert cron.cancel_execution("nobody") is False
    assert cron.get_executions("nobody") == []
    with pytest.raises(JobNotFoundError, match="nobody"):
        cron.get_job_status("nobody")
    with pytest.raises(JobNotFoundError, match="nobody"):
        cron.run_job("nobody")
    with pytest.raises(JobNotFoundError, match="nobody"):
        cron.run_job("nobody", wait=True)


def test_every_thread_may_call(cron: CronService):
    job_id = finishes(
        lambda: cron.schedule_relative(name="x", relative_time="every 1 hour", callback=callbacks.nothing)
    )
    assert finishes(lambda: cron.run_job(job_id, wait=True)).status == "succeeded"
    assert finishes(lambda: cron.get_job_status(job_id))["last_run_result"] == {"success": True}


@pytest.mark.anyio
async def test_inside_an_event_loop_calls_are_plain(anyio_backend: str, database: Path, stage: Stage):
    cron = CronService(database)
    await cron.initialize()
    assert sniffio.current_async_library() == anyio_backend
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.note, callback_args=stage.args
    )
    assert cron.run_job(job_id, wait=True).status == "succeeded"
    assert stage.notes == ["called"]
    cron.shutdown()


@pytest.mark.anyio
async def test_a_service_that_was_initialised_on_a_loop_awaits_app_callbacks_there(
    anyio_backend: str, database: Path, stage: Stage
):
    cron = CronService(database, runner="app")
    await cron.initialize()
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.note_loop, callback_args=stage.args
    )
    cron.run_job(job_id)
    async with SchedulerManager(database) as standby:
        while not await standby.get_executions(job_id, "succeeded"):
            pass  # each look lets the loop go on
    assert stage.notes == [(threading.get_ident(), anyio_backend)]
    cron.shutdown()


def test_the_service_shows_its_state(database: Path):
    cron = CronService(database)
    assert repr(cron) == "<CronService stopped>"
    with cron:
        assert repr(cron) == "<CronService started>"
    assert repr(cron) == "<CronService stopped>"


# -- the process's own service, in processes of their own -------------------------------------------------------

Run = Callable[[str], Script]


def test_the_first_usage_ever_documented_works(script: Run, tmp_path: Path):
    (tmp_path / "my_module.py").write_text(
        "def cleanup_function(days_to_keep):\n    return {'message': f'kept {days_to_keep} days'}\n"
    )
    said = script(
        """
        import asyncio
        from aurora_scheduler import get_cron_service

        async def main():
            cron = get_cron_service()
            await cron.initialize()
            job_id = cron.schedule_relative(
                name="Daily Cleanup",
                relative_time="every 24 hours",
                callback="my_module.cleanup_function",
                callback_args={"days_to_keep": 7},
            )
            print(cron.run_job(job_id, wait=True).result["message"])
            print(cron.get_job(job_id).name, cron.get_job_status(job_id)["schedule_value"])
            cron.shutdown()

        asyncio.run(main())
        """
    ).ends()
    assert said == "kept 7 days\nDaily Cleanup every 24 hours\n"


def test_there_is_one_service_of_the_process_on_the_database_of_the_environment(script: Run, database: Path):
    said = script(
        """
        import json, os, threading
        from aurora_scheduler import get_cron_service, schedule_task
        from facades.alone import nothing

        services = [get_cron_service()]
        threads = [threading.Thread(target=lambda: services.append(get_cron_service())) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        exists = os.path.exists("jobs.db")

        first = schedule_task("backup", "every 6 hours", nothing, max_retries=1)
        second = schedule_task("mail", "0 9 * * 1-5", "facades.alone.nothing", None, tags=["mail"])
        cron = get_cron_service()
        print(json.dumps({
            "services": len({id(service) for service in services}),
            "existed before the first task": exists,
            "exists": os.path.exists("jobs.db"),
            "jobs": [job.id for job in cron.get_all_jobs()] == [first, second],
            "ran": cron.run_job(first, wait=True).status,
        }))
        """
    ).ends()
    assert json.loads(said) == {
        "services": 1,
        "existed before the first task": False,
        "exists": True,
        "jobs": True,
        "ran": "succeeded",
    }
    with CronService(database) as cron:
        assert [(job.name, job.max_retries, job.tags) for job in cron.get_all_jobs()] == [
            ("backup", 1, ()),
            ("mail", 3, ("mail",)),
        ]


def test_a_function_of_a_script_can_be_a_callback(script: Run):
    said = script(
        """
        from aurora_scheduler import CronService

        def hello(name):
            return f"hello {name}"

        async def hello_async(name):
            return f"hello {name}, async"

        if __name__ == "__main__":
            with CronService("own.db") as cron:
                for callback in (hello, hello_async):
                    job_id = cron.schedule_relative(
                        name="x", relative_time="every 1 hour", callback=callback, callback_args={"name": "Ada"})
                    print(cron.run_job(job_id, wait=True).result["message"])
        """
    ).ends()
    assert said == "hello Ada\nhello Ada, async\n"


def test_the_default_database_is_in_the_current_directory(script: Run, tmp_path: Path):
    script(
        """
        import os
        del os.environ["AURORA_SCHEDULER_DB"]
        from aurora_scheduler import get_cron_service
        get_cron_service().start()
        get_cron_service().shutdown()
        """
    ).ends()
    assert (tmp_path / "aurora_scheduler.db").is_file()


@pytest.mark.parametrize("name", ["{path}", "sqlite:///{path}"])
def test_a_database_is_a_path_or_a_url(tmp_path: Path, name: str):
    path = tmp_path / "some.db"
    with CronService(name.format(path=path)) as cron:
        cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing)
    with CronService(path) as cron:
        assert len(cron.get_all_jobs()) == 1


def test_a_database_in_memory_works_and_is_gone_with_its_service(stage: Stage):
    for _ in range(2):
        with CronService(":memory:") as cron:
            assert cron.get_all_jobs() == []
            job_id = cron.schedule_relative(
                name="x", relative_time="every 1 hour", callback=callbacks.note, callback_args=stage.args
            )
            assert cron.run_job(job_id, wait=True).status == "succeeded"


def test_a_wrong_schedule_of_a_task_raises_and_stores_nothing(cron: CronService):
    with pytest.raises(ScheduleError, match="parsecs"):
        cron.schedule_from_text(name="x", schedule_text="every 5 parsecs", callback=callbacks.nothing)
    assert cron.get_all_jobs() == []
