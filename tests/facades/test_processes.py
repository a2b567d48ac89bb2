"""Whole processes: the interpreter's exit, Ctrl-C, fork, kill -9, and what the next process makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_scheduler import CronService
from facades.scripts import Script
from facades.waiting import DEADLINE, eventually

Run = Callable[[str], Script]


def _attempts(database: Path, name: str) -> list[tuple[int, str]]:
    """The attempts of the job of this name once the last has succeeded, oldest first: their numbers and statuses."""
    with CronService(database) as cron:
        (job,) = [job for job in cron.get_all_jobs() if job.name == name]
        eventually(lambda: cron.get_executions(job.id, "succeeded"))
        return [(row.attempt, row.status) for row in reversed(cron.get_executions(job.id))]


def test_a_program_that_just_ends_with_callbacks_running_ends_within_seconds_and_they_run_again(
    script: Run, database: Path
):
    program = script(
        """
        from aurora_scheduler import CronService
        from facades import alone

        cron = CronService()
        cron.start()
        for callback in (alone.stuck_once, alone.stuck_once_async):
            name = callback.__name__
            cron.run_job(cron.schedule_relative(
                name=name, relative_time="every 1 hour", callback=callback, callback_args={"file": alone.here(name)}))
        alone.hear()
        alone.say("end of the program")
        """
    )
    program.says("begun")
    program.says("begun")
    program.hears()
    program.says("end of the program")
    began = time.monotonic()
    program.ends(0)
    assert time.monotonic() - began < DEADLINE, "the callbacks would have taken an hour"
    assert _attempts(database, "stuck_once") == [(1, "lost"), (2, "succeeded")]
    assert _attempts(database, "stuck_once_async") in (
        [(1, "cancelled"), (2, "succeeded")],  # it was given its moment, then cancelled
        [(1, "lost"), (2, "succeeded")],  # on a machine too slow for that
    )


def test_a_program_that_forgets_to_stop_ends_at_once_and_loses_nothing(script: Run, database: Path):
    script(
        """
        from aurora_scheduler import schedule_task
        from facades.alone import nothing
        schedule_task("x", "every 1 hour", nothing)
        """
    ).ends(0)
    with CronService(database) as cron:
        assert [job.name for job in cron.get_all_jobs()] == ["x"]


def test_a_program_that_fails_ends_as_it_would_have_without_a_scheduler(script: Run, database: Path):
    said = script(
        """
        import sys
        from aurora_scheduler import schedule_task
        from facades.alone import nothing
        schedule_task("x", "every 1 hour", nothing)
        sys.exit(7)
        """
    ).ends(7)
    assert said == ""


def test_a_killed_process_loses_the_attempt_and_the_next_makes_the_second(script: Run, database: Path):
    program = script(
        """
        from aurora_scheduler import CronService
        from facades import alone

        cron = CronService()
        cron.start()
        job_id = cron.schedule_relative(
            name="x", relative_time="every 1 hour",
            callback=alone.stuck_once, callback_args={"file": alone.here("begun")})
        cron.run_job(job_id, wait=True)
        """
    )
    program.says("begun")
    program.is_killed()
    assert _attempts(database, "x") == [(1, "lost"), (2, "succeeded")]


def test_a_standby_takes_over_from_a_killed_process(script: Run, database: Path):
    program = script(
        """
        from aurora_scheduler import CronService
        from facades import alone

        cron = CronService()
        cron.start()
        job_id = cron.schedule_relative(
            name="x", relative_time="every 1 hour",
            callback=alone.stuck_once, callback_args={"file": alone.here("begun")})
        cron.run_job(job_id, wait=True)
        """
    )
    program.says("begun")
    with CronService(database) as standby:
        (job,) = standby.get_all_jobs()
        (running,) = standby.get_executions(job.id)
        assert running.status == "running"
        program.is_killed()
        eventually(lambda: standby.get_executions(job.id, "succeeded"))
        second, first = standby.get_executions(job.id)
        assert (first.id, first.status, second.attempt) == (running.id, "lost", 2)


def test_what_was_acknowledged_is_there_after_a_kill(script: Run, database: Path):
    program = script(
        """
        import threading
        from aurora_scheduler import CronService
        from facades import alone

        cron = CronService()
        cron.start()
        for number in range(10):
            cron.schedule_relative(name=str(number), relative_time="every 1 hour", callback=alone.nothing)
        alone.say("created")
        threading.Event().wait(3600)
        """
    )
    program.says("created")
    program.is_killed()
    with CronService(database) as cron:
        assert [job.name for job in cron.get_all_jobs()] == [str(number) for number in range(10)]


CTRL_C = {
    "asyncio": """
        import asyncio
        from aurora_scheduler import SchedulerManager
        from facades import alone

        async def main():
            async with SchedulerManager() as manager:
                await manager.create_job(name="x", schedule="every 1 hour", callback=alone.nothing)
                alone.say("ready")
                await asyncio.sleep(3600)

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            alone.say("interrupted")
        """,
    "trio": """
        import trio
        from aurora_scheduler import SchedulerManager
        from facades import alone

        async def main():
            async with SchedulerManager() as manager:
                await manager.create_job(name="x", schedule="every 1 hour", callback=alone.nothing)
                alone.say("ready")
                await trio.sleep_forever()

        try:
            trio.run(main)
        except KeyboardInterrupt:
            alone.say("interrupted")
        """,
    "a plain program": """
        import time
        from aurora_scheduler import CronService
        from facades import alone

        try:
            with CronService() as cron:
                cron.schedule_relative(name="x", relative_time="every 1 hour", callback=alone.nothing)
                alone.say("ready")
                time.sleep(3600)
        except KeyboardInterrupt:
            alone.say("interrupted")
        """,
    "a plain program that waits for a run": """
        from aurora_scheduler import CronService
        from facades import alone

        cron = CronService()
        cron.start()
        job_id = cron.schedule_relative(
            name="x", relative_time="every 1 hour",
            callback=alone.stuck_once_async, callback_args={"file": alone.here("begun")})
        try:
            cron.run_job(job_id, wait=True)
        except KeyboardInterrupt:
            cron.shutdown(drain=0)
            alone.say("interrupted")
        """,
}


@pytest.mark.parametrize("program", CTRL_C)
def test_control_c_ends_a_program_cleanly(script: Run, database: Path, program: str):
    running = script(CTRL_C[program])
    running.says("begun" if "begun" in CTRL_C[program] else "ready")
    running.interrupt()
    running.says("interrupted")
    assert running.ends(0) == ""
    with CronService(database) as cron:
        (job,) = cron.get_all_jobs()
        assert (job.name, job.status) == ("x", "active")
        assert cron.get_executions(job.id, "lost") == []


def test_a_forked_child_is_refused_and_its_parent_goes_on(script: Run):
    said = script(
        """
        import os, warnings
        from aurora_scheduler import CronService, ForkedProcessError
        from facades import alone

        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 says what this is about
        cron = CronService()
        cron.start()
        job_id = cron.schedule_relative(name="x", relative_time="every 1 hour", callback=alone.nothing)
        child = os.fork()
        if child == 0:
            refused = 0
            for call in (cron.get_all_jobs, lambda: cron.run_job(job_id), lambda: cron.run_job(job_id, wait=True),
                         lambda: cron.cancel_job(job_id), cron.shutdown):
                try:
                    call()
                except ForkedProcessError as error:
                    refused += "fork" in str(error)
            alone.say(f"{refused} calls refused")
            raise SystemExit
        _, status = os.waitpid(child, 0)
        alone.say(f"the child ended with {os.waitstatus_to_exitcode(status)}")
        alone.say(f"the parent's job {cron.run_job(job_id, wait=True).status}")
        cron.shutdown()
        """
    ).ends(0)
    assert said.splitlines() == ["5 calls refused", "the child ended with 0", "the parent's job succeeded"]


@pytest.mark.parametrize("before", ["at once", "after a run"])
def test_a_forked_child_makes_a_scheduler_of_its_own(script: Run, before: str):
    said = script(
        f"""
        import os, warnings
        from aurora_scheduler import CronService, get_cron_service
        from facades import alone

        warnings.simplefilter("ignore", DeprecationWarning)
        parent = get_cron_service()
        parent.start()
        if {before!r} == "after a run":
            parent.run_job(
                parent.schedule_relative(name="x", relative_time="every 1 hour", callback=alone.nothing), wait=True)
        child = os.fork()
        if child == 0:
            alone.say("another" if get_cron_service() is not parent else "the same")
            os.environ["AURORA_SCHEDULER_DB"] = "child.db"
            with CronService() as own:
                job_id = own.schedule_relative(name="y", relative_time="every 1 hour", callback=alone.nothing)
                alone.say(own.run_job(job_id, wait=True).status)
            raise SystemExit
        _, status = os.waitpid(child, 0)
        alone.say(f"the child ended with {{os.waitstatus_to_exitcode(status)}}")
        parent.shutdown()
        """
    ).ends(0)
    assert said.splitlines() == ["another", "succeeded", "the child ended with 0"]


def test_a_child_that_lives_on_does_not_hold_the_parents_database(script: Run, database: Path):
    program = script(
        """
        import os, time, warnings
        from aurora_scheduler import CronService
        from facades import alone

        warnings.simplefilter("ignore", DeprecationWarning)
        cron = CronService()
        cron.start()
        cron.run_job(cron.schedule_relative(name="x", relative_time="every 1 hour", callback=alone.nothing), wait=True)
        if os.fork() == 0:
            alone.hear()
            os._exit(0)
        cron.shutdown()
        alone.say("parent")
        os.wait()
        """
    )
    program.says("parent")
    with CronService(database) as cron:
        (job,) = cron.get_all_jobs()
        asked = cron.run_job(job.id)
        eventually(lambda: asked.id in [row.id for row in cron.get_executions(job.id, "succeeded")])
    program.hears()
    program.ends(0)


def test_where_no_thread_can_be_made_a_callback_waits_for_one_and_this_is_told(script: Run, database: Path):
    program = script(
        """
        import logging
        import sys
        import threading
        from aurora_scheduler import CronService
        from facades import alone

        def refuse(thread):
            raise RuntimeError("can't start new thread")

        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        with CronService() as cron:
            job_id = cron.schedule_relative(
                name="x", relative_time="every 1 hour", callback=alone.nothing, max_retries=0)
            start, threading.Thread.start = threading.Thread.start, refuse
            cron.run_job(job_id)
            alone.hear()
            threading.Thread.start = start
            alone.hear()
        """
    )
    program.says("no thread can be made, and what needs one waits: can't start new thread")
    program.hears()
    with CronService(database) as standby:
        (job,) = standby.get_all_jobs()
        eventually(lambda: standby.get_executions(job.id, "succeeded"))
        assert len(standby.get_executions(job.id)) == 1
    program.hears()
    program.ends(0)
