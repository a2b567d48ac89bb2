"""`runner="process"`: plain functions in processes of their own, which can be stopped as no thread can."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aurora_scheduler import CallbackError, CronService, Execution
from aurora_scheduler.testing import simulated
from facades import in_processes
from facades.waiting import eventually, finishes


def create(cron: CronService, callback: Any, args: dict[str, Any] | None = None, **options: Any) -> str:
    options = {"name": "x", "relative_time": "every 1 hour", "max_retries": 0, "runner": "process"} | options
    return cron.schedule_relative(callback=callback, callback_args=args, **options)


def run(cron: CronService, callback: Any, args: dict[str, Any] | None = None, **options: Any) -> Execution:
    job_id = create(cron, callback, args, **options)
    return finishes(lambda: cron.run_job(job_id, wait=True))


def told(execution: Execution) -> dict[str, Any]:
    """What it returned."""
    assert execution.result is not None, execution.error
    return dict(execution.result)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_in(file: Path) -> int:
    """The process that says in this file that it has begun."""
    return int(eventually(lambda: file.exists() and file.read_text()))


def test_it_runs_in_another_process_and_is_given_what_its_signature_takes(cron: CronService):
    execution = run(cron, in_processes.report, {"value": [1, {"a": None}]}, name="report")
    assert execution.status == "succeeded"
    result = told(execution)
    assert result.pop("pid") != os.getpid()
    assert result == {"success": True, "job_name": "report", "attempt": 1, "value": [1, {"a": None}]}


def test_the_next_one_takes_the_process_that_is_there(cron: CronService):
    assert len({told(run(cron, in_processes.report))["pid"] for _ in range(3)}) == 1


def test_what_it_raises_is_told_as_elsewhere(cron: CronService):
    execution = run(cron, in_processes.fail)
    assert (execution.status, execution.error) == ("failed", "ValueError: outer")
    assert execution.traceback is not None
    assert "KeyError: 'inner'" in execution.traceback
    assert "in_processes.py" in execution.traceback
    assert "anyio" not in execution.traceback, "how it was called tells a user nothing"


def test_it_may_ask_the_interpreter_to_end_and_only_has_failed(cron: CronService):
    assert run(cron, in_processes.leave).error == "SystemExit: that was it"
    assert run(cron, in_processes.report).status == "succeeded"


def test_a_process_that_dies_is_a_failed_attempt_and_the_next_one_gets_another(cron: CronService):
    before = told(run(cron, in_processes.report))["pid"]
    execution = run(cron, in_processes.crash, {"status": 0})
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.startswith("its worker process died while it ran")
    after = run(cron, in_processes.report)
    assert (after.status, told(after)["pid"] == before) == ("succeeded", False)


def test_where_no_process_can_be_made_the_attempt_has_failed_and_the_scheduler_goes_on(
    cron: CronService, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nowhere/python")
        execution = run(cron, in_processes.report)
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.startswith("FileNotFoundError: ")
    assert run(cron, in_processes.report).status == "succeeded"


def test_its_timeout_kills_it(cron: CronService, tmp_path: Path):
    execution = run(cron, in_processes.wait, {"begun": str(tmp_path / "begun")}, timeout=5)
    assert (execution.status, execution.reason) == ("timed_out", "timeout")
    assert not is_alive(pid_in(tmp_path / "begun"))


def test_cancelling_kills_it(cron: CronService, tmp_path: Path):
    job_id = create(cron, in_processes.wait, {"begun": str(tmp_path / "begun")})
    asked = cron.run_job(job_id)
    pid = pid_in(tmp_path / "begun")
    assert cron.cancel_execution(asked.id)
    (execution,) = eventually(lambda: cron.get_executions(job_id, "cancelled"))
    assert (execution.id, execution.reason) == (asked.id, "cancelled by hand")
    assert not is_alive(pid)


def test_a_newer_firing_may_take_its_place(cron: CronService, tmp_path: Path):
    """`overlap="cancel_previous"`, which is refused for a thread."""
    job_id = create(cron, in_processes.wait, {"begun": str(tmp_path / "begun")}, overlap="cancel_previous")
    first = cron.run_job(job_id)
    pid = pid_in(tmp_path / "begun")
    (tmp_path / "begun").unlink()
    second = cron.run_job(job_id)
    assert pid_in(tmp_path / "begun") != pid
    assert not is_alive(pid)
    assert [row.id for row in cron.get_executions(job_id, "cancelled")] == [first.id]
    assert [row.id for row in cron.get_executions(job_id, "running")] == [second.id]


def test_a_stop_that_does_not_wait_kills_it_and_it_runs_again_at_the_next_start(database: Path, tmp_path: Path):
    with CronService(database) as cron:
        job_id = create(cron, in_processes.wait, {"begun": str(tmp_path / "begun")})
        cron.run_job(job_id)
        pid = pid_in(tmp_path / "begun")
        (tmp_path / "begun").unlink()
        finishes(lambda: cron.shutdown(drain=0))
    assert not is_alive(pid)
    with CronService(database) as cron:
        assert pid_in(tmp_path / "begun") != pid
        cron.shutdown(drain=0)


def test_no_worker_process_is_left_when_the_scheduler_has_stopped(database: Path):
    with CronService(database) as cron:
        pid = told(run(cron, in_processes.report))["pid"]
        assert is_alive(pid)
    assert not is_alive(pid)


def test_signals_for_the_whole_group_are_left_to_the_scheduler(cron: CronService):
    """Ctrl-C in a terminal reaches the workers, too; what runs may come to its end all the same."""
    assert run(cron, in_processes.signal_and_go_on).result == {"success": True, "message": "went on"}


def test_an_async_function_is_refused(cron: CronService):
    with pytest.raises(CallbackError, match='runner="process" is for plain functions'):
        create(cron, in_processes.wait_async)


def test_a_function_of_the_running_script_is_found_in_its_processes(script):
    program = script(
        """
        import os
        from aurora_scheduler import CronService

        def work():
            return str(os.getpid())

        if __name__ == "__main__":
            with CronService("jobs.db") as cron:
                options = {"name": "x", "relative_time": "every 1 hour", "runner": "process"}
                job_id = cron.schedule_relative(callback=work, **options)
                done = cron.run_job(job_id, wait=True)
                print(done.status, done.result["message"] != str(os.getpid()))
        """
    )
    assert program.ends().splitlines() == ["succeeded True"]


def test_a_script_that_would_start_a_scheduler_in_each_process_is_told_of_it(script):
    program = script(
        """
        import logging, warnings
        from aurora_scheduler import CronService

        logging.disable()
        warnings.simplefilter("ignore", ResourceWarning)  # anyio kills a process that cannot begin, and leaves it so

        def work():
            return "worked"

        with CronService("jobs.db") as cron:
            options = {"name": "x", "relative_time": "every 1 hour", "runner": "process", "max_retries": 0}
            job_id = cron.schedule_relative(callback=work, **options)
            print(cron.run_job(job_id, wait=True).error)
        """
    )
    (said,) = program.ends().splitlines()
    assert said.startswith("its worker process could not begin: the main script raised there SchedulerStopped: ")
    assert said.endswith('put what the script does, other than to define, under `if __name__ == "__main__":`')


def test_in_a_simulation_there_are_no_processes():
    with simulated() as sim:
        job_id = create(sim.cron, in_processes.report)
        sim.advance("1 hour")
        (execution,) = sim.cron.get_executions(job_id)
    assert told(execution)["pid"] == os.getpid()
