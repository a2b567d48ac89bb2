"""What the documents say, happens: their Python blocks run, and so do the examples in the docstrings."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import aurora_scheduler
from docs.run_document import blocks_of
from support import cluster

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [page for page in [README, *sorted((ROOT / "docs").rglob("*.md"))] if page.exists()]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(aurora_scheduler.__path__, "aurora_scheduler.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_runs(page: Path, tmp_path: Path):
    """Every Python block of the page, in a process and an empty directory of its own; see run_document.py."""
    if not blocks_of(page):
        return
    env = {**os.environ, "AURORA_SCHEDULER_DB": str(tmp_path / "aurora_scheduler.db")}
    if "DATABASE_URL" in page.read_text(encoding="utf-8"):
        env["DATABASE_URL"] = cluster.database_url()
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run_document.py"), page],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{page.relative_to(ROOT)} does not do what it says\n{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(not README.exists(), reason="there is no README.md yet")
def test_the_readme_has_something_to_run():
    """A runner that finds nothing would be green for ever."""
    assert blocks_of(README)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name: str):
    failed, _ = doctest.testmod(importlib.import_module(name), report=True)
    assert failed == 0
