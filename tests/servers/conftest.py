"""What was measured is told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_FIGURES = pytest.StashKey[list[str]]()


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
