"""The pytest plugin: a scheduler in virtual time, as the fixture `aurora`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_scheduler.testing.simulation import Simulation, simulated

__all__ = ["aurora"]


@pytest.fixture
def aurora(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """A scheduler in virtual time, started and empty; see `aurora_scheduler.testing.simulated`.

    Its arguments may be said by a mark: `@pytest.mark.aurora(start="2030-03-30", timezone="Europe/Berlin")`.
    """
    mark = request.node.get_closest_marker("aurora")
    arguments = {} if mark is None else mark.kwargs
    with simulated(*(() if mark is None else mark.args), **arguments) as sim:
        yield sim


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "aurora(start, timezone, **options): what the `aurora` fixture is made with")
