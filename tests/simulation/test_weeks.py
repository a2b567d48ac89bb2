"""Weeks in which everything goes wrong, drawn from seeds; `python -m simulation.weeks` lives through many more."""

from __future__ import annotations

import pytest

from simulation.weeks import live

pytestmark = pytest.mark.anyio

SEEDS = 12


@pytest.fixture
def anyio_backend():
    return "trio"


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_in_a_week_of_crashes_faults_and_set_clocks_every_promise_is_kept(seed):
    """I1 to I8; and the same seed gives the same history."""
    week = await live(seed)
    assert week.violations == []
    assert week.rows.total() > 0
    if seed % 6 == 0:
        assert (await live(seed)).fingerprint == week.fingerprint
