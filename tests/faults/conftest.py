"""Lives are checked and counted; what they came to is one table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from faults.checker import check
from faults.killing import Life
from faults.settings import PATIENCE
from faults.tally import Tally

_TALLY = pytest.StashKey[Tally]()
_FIGURES = pytest.StashKey[list[tuple[str, Mapping[str, object]]]]()


@pytest.fixture
def settle(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Check lives, count them, and fail with all that is wrong with them."""
    tally = pytestconfig.stash.setdefault(_TALLY, Tally())

    def settled(*lives: Life) -> None:
        wrong = []
        for life in lives:
            report = check(life.snapshots, life.journal, delivery=life.delivery, patience=PATIENCE)
            tally.add(life, report)
            if report.violations:
                wrong += [*report.violations, f"after {', '.join(life.deaths)}", f"the evidence is in {life.directory}"]
                wrong += report.stories
        told = "\n".join(map(str, wrong))
        assert not wrong, told

    return settled


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str, Mapping[str, object]], None]:
    """Have figures told at the end of the run, under a title."""
    figures = pytestconfig.stash.setdefault(_FIGURES, [])
    return lambda title, told: figures.append((title, told))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The tables."""
    tally = config.stash.get(_TALLY, None)
    if tally is not None:
        terminalreporter.section("kills")
        for line in tally.table():
            terminalreporter.write_line(line)
    for title, told in config.stash.get(_FIGURES, []):
        terminalreporter.section(title)
        for name, figure in told.items():
            terminalreporter.write_line(f"{name:36}{figure!s:>10}")
