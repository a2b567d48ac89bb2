"""The pictures of the terminal show what the commands write today."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pictures import COMMANDS, PICTURES, draw, words_of

PAGES = PICTURES.parent


@pytest.mark.skipif(not PICTURES.exists(), reason="the documentation is not here")
def test_each_picture_says_what_its_command_writes_today(tmp_path: Path):
    """Where this fails, `nox -s pictures` draws them anew."""
    for name, drawn in draw(tmp_path).items():
        assert words_of((PICTURES / f"{name}.svg").read_text(encoding="utf-8")) == words_of(drawn), name


def test_the_words_of_a_picture_are_those_of_the_command(tmp_path: Path):
    words = words_of(draw(tmp_path)["list"])
    assert words[:3] == ["aurora", "list", "$"]
    assert {"report", "sales", "paused", "deactivated"} <= set(words)
    assert words != words_of("<text>aurora</text>")


@pytest.mark.skipif(not PICTURES.exists(), reason="the documentation is not here")
def test_every_picture_is_on_a_page_and_every_one_of_a_page_is_drawn():
    there = {path.stem for path in PICTURES.glob("*.svg")}
    assert there == set(COMMANDS)
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES.rglob("*.md"))
    assert [name for name in there if f"pictures/{name}.svg)" not in pages] == []


@pytest.mark.skipif(not PICTURES.exists(), reason="the documentation is not here")
def test_nothing_in_a_picture_is_fetched_from_elsewhere():
    for path in PICTURES.glob("*.svg"):
        assert "url(http" not in path.read_text(encoding="utf-8").replace('"', "")
