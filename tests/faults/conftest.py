"""Lives are checked and counted; what they came to is one table at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from faults.checker import check
from faults.killing import Life
from faults.tally import Tally

#: What is promised within a second, on a machine of one's own, may take so many here.
PATIENCE = float(os.environ.get("FAULTS_PATIENCE", "8"))

_TALLY = pytest.StashKey[Tally]()


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
        told = "\n".join(map(str, wrong))
        assert not wrong, told

    return settled


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table."""
    tally = config.stash.get(_TALLY, None)
    if tally is not None:
        terminalreporter.section("kills")
        for line in tally.table():
            terminalreporter.write_line(line)
