"""Run the Python blocks of one Markdown page, in order: `python run_document.py PAGE`, in an empty directory.

All blocks of a page share one namespace and one asyncio loop, so that a page may `await` wherever it wants to. Besides:

- a block whose first line is a file name (`# my_callbacks.py`) is written to that file, and imported at once;
- a block with `if __name__ == "__main__":` is written to its file, or to `script.py`, and run as a program of its own;
- a block of TOML or of text whose first line is a file name is written to that file;
- of a `console` block the lines `$ aurora …` are run, each by a shell; what would go on for ever is ended by Ctrl-C.

The page gets a process to itself, since a scheduler is a thing of the whole process. A traceback names the page and
its line.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from markdown_it import MarkdownIt

SCRIPT_TIMEOUT = 60
#: How long, in seconds, a command goes on that would do so for ever.
ENDLESS = 8


class Block(NamedTuple):
    """One fenced block of Python: the line of the page it begins on, and its text."""

    line: int
    source: str
    kind: str = "python"

    @property
    def file(self) -> str | None:
        """The file it asks to be written to, if any."""
        named = re.match(r"#\s*([\w/]+\.\w+)\s*$", self.source, re.MULTILINE)
        return named[1] if named else "script.py" if self.is_script else None

    @property
    def commands(self) -> list[str]:
        """The commands of a console that are ours."""
        return re.findall(r"^\$ (aurora .*)$", self.source, re.MULTILINE)

    @property
    def is_script(self) -> bool:
        """Whether it is a program rather than a module or a fragment."""
        return '__name__ == "__main__"' in self.source


def blocks_of(page: Path) -> list[Block]:
    """The Python blocks of a page. One that is spelled in another way would never be run, and is refused."""
    found = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.map is not None and re.search(r"\bpy(thon3?|con)?\b", token.info):
            if token.info.strip() != "python":
                raise ValueError(f"{page}:{token.map[0] + 1}: spell it ```python, or it is not run: ```{token.info}")
            found.append(Block(token.map[0] + 2, token.content))
        elif token.type == "fence" and token.map is not None and token.info.strip() in ("console", "toml", "text"):
            block = Block(token.map[0] + 2, token.content, token.info.strip())
            if block.commands or (block.kind != "console" and block.file):
                found.append(block)
    return found


def run(page: Path) -> None:
    """Run what the page says."""
    module = ModuleType(re.sub(r"\W", "_", f"page_{page.stem}"))
    sys.modules[module.__name__] = module  # its functions are found again under their names, as callbacks must be
    with asyncio.Runner() as runner:
        for block in blocks_of(page):
            if block.kind == "console":
                for command in block.commands:
                    type_in(command)
                continue
            if block.file is None:
                # As many empty lines as the page has before it, so that tracebacks count right.
                text = "\n" * (block.line - 1) + block.source
                code = compile(text, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                answer = eval(code, module.__dict__)
                if inspect.iscoroutine(answer):
                    runner.run(answer)
                continue
            file = Path(block.file)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.source, encoding="utf-8")
            if block.kind != "python":
                continue
            if block.is_script:
                subprocess.run([sys.executable, file], check=True, timeout=SCRIPT_TIMEOUT)
            else:
                name = ".".join(file.with_suffix("").parts)
                sys.modules.pop(name, None)  # a page may write a file anew
                importlib.invalidate_caches()
                importlib.import_module(name)


def type_in(command: str) -> None:
    """Have a shell run a command of ours, from the environment that this runs in."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(["sh", "-c", f"exec {command}"], env={**os.environ, "PATH": path})
    is_endless = command.startswith("aurora run") or "--follow" in command
    try:
        code = process.wait(ENDLESS if is_endless else SCRIPT_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT if is_endless else signal.SIGKILL)
        code = process.wait(SCRIPT_TIMEOUT)
    if code not in ((0, 1) if "--follow" in command else (0,)):  # click's own answer to Ctrl-C is 1
        raise SystemExit(f"`{command}` ended with {code}")


if __name__ == "__main__":
    sys.path[0] = ""  # the empty directory, as in an interactive session; not the one this program lies in
    run(Path(sys.argv[1]))
