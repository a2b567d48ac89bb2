"""Four workers on one database: one fires, whichever it is, and when it is gone another does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from servers.serving import SECOND, Server, now, serving

WORKERS = 4
FIRINGS = 2

SERVERS = {
    "gunicorn": ("-m", "gunicorn", "shop:app", "--config", "gunicorn_conf.py", "--bind", "unix:{socket}"),
    "gunicorn with uvicorn's workers": (
        *("-m", "gunicorn", "app:app", "--workers", str(WORKERS), "--preload", "--bind", "unix:{socket}"),
        *("--worker-class", "uvicorn_worker.UvicornWorker", "--graceful-timeout", "45"),
    ),
    "uvicorn": ("-m", "uvicorn", "app:app", "--workers", str(WORKERS), "--uds", "{socket}"),
}


def workers_of(server: Server) -> set[int]:
    return {line.pid for line in server.said("there")} - {server.pid}


def has_run_by_hand(server: Server) -> bool:
    """A worker asks, whichever it is, and the owner runs it: or not, where the one of the second runs just then."""
    return server.asks("/refresh", "POST") in ("succeeded", "skipped")


@pytest.mark.parametrize("server", SERVERS)
def test_four_workers_fire_each_job_once_and_another_takes_over_from_a_killed_owner(
    server: str, stories: Mapping[str, Future[float]], tell: Callable[[str], None]
):
    tell(f"the next owner's first claim came {stories[server].result():.2f} s after the kill")


def live(directory: Path, *command: str) -> float:
    with serving(directory, *command) as server:
        server.waits(lambda: len(workers_of(server)) == WORKERS)
        assert all(has_run_by_hand(server) for _ in range(WORKERS))
        rows = server.has_fired(FIRINGS)
        assert len({row.owner for row in rows}) == 1, "one of them fires"
        assert {line.pid for line in server.said("effect")} == {server.owner()}
        assert server.owner() in workers_of(server), "a worker, not the one that began them"

        killed = server.owner()
        at = now()
        os.kill(killed, signal.SIGKILL)
        assert has_run_by_hand(server)
        (later, *_) = server.has_fired(1, but=rows)
        claims = [row.started or at for row in (*server.rows(), *server.by_hand()) if row.owner == later.owner]
        assert {row.owner for row in server.rows() if row.owner} == {rows[0].owner, later.owner}
        assert server.owner() != killed
        server.waits(lambda: len(workers_of(server)) == WORKERS + 1)  # the server has begun another in its place

        server.is_asked_to_stop()
        server.ends()
        server.check()
    return (min(claims) - at) / SECOND
