"""A callback that runs a program: `aurora_scheduler.programs.run`, for jobs that are a command.

`aurora add "every 5 minutes" --name disk -- df -h /` makes such a job; a program does it by
`callback="aurora_scheduler.programs.run", callback_args={"command": ["df", "-h", "/"]}`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

__all__ = ["run"]

#: How much of a program's output is kept, its end, in bytes of JSON: a result has to fit into 64 KiB.
_KEPT = 60_000
#: How long, in seconds, a program has to end when it is asked to, before it is killed.
_GRACE = 5.0
#: How long, in seconds, output is waited for that others write when the program itself has ended.
_AFTERWARDS = 1.0


async def run(
    command: Sequence[str] | str,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    stdin: str = "",
) -> dict[str, Any]:
    r"""Run a program, and wait for its end. It succeeded if its exit status is 0.

    Args:
        command: the program and its arguments, without a shell; or a text, for `/bin/sh -c`.
        environment: variables to set beside those of the scheduler's own process.
        directory: where it runs; the scheduler's own working directory.
        stdin: what it has to read.

    Returns:
        `exit_status` (-9: ended by signal 9), and `output`: the end of what it wrote to standard output and error, up
        to some 60,000 bytes. Where it failed, `error` is the status and the last line of that.

    It has a process group of its own. Where it is cancelled, as by the job's `timeout`, the whole
    group is asked to end, and five seconds later killed.

    >>> import anyio
    >>> anyio.run(run, ["echo", "hello"])
    {'success': True, 'exit_status': 0, 'output': 'hello\n'}
    """
    process: Process | None = None
    with anyio.CancelScope(shield=True):  # cancelled amid this, the loop would end the program alone, not its group
        process = await anyio.open_process(
            command if isinstance(command, str) else list(command),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment} if environment else None,
            cwd=directory,
            start_new_session=True,
        )
    assert process is not None
    output = _Tail()
    try:
        async with anyio.create_task_group() as reading:
            assert process.stdout is not None
            reading.start_soon(output.read, process.stdout)
            if process.stdin is not None:
                reading.start_soon(_write, process.stdin, stdin.encode())
            await process.wait()
            with anyio.move_on_after(_AFTERWARDS):
                await output.is_whole.wait()
            reading.cancel_scope.cancel()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _end(process)
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()
    assert process.returncode is not None
    return _result(process.returncode, output.text())


async def _write(stream: ByteSendStream, data: bytes) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it need not read it
        async with stream:
            await stream.send(data)


async def _end(process: Process) -> None:
    """Have the whole group end."""
    _tell(process, signal.SIGTERM)
    with anyio.move_on_after(_GRACE):
        await process.wait()
    _tell(process, signal.SIGKILL)
    await process.wait()


def _tell(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody of it is left
        os.killpg(process.pid, number)


class _Tail:
    """The last of what was read."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size = 0
        #: Set when nobody writes any more.
        self.is_whole = anyio.Event()

    async def read(self, stream: ByteReceiveStream) -> None:
        """Read until the end."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                part = await stream.receive()
                self._parts.append(part)
                self._size += len(part)
                while self._size - len(self._parts[0]) >= _KEPT:
                    self._size -= len(self._parts.popleft())
        self.is_whole.set()

    def text(self) -> str:
        """As text; what is none is replaced."""
        text = b"".join(self._parts)[-_KEPT:].decode(errors="replace")
        while (over := len(json.dumps(text)) - _KEPT) > 0:
            text = text[max(1, over // 12) :]  # no character takes more than twelve bytes
        return text


def _result(status: int, output: str) -> dict[str, Any]:
    result = {"success": status == 0, "exit_status": status, "output": output}
    if status != 0:
        lines = output.strip().splitlines()
        said = f": {lines[-1][:500]}" if lines else ""
        result["error"] = f"{_told(status)}{said}"
    return result


def _told(status: int) -> str:
    if status > 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
