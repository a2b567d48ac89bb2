"""The cells of "Use it with your framework", run by a real Jupyter kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from docs.run_document import blocks_of
from servers.serving import FRAMEWORKS, Record, environment, write_files

_PATIENCE = 60
START, PLACE, PROGRESS, STOP = [
    block.source for block in blocks_of(FRAMEWORKS) if block.kind == "python" and block.file is None
]


class Notebook(Record):
    """A kernel that runs in `directory`."""

    def __init__(self, directory: Path, manager: KernelManager, client: BlockingKernelClient) -> None:
        super().__init__(directory, "app_jobs:refresh_prices")
        self._manager = manager
        self._client = client

    def runs(self, cell: str) -> str:
        """Run a cell; what it answers."""
        told: list[dict[str, Any]] = []
        reply = self._client.execute_interactive(cell, timeout=_PATIENCE, output_hook=told.append)
        assert reply["content"]["status"] == "ok", told
        return "".join(
            message["content"]["data"]["text/plain"] for message in told if message["msg_type"] == "execute_result"
        )

    def is_shut_down(self) -> None:
        """As the menu does it: the kernel is asked to go."""
        self._manager.shutdown_kernel()


@contextmanager
def notebook(directory: Path) -> Iterator[Notebook]:
    """A kernel with the files of the page beside it; it is spoken to by Unix sockets."""
    write_files(directory)
    with tempfile.TemporaryDirectory(prefix="aurora-") as short:
        place = Path(short)
        manager = KernelManager(
            transport="ipc",
            ip=str(place / "socket"),
            connection_file=str(place / "file"),
            shutdown_wait_time=_PATIENCE,  # on a slow machine, too, it goes by itself
        )
        manager.start_kernel(cwd=str(directory), env=environment(directory))
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=_PATIENCE)
            yield Notebook(directory, manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()


def test_jobs_fire_between_the_cells_of_a_notebook_and_a_cell_stops_them(tmp_path: Path):
    with notebook(tmp_path) as jupyter:
        jupyter.runs(START)
        jupyter.has_fired(1)  # no cell runs meanwhile
        assert "confirm-7" in jupyter.runs(PLACE)
        jupyter.waits(lambda: "succeeded" in jupyter.runs(PROGRESS))
        assert [line["loop"] for line in jupyter.said("confirm")] == ["asyncio"]
        jupyter.runs(STOP)
        jupyter.check_end(orders=[7])


def test_a_kernel_that_is_shut_down_stops_the_scheduler(tmp_path: Path):
    with notebook(tmp_path) as jupyter:
        jupyter.runs(START)
        jupyter.has_fired(1)
        jupyter.is_shut_down()
        assert not Path(f"{jupyter.database}-wal").exists(), "it was closed, not only left"
        jupyter.check_end(orders=[])
