"""A server that is asked to stop lets its callbacks end, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from servers.serving import serving

SERVERS = {
    "gunicorn": (
        *("-m", "gunicorn", "shop:app", "--config", "gunicorn_conf.py"),
        *("--workers", "1", "--bind", "unix:{socket}"),
    ),
    "gunicorn with uvicorn's workers": (
        *("-m", "gunicorn", "app:app", "--worker-class", "uvicorn_worker.UvicornWorker"),
        *("--workers", "1", "--bind", "unix:{socket}", "--graceful-timeout", "45"),
    ),
    "uvicorn": ("-m", "uvicorn", "app:app", "--uds", "{socket}"),
}


@pytest.mark.parametrize("server", SERVERS)
def test_sigterm_lets_the_callback_that_runs_end_and_it_is_recorded(server: str, stories: Mapping[str, Future[None]]):
    stories[server].result()


def live(directory: Path, *command: str) -> None:
    hold = directory / "hold"
    hold.touch()
    with serving(directory, *command) as server:
        server.waits(lambda: server.said("held"))
        server.is_asked_to_stop()
        server.waits(lambda: not server.is_ready())
        (running,) = server.rows(status="running")
        time.sleep(0.5)  # not for anything to happen: for what must not happen, the end of the callback
        assert server.said("effect") == []
        hold.unlink()
        server.ends()
        (ended,) = [row for row in server.rows() if row.id == running.id]
        assert ended.status == "succeeded"
        server.check()
