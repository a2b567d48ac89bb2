"""Servers side by side; what was measured is told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future]]:
    """The module's `live`, once for each of its `SERVERS`, all at the same time: they mostly wait."""
    servers = request.module.SERVERS
    with ThreadPoolExecutor(len(servers)) as pool:
        yield {
            name: pool.submit(request.module.live, tmp_path_factory.mktemp("server"), *command)
            for name, command in servers.items()
        }


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Add a line to the summary."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda figure: figures.append(f"{request.node.name}: {figure}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The lines."""
    figures = config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("web servers")
        for figure in figures:
            terminalreporter.write_line(figure)
