"""What all tests share."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support import cluster
from support.zones import Zones

# No deadlines and no complaint about slowness: a test machine pauses when it likes, and a test that waits for facts
# does not mind. HYPOTHESIS_PROFILE=thorough before a release, and for the fault tests.
settings.register_profile(
    "quick", deadline=None, max_examples=50, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# pytest prints the stacks of a test that hangs; `kill -USR1` asks for them at any other time.
if hasattr(signal, "SIGUSR1"):
    faulthandler.register(signal.SIGUSR1, all_threads=True)

# A shell that runs the tests beside something else has them deaf to Ctrl-C, and what they start would be deaf too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def zones(tmp_path: Path) -> Iterator[Zones]:
    """Time zones of the test's own, which can change and vanish."""
    with Zones(tmp_path / "zoneinfo") as zones:
        yield zones


@pytest.fixture(scope="session", autouse=True)
def _server_ends() -> Iterator[None]:
    """The PostgreSQL server that a test may have started goes with the last of them."""
    yield
    cluster.end()


@pytest.fixture
def url() -> str:
    """The address of an empty PostgreSQL database."""
    return cluster.database_url()
