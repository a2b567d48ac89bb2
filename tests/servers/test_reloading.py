"""The reloaders of development servers: the old process lets go, the new one fires, and the job stays the same job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from servers.serving import SECOND, now, serving

SERVERS = {
    "uvicorn": ("-m", "uvicorn", "app:app", "--reload", "--reload-delay", "0.1", "--uds", "{socket}"),
    "werkzeug, which serves Flask": ("dev.py", "{socket}"),
    "flask run": ("-m", "flask", "--app", "flask_shop", "run", "--debug", "--host", "unix://{socket}"),
    "Django's runserver": ("-m", "django", "runserver", "127.0.0.1:0", "--settings", "mysite.settings"),
}
#: As `app.run(debug=True)` does it.
DEV = """
import sys

from werkzeug.serving import run_simple

import dev_start
from shop import app

run_simple(f"unix://{sys.argv[1]}", 0, app, use_reloader=True, reloader_type="stat", reloader_interval=0.1)
"""


@pytest.mark.parametrize("server", SERVERS)
def test_a_reload_changes_the_process_and_nothing_else(
    server: str, stories: Mapping[str, Future[float]], tell: Callable[[str], None]
):
    tell(f"the new process was the owner {stories[server].result():.2f} s after the edit")


def live(directory: Path, *command: str) -> float:
    (directory / "dev.py").write_text(DEV)
    with serving(directory, *command) as server:
        first = server.has_fired(1)
        before = server.owner()
        at = now()
        _edit(directory / ("app_jobs.py" if "app:app" in command else "shop_jobs.py"))
        server.waits(lambda: server.owner() != before)
        took = (now() - at) / SECOND
        server.has_fired(1, but=first)
        assert server.said("effect")[-1].pid == server.owner()
        assert {line.pid for line in server.said("effect")} == {before, server.owner()}, "not the one that watches"
        assert first[0] == server.rows()[0], "the history stays"
        assert server.generation() == 1, "it was never created anew"
        server.is_asked_to_stop()
        server.ends()
        server.check()
    return took


def _edit(file: Path) -> None:
    file.write_text(f"{file.read_text()}\n")
    then = os.stat(file).st_mtime + 1
    os.utime(file, (then, then))
