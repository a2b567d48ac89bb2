"""Each recipe of "Use it with your framework", in the real framework on a real server, with requests over a socket."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.serving import Server, beginning, environment, serving, write_files

_ON_GUNICORN = ("--config", "gunicorn_conf.py", "--workers", "2", "--bind", "unix:{socket}")

#: The command of each recipe, and the loop on which its callbacks run; "": they have threads.
SERVERS = {
    "FastAPI on uvicorn": (("-m", "uvicorn", "fastapi_app:app", "--uds", "{socket}"), "asyncio"),
    "FastAPI on gunicorn with four of uvicorn's workers": (
        (
            *("-m", "gunicorn", "fastapi_app:app", "--worker-class", "uvicorn_worker.UvicornWorker"),
            *("--workers", "4", "--bind", "unix:{socket}", "--graceful-timeout", "45"),
        ),
        "asyncio",
    ),
    "Litestar on uvicorn": (("-m", "uvicorn", "litestar_app:app", "--uds", "{socket}"), "asyncio"),
    "Quart-Trio on Hypercorn": (
        ("-m", "hypercorn", "quart_app:app", "--worker-class", "trio", "--bind", "unix:{socket}"),
        "trio",
    ),
    "Flask on gunicorn": (("-m", "gunicorn", "flask_shop:app", *_ON_GUNICORN), ""),
    "Django on gunicorn": (("-m", "gunicorn", "mysite.wsgi", *_ON_GUNICORN), ""),
}
#: The command of each program, the module with its callbacks, and the loop on which these run.
PROGRAMS = {
    "a plain script": ("import plain_script; plain_script.main()", "shop_jobs", ""),
    "a Trio program": ("import trio, trio_program; trio.run(trio_program.main)", "app_jobs", "trio"),
}
RUNSERVER = ("-m", "django", "runserver", "127.0.0.1:0", "--settings", "mysite.settings")


@pytest.mark.parametrize("name", SERVERS)
def test_a_served_application_fires_takes_an_order_once_and_ends_within_its_drain(name: str, tmp_path: Path):
    command, loop = SERVERS[name]
    with serving(tmp_path, *command) as server:
        server.has_fired(1)
        for _ in range(2):  # the second changes nothing
            assert "confirm-7" in server.asks("/orders/7", "POST")
        server.waits(lambda: "succeeded" in server.asks("/orders/7"))

        held = _stop_while_a_callback_runs(server)
        assert {line["loop"] for line in server.said("confirm")} == {loop}
        server.check_end([7], held)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_fires_is_given_a_job_by_the_command_line_and_ends_on_sigterm(name: str, tmp_path: Path):
    line, jobs, loop = PROGRAMS[name]
    write_files(tmp_path)
    with beginning(tmp_path, "-c", line) as program:
        program.waits(program.owner)
        add = ("add", "in 1 second", "--name", "confirm order 8", "--id", "confirm-8")
        _aurora(tmp_path, *add, "--callback", f"{jobs}.confirm", "--arg", "order=8")
        program.waits(lambda: all("succeeded" in _aurora(tmp_path, "history", "--job", f"confirm-{n}") for n in (8, 7)))
        program.has_fired(1)

        held = _stop_while_a_callback_runs(program)
        assert {line["loop"] for line in program.said("confirm")} == {loop}
        assert {line.pid for line in program.said("effect")} == {program.pid}
        program.check_end([7, 8], held)


def test_djangos_commands_that_do_not_serve_start_nothing(tmp_path: Path):
    write_files(tmp_path)
    command = [sys.executable, "-m", "django", "check", "--settings", "mysite.settings"]
    subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), check=True, capture_output=True, timeout=60)
    assert not (tmp_path / "service.db").exists()


def test_what_runs_when_djangos_runserver_is_ended_runs_again_at_its_next_start(tmp_path: Path):
    with serving(tmp_path, *RUNSERVER) as server:
        server.has_fired(1)
        assert "confirm-7" in server.asks("/orders/7", "POST")
        server.waits(lambda: "succeeded" in server.asks("/orders/7"))
        held = server.is_held()
        serves = server.owner()
        assert serves != server.pid
        server.is_asked_to_stop()
        server.ends()
        (cut_short,) = [row for row in server.rows() if row.id == held]
        assert cut_short.status == "running"
    server.is_let_go()
    with serving(tmp_path, *RUNSERVER) as server:
        server.waits(lambda: _attempts(server, cut_short.scheduled) == [(1, "lost"), (2, "succeeded")])
        assert "confirm-7" in server.asks("/orders/7", "POST"), "it is there, and is not confirmed again"
        server.has_fired(2, but=[cut_short])
        assert len(server.said("confirm")) == 1
        assert server.generation() == 1
    server.check()


def _stop_while_a_callback_runs(program: Server) -> str:
    held = program.is_held()
    program.is_asked_to_stop()
    time.sleep(0.5)  # not for anything to happen: for what must not happen, its end
    assert not program.has_ended()
    program.is_let_go()
    program.ends()
    return held


def _attempts(server: Server, scheduled: int) -> list[tuple[int, str]]:
    return [(row.attempt, row.status) for row in server.rows() if row.scheduled == scheduled]


def _aurora(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "aurora_scheduler.cli", *words]
    return subprocess.run(
        command, cwd=directory, env=environment(directory), check=True, capture_output=True, text=True, timeout=60
    ).stdout
