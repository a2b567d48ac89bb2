"""Draw the pictures of the terminal that the documentation shows: `python -m docs.pictures`, from `tests`.

Each is what a real command writes into a terminal, on a database that a simulated scheduler has filled, in a year to
come: so it shows the same whenever it is drawn, but for what `aurora doctor` tells of the present.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from html import unescape
from pathlib import Path

from rich.console import Console
from rich.text import Text

from aurora_scheduler.testing import simulated
from cli.terminal import Terminal

__all__ = ["COMMANDS", "PICTURES", "draw", "words_of"]

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"

#: The name of a picture, and the command that it shows.
COMMANDS: Mapping[str, str] = {
    "list": "aurora list",
    "show": "aurora show report",
    "history": "aurora history --limit 9",
    "why": 'aurora why backup --at "2030-05-28 08:00"',
    "doctor": "aurora doctor",
}
_WIDTH = 150

_SHOP = """
import trio


def report(days):
    return f"sales of {days} days"


def fetch(attempt):
    if attempt == 1:
        raise ConnectionError("no route to bank.example.org")
    return "12 payments"


def invoice():
    raise RuntimeError("out of paper")


async def backup():
    await trio.sleep(40 * 60)
    return "3.4 MB"


def tidy():
    pass
"""


def draw(directory: Path) -> dict[str, str]:
    """The pictures as SVG, by name, made in an empty directory."""
    (directory / "shop.py").write_text(_SHOP)
    _fill(directory)
    return {name: _picture(command, _written(command, directory)) for name, command in COMMANDS.items()}


def words_of(picture: str) -> list[str]:
    """What is written in a picture; a number is a number, and a line as long as it may be."""
    texts = [unescape(text).replace("\xa0", " ") for text in re.findall(r"<text[^>]*>(.*?)</text>", picture)]
    return re.sub(r"[─━]+", "─", re.sub(r"\d+", "0", " ".join(texts))).split()


def _fill(directory: Path) -> None:
    """A night and a morning of a small shop."""
    sys.path.insert(0, str(directory))
    sys.modules.pop("shop", None)  # another one, of somebody else's
    try:
        with simulated("2030-05-27 22:00", "Europe/Berlin", database=directory / "aurora_scheduler.db") as sim:
            for name, schedule, options in (
                ("report", "every weekday at 7:30", {"callback_args": {"days": 7}, "timeout": "10 minutes"}),
                ("fetch", "every 2 hours", {"retry_delay": "1 minute"}),
                ("backup", "*/30 * * * *", {"tags": ["daily"]}),
                ("invoice", "0 6 * * *", {"max_retries": 1}),
                ("tidy", "every sunday at 3:00", {}),
            ):
                sim.cron.schedule_from_text(
                    name=name, schedule_text=schedule, callback=f"shop.{name}", job_id=name, **options
                )
            sim.cron.pause_job("tidy")
            sim.advance("10 hours 25 minutes")
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("shop", None)


def _written(command: str, directory: Path) -> str:
    words = [sys.executable, "-m", "aurora_scheduler.cli", *shlex.split(command)[1:]]
    with Terminal(words, directory, {"AURORA_SCHEDULER_DB": "", "COLORTERM": "truecolor"}, columns=_WIDTH) as terminal:
        code = terminal.end()
        if code != 0:
            raise SystemExit(f"`{command}` ended with {code}:\n{terminal.written}")
        return terminal.written.replace("\r\n", "\n")


def _picture(command: str, written: str) -> str:
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {command}", style="bold"), soft_wrap=True)
    console.print(Text.from_ansi(written), soft_wrap=True)
    picture = console.export_svg(title=command)
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # nothing is fetched from elsewhere


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for picture_name, picture in draw(Path(temporary)).items():
            (PICTURES / f"{picture_name}.svg").write_text(picture, encoding="utf-8")
            print(PICTURES / f"{picture_name}.svg")
