"""Jobs that are a command: its status, its output, and its end with everything that it has started."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import anyio
import pytest

from aurora_scheduler import CronService, programs

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    )


async def until_written(path):
    while not (path.exists() and path.read_text().strip()):  # noqa: ASYNC110  # another process writes it
        await anyio.sleep(0.01)


def until_gone(pid):
    """It was told to end, or killed: the system takes a moment."""
    give_up = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < give_up
        time.sleep(0.01)


async def test_what_it_wrote_and_its_status_are_the_result():
    assert await programs.run(["sh", "-c", "echo out; echo err >&2"]) == {
        "success": True,
        "exit_status": 0,
        "output": "out\nerr\n",
    }


async def test_another_status_is_a_failure_with_the_last_line():
    told = await programs.run(["sh", "-c", "echo one; echo two; exit 3"])
    assert (told["success"], told["exit_status"], told["error"]) == (False, 3, "exit status 3: two")


async def test_one_that_a_signal_ends_says_which():
    told = await programs.run(["sh", "-c", "kill -9 $$"])
    assert (told["exit_status"], told["error"]) == (-9, "ended by SIGKILL")


async def test_an_argument_is_what_it_is_and_no_shell_reads_it():
    told = await programs.run(["echo", "$HOME; rm -rf *", "a  b"])
    assert told["output"] == "$HOME; rm -rf * a  b\n"


async def test_a_text_is_for_the_shell():
    assert (await programs.run("echo a  b | tr ab xy"))["output"] == "x y\n"


async def test_it_has_the_variables_and_the_directory_that_were_said(tmp_path):
    told = await programs.run("echo $GREETING $PATH; pwd", {"GREETING": "hello"}, str(tmp_path))
    assert told["output"] == f"hello {os.environ['PATH']}\n{tmp_path}\n"


async def test_it_has_nothing_to_read():
    assert (await programs.run(["cat"]))["output"] == ""


async def test_a_program_that_is_not_there_raises():
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await programs.run(["no-such-program"])


async def test_of_much_output_the_end_is_kept():
    lines = "import sys; [print(number) for number in range(200_000)]"
    told = await programs.run([sys.executable, "-c", lines])
    assert told["output"].endswith("199998\n199999\n")
    assert 50_000 < len(json.dumps(told["output"])) <= 60_000


async def test_output_that_is_no_text_and_takes_much_room_still_fits():
    told = await programs.run([sys.executable, "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)"])
    assert len(json.dumps(told["output"])) <= 60_000


async def test_when_it_is_cancelled_all_that_it_started_ends(tmp_path):
    program = f"sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/own; wait"
    async with anyio.create_task_group() as group:
        group.start_soon(programs.run, program)
        await until_written(tmp_path / "own")
        group.cancel_scope.cancel()
    for name in ("own", "child"):
        until_gone(int((tmp_path / name).read_text()))


async def test_one_that_does_not_want_to_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_GRACE", 0.2)
    program = f"trap '' TERM; echo $$ > {tmp_path}/own; while :; do sleep 0.05; done"
    with anyio.move_on_after(30) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(programs.run, program)
            await until_written(tmp_path / "own")
            group.cancel_scope.cancel()
    assert not scope.cancelled_caught
    until_gone(int((tmp_path / "own").read_text()))


async def test_what_it_left_running_does_not_hold_it_up(tmp_path):
    begun = time.monotonic()
    told = await programs.run(f"sleep 30 & echo $! > {tmp_path}/child; echo done")
    assert told["output"] == "done\n"
    assert time.monotonic() - begun < 20
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_as_a_job_its_timeout_ends_it_and_all_it_started(tmp_path):
    with CronService(":memory:") as cron:
        job_id = cron.schedule_relative(
            name="long",
            relative_time="every 1 hour",
            callback="aurora_scheduler.programs.run",
            callback_args={"command": ["sh", "-c", f"sleep 300 & echo $! > {tmp_path}/child; wait"]},
            timeout=1,
            max_retries=0,
            on_exhausted="continue",
        )
        execution = cron.run_job(job_id, wait=True)
    assert execution.status == "timed_out"
    until_gone(int((tmp_path / "child").read_text()))


def test_as_a_job_much_output_is_kept_whole_as_far_as_it_was_kept():
    with CronService(":memory:") as cron:
        job_id = cron.schedule_relative(
            name="talks",
            relative_time="every 1 hour",
            callback="aurora_scheduler.programs.run",
            callback_args={"command": ["sh", "-c", "seq 100000"]},
        )
        execution = cron.run_job(job_id, wait=True)
    assert execution.result is not None
    assert execution.result["output"].endswith("99999\n100000\n")
    assert "flags" not in execution.result
