"""A way to a PostgreSQL server that can be cut: between the two ends, at one of them, or in the midst of a COMMIT."""

from __future__ import annotations

import queue
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

__all__ = ["Proxy"]

_MUCH = 65_536


class Proxy:
    """Listens on loopback, in a thread, and passes on what it hears."""

    def __init__(self, url: str) -> None:
        self._target = conninfo_to_dict(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        name, user = self._target["dbname"], self._target.get("user") or "postgres"
        password = f":{quote(str(self._target['password']), '')}" if self._target.get("password") else ""
        self.url = f"postgresql://{user}{password}@127.0.0.1:{port}/{name}"
        #: Both ends of each connection: ours to the client, ours to the server.
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._waker, self._woken = socket.socketpair()
        #: What is to be done in the thread, which alone has to do with the sockets.
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        #: Whether nobody is let in.
        self.is_shut = False
        #: Whether nothing is passed on, and nobody told.
        self.is_silent = False
        #: After how many seconds what is heard is passed on.
        self.delay = 0.0
        #: What is to be passed on late: when, and to whom.
        self._late: deque[tuple[float, socket.socket, bytes]] = deque()
        #: Called with what a client says that commits, instead of passing it on.
        self._on_commit: Callable[[bytes, socket.socket, socket.socket], None] | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.cut()
        self._thread.join()
        for each in (self._listener, self._waker, self._woken):
            each.close()

    def cut(self) -> None:
        """Reset all connections, at both ends."""
        self._do(self._cut)

    def cut_clients(self) -> None:
        """Reset the clients' ends; the server does not notice."""
        self._do(self._cut_clients)

    def _cut_clients(self) -> None:
        for client, _ in self._pairs:
            _reset(client)

    def _do(self, call: Callable[[], object]) -> None:
        done = threading.Event()
        self._calls.put(call)
        self._calls.put(done.set)
        self._waker.send(b".")
        assert done.wait(10), "the proxy does not answer"

    def _cut(self) -> None:
        for pair in self._pairs:
            for end in pair:
                _reset(end)
        self._pairs.clear()

    def lose_the_next_commit(self, *, arrives: bool, then: Callable[[], object] = lambda: None) -> None:
        """Cut the connection in the next COMMIT: before it arrives, or when it is carried out, before that is told."""

        def lose(said: bytes, client: socket.socket, server: socket.socket) -> None:
            self._on_commit = None
            if arrives:
                server.sendall(said)
                server.recv(_MUCH)
            then()
            self._pairs.remove((client, server))
            _reset(client)
            _reset(server)

        self._on_commit = lose

    def _run(self) -> None:
        while not self._is_over or not self._calls.empty():
            while not self._calls.empty():
                self._calls.get()()
            ends = {} if self.is_silent else _ways(self._pairs)
            self._pass_on_late()
            ready, _, _ = select.select([self._listener, self._woken, *ends], [], [], 0.01 if self._late else 0.05)
            for each in ready:
                if each is self._listener:
                    self._let_in()
                elif each is self._woken:
                    self._woken.recv(_MUCH)
                elif each.fileno() >= 0:  # not closed by what came before it
                    self._pass_on(each, *ends[each])

    def _let_in(self) -> None:
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as both ends have it
        if self.is_shut:
            _reset(client)
            return
        try:
            server = self._server()
        except OSError:  # there is none just now
            _reset(client)
            return
        self._pairs.append((client, server))

    def _server(self) -> socket.socket:
        host, port = str(self._target.get("host") or "localhost"), str(self._target.get("port") or 5432)
        if not host.startswith("/"):
            server = socket.create_connection((host, int(port)))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return server
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(Path(host, f".s.PGSQL.{port}")))
        except BaseException:
            server.close()
            raise
        return server

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_client: bool) -> None:
        try:
            said = source.recv(_MUCH)
            if is_client and b"COMMIT" in said and self._on_commit is not None:
                self._on_commit(said, source, sink)
            elif said and (self.delay or self._late):
                self._late.append((time.monotonic() + self.delay, sink, said))
            elif said:
                sink.sendall(said)
            else:
                self._end(source, sink)
        except OSError:
            self._end(source, sink)

    def _pass_on_late(self) -> None:
        while self._late and not self.is_silent and self._late[0][0] <= time.monotonic():
            _, sink, said = self._late.popleft()
            with suppress(OSError):  # its reader is told when it is gone
                if sink.fileno() >= 0:
                    sink.sendall(said)

    def _end(self, source: socket.socket, sink: socket.socket) -> None:
        self._pairs = [pair for pair in self._pairs if source not in pair]
        source.close()
        sink.close()


def _ways(pairs: list[tuple[socket.socket, socket.socket]]) -> dict[socket.socket, tuple[socket.socket, bool]]:
    """Where what each end says is to go, and whether a client says it."""
    ways = {client: (server, True) for client, server in pairs if client.fileno() >= 0}
    return ways | {server: (client, False) for client, server in pairs if client.fileno() >= 0}


def _reset(end: socket.socket) -> None:
    if end.fileno() >= 0:
        if end.family != socket.AF_UNIX:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
