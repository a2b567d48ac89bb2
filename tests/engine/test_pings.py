"""`ping`: after each success, somebody outside hears of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aurora_scheduler.engine.pings import what_is_wrong_with
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from support.lives import MINUTE, START

pytestmark = pytest.mark.trio


class Listener(ThreadingHTTPServer):
    """A server that answers with the statuses of `answers`, in turn, and then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.agents: set[str | None] = set()
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        self.server.agents.add(self.headers["User-Agent"])
        assert self.server.may_answer.wait(30)
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/moved")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    """Whatever proxy the machine's environment names, it is not for this machine's own ports."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, name="a test's own")
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL where nobody listens: the port is taken, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


def warnings(caplog):
    return [record for record in caplog.records if record.name.startswith("aurora_scheduler")]


async def test_each_success_is_told_by_one_request(world, listener, caplog):
    world.create("good", "every 1 hour", lambda call: None, ping=listener.url)
    await world.start()
    await world.run(3600)
    assert listener.asked == [("GET", "/token")]
    await world.run(2 * 3600)
    assert listener.asked == [("GET", "/token")] * 3
    assert listener.agents == {"aurora-scheduler"}
    assert warnings(caplog) == []


async def test_a_failure_is_not(world, listener):
    def fail_at_first(call):
        if call.attempt == 1:
            raise OSError("no such shelf")

    world.create("shaky", "every 1 day", fail_at_first, ping=listener.url, retry_delay="1 minute")
    await world.start()
    await world.run(86_400 + 30)
    assert listener.asked == []
    await world.run(60)
    assert len(listener.asked) == 1


async def test_a_bad_answer_is_tried_again_after_a_pause(world, listener, caplog):
    listener.answers = [500]
    world.create("good", "in 1 minute", lambda call: None, ping=listener.url)
    await world.start()
    await world.run(60)
    assert len(listener.asked) == 1
    await world.run(1)
    assert len(listener.asked) == 2
    assert warnings(caplog) == []
    await world.run(60)
    assert len(listener.asked) == 2


async def test_three_bad_answers_are_told_in_the_log_and_nowhere_else(world, listener, caplog):
    listener.answers = [500, 404, 503]
    job = world.create("good", "in 1 minute", lambda call: None, ping=listener.url)
    await world.start()
    await world.run(120)
    assert len(listener.asked) == 3
    (record,) = warnings(caplog)
    told = "the ping of job 'good' failed: the answer is 503; it was tried 3 times"
    assert (record.getMessage(), record.levelname) == (told, "WARNING")
    (row,) = world.rows(job)
    assert (record.job_id, record.execution_id) == (job, row.id)
    assert row.status is ExecutionStatus.SUCCEEDED


async def test_where_nobody_answers_that_is_a_warning(world, nobody, caplog):
    job = world.create("good", "every 1 minute", lambda call: None, ping=nobody)
    await world.start()
    await world.run(300)
    assert len(world.calls_of(job)) == 5
    first, *_ = warnings(caplog)
    assert "refused" in first.getMessage()
    assert "token" not in first.getMessage()


async def test_a_redirect_is_followed(world, listener, caplog):
    listener.answers = [302]
    world.create("good", "in 1 minute", lambda call: None, ping=listener.url)
    await world.start()
    await world.run(60)
    assert [path for _, path in listener.asked] == ["/token", "/moved"]
    assert warnings(caplog) == []


async def test_a_stop_waits_for_what_is_being_tried(world, listener):
    listener.answers = [500, 500]
    world.create("good", "in 1 minute", lambda call: None, ping=listener.url)
    await world.start()
    await world.run(60)
    await world.stop(drain=30)
    assert len(listener.asked) == 3
    assert world.now == START + MINUTE + 6 * SECOND


async def test_an_edit_begins_and_ends_it(world, listener):
    job = world.create("good", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(3600)
    assert listener.asked == []
    world.edit(job, ping=listener.url)
    await world.run(3600)
    assert len(listener.asked) == 1
    world.edit(job, ping=None)
    await world.run(3600)
    assert len(listener.asked) == 1


async def test_who_does_not_answer_is_not_waited_for_long(listener):
    listener.may_answer.clear()
    assert "timed out" in (what_is_wrong_with(listener.url, within=0.1) or "")
    listener.may_answer.set()
    assert what_is_wrong_with(listener.url) is None


async def test_what_is_no_http_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=answer, name="a test's own")
        thread.start()
        trouble = what_is_wrong_with(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert trouble is not None
    assert "220 mail" in trouble
