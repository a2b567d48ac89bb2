"""A store of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aurora_scheduler.ports import Store
from stores.making import STORES


@pytest.fixture(params=STORES)
def store(request, tmp_path) -> Iterator[Store]:
    """An open, empty store; the test runs once for each kind there is."""
    made = STORES[request.param](tmp_path)
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module", params=STORES)
def used_store(request, tmp_path_factory) -> Iterator[Store]:
    """One store for all examples of a property, each of which must undo what it wrote."""
    made = STORES[request.param](tmp_path_factory.mktemp("used"))
    made.open()
    yield made
    made.close()
