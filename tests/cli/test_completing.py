"""What a shell completes: asked for as click's scripts ask for it, by the environment of a process."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from aurora_scheduler import SchedulerManager
from cli.conftest import on


def ask(directory: Path, *words: str, variables: dict[str, str] | None = None, shell: str = "bash") -> list[str]:
    """What is offered for the last word, after the others; nothing is ever said on standard error."""
    asked = {
        "_AURORA_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["aurora", *words]),
        "COMP_CWORD": str(len(words)) if shell != "fish" else words[-1],
    }
    done = subprocess.run(
        [sys.executable, "-m", "aurora_scheduler.cli"],
        cwd=directory,
        env={**os.environ, "AURORA_SCHEDULER_DB": "", **asked, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line]


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_commands_are_completed(tmp_path):
    assert ask(tmp_path, "do") == ["plain,doctor"]
    assert ask(tmp_path, "completion", "z") == ["plain,zsh"]


@pytest.mark.parametrize("command", ["show", "why", "edit", "pause", "resume", "trigger", "delete", "history --job"])
def test_ids_and_names_of_jobs_are_completed(database, command):
    name, *option = command.split()
    assert ask(database.parent, name, "--db", "jobs.db", *option, "fir") == ["plain,first"]


def test_ids_and_names_are_offered_together(database):
    offered = ask(database.parent, "show", "", variables={"AURORA_SCHEDULER_DB": str(database)})
    assert sorted(offered) == ["plain,first", "plain,hello", "plain,rest", "plain,second", "plain,third"]
    assert ask(database.parent, "show", "--db", f"sqlite:///{database}", "re") == ["plain,rest"]
    assert ask(database.parent, "show", "--db", "jobs.db", "nobody") == []


def test_a_shell_that_can_show_it_is_told_the_name_of_an_id(database):
    assert ask(database.parent, "show", "--db", "jobs.db", "fir", shell="fish") == ["plain,first\thello"]
    assert ask(database.parent, "show", "--db", "jobs.db", "fir", shell="zsh") == ["plain", "first", "hello"]


def test_a_word_that_a_shell_would_take_apart_is_not_offered(tmp_path):
    async def make(manager: SchedulerManager) -> None:
        for job_id, name in (("plain", "two words"), ("$(touch oops)", "backtick`"), ("a;b", "shop.jobs:look")):
            await manager.create_job(name=name, schedule="every 1 hour", callback="os.getcwd", job_id=job_id)

    on(tmp_path / "jobs.db", make)
    offered = ask(tmp_path, "show", "--db", "jobs.db", "")
    assert sorted(offered) == ["plain,plain", "plain,shop.jobs:look"]


def test_a_database_that_a_scheduler_works_on_is_read_as_it_is_now(tmp_path):
    async def look(manager: SchedulerManager) -> list[str]:
        await manager.create_job(name="new", schedule="every 1 hour", callback="os.getcwd", job_id="just-made")
        return ask(tmp_path, "show", "--db", "jobs.db", "just")

    assert on(tmp_path / "jobs.db", look) == ["plain,just-made"]


def test_a_database_is_only_read(database):
    before = files_of(database.parent)
    ask(database.parent, "show", "--db", "jobs.db", "fir")
    assert files_of(database.parent) == before


def test_a_database_of_an_earlier_release_is_read_and_not_brought_up_to_date(tmp_path):
    script = (Path(__file__).parents[1] / "stores" / "schema_1.sql").read_text()
    sql = sqlite3.connect(tmp_path / "jobs.db")
    sql.executescript(script)
    sql.close()
    before = files_of(tmp_path)
    assert ask(tmp_path, "show", "--db", "jobs.db", "inter") == ["plain,interval"]
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("what", ["nothing", "a letter", "a directory", "another database", "damage", "no file at all"])
def test_where_there_is_no_database_of_ours_nothing_is_offered_said_or_made(database, tmp_path, what):
    place = tmp_path / "other"
    place.mkdir()
    path = place / "jobs.db"
    if what == "a letter":
        path.write_text("dear all, " * 1000)
    elif what == "a directory":
        path.mkdir()
    elif what == "another database":
        with closing(sqlite3.connect(path)) as sql:
            sql.execute("CREATE TABLE stock (id TEXT)")
    elif what == "damage":
        path.write_bytes(database.read_bytes()[:512] + b"\xff" * 60_000)
    before = files_of(place)
    name = ":memory:" if what == "no file at all" else "jobs.db"
    assert ask(place, "show", "--db", name, "fir") == []
    assert ask(place, "show", "--db", "~nobody-of-that-name/jobs.db", "fir") == []
    assert files_of(place) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(aurora, shell):
    result = aurora("completion", shell)
    assert result.exit_code == 0
    assert f"_AURORA_COMPLETE={shell}_complete" in result.stdout
    assert "aurora" in result.stdout


def test_where_the_script_goes_is_said(aurora):
    said = aurora("completion", "--help").stdout
    for place in ("bash-completion/completions/aurora", "~/.zfunc/_aurora", "fish/completions/aurora.fish"):
        assert place in said
    assert aurora("completion", "tcsh").exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_by_its_script(database):
    """The script, taken by a real bash, which is then asked as it asks itself when Tab is pressed."""
    program = """
        source <(aurora completion bash)
        COMP_WORDS=(aurora show --db jobs.db fir) COMP_CWORD=4
        compopt() { :; }
        $(complete -p aurora | sed 's/.*-F \\([^ ]*\\) .*/\\1/') aurora
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "--norc", "-c", program],
        cwd=database.parent,
        env={**os.environ, "PATH": path, "AURORA_SCHEDULER_DB": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["first"], done.stderr
