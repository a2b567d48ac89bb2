"""The real engine on a virtual clock, in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.virtual import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world in memory; its engine is not started. At the end, the invariants are checked."""
    yield from _lived_in(World())


@pytest.fixture
def world_on_disk(tmp_path) -> Iterator[World]:
    """The same with a database file, which a crash closes and opens again."""
    yield from _lived_in(World(str(tmp_path / "jobs.db")))


def _lived_in(world: World) -> Iterator[World]:
    yield world
    try:
        if not world.writer.is_closed:
            world.check()
    finally:
        world.writer.close()
