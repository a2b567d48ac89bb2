"""The pytest plugin: a scheduler in virtual time, as the fixture `aurora`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_scheduler.testing.simulation import Simulation, simulated

__all__ = ["aurora"]


@pytest.fixture
def aurora(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """A scheduler in virtual time, started and empty; see `aurora_scheduler.testing.simulated`.

    Its arguments may be said by a mark: `@pytest.mark.aurora(start="2030-03-30", timezone="Europe/Berlin")`; what a
    mark of the test does not say, one of its class or module may.
    """
    marks = list(request.node.iter_markers("aurora"))  # the closest first
    positional = next((mark.args for mark in marks if mark.args), ())
    named = {name: value for mark in reversed(marks) for name, value in mark.kwargs.items()}
    with simulated(*positional, **named) as sim:
        yield sim


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "aurora(start, timezone, **options): what the `aurora` fixture is made with")
