"""The project's errands: `nox` runs lint, types, tests and docs; `nox -l` lists all of them.

Needs nox and a Python from 3.11 on, nothing else: every session installs what it uses into an environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.11.12"
nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # tests run on what is there; .ci/run sees to it that something ran
nox.options.download_python = "never"

HERE = Path(__file__).parent
PROJECT = nox.project.load_toml(HERE / "pyproject.toml")


def group(name: str) -> list[str]:
    """What one of the dependency groups of pyproject.toml asks for."""
    return list(nox.project.dependency_groups(PROJECT, name))


def find_python(version: str) -> bool:
    """Whether a Python of this version runs here; if so, nox finds it too.

    nox looks on PATH, and takes the first name that fits. With pyenv that may be a shim that only says "command not
    found", while the interpreter lies in a directory beside it: that directory is then put in front.
    """
    name = f"python{version}"
    roots = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}*/bin")
    for directory in (*os.get_exec_path(), str(Path(sys.base_prefix, "bin")), *map(str, sorted(roots))):
        program = shutil.which(name, path=directory)
        if program and subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
            if shutil.which(name) != program:
                os.environ["PATH"] = os.pathsep.join([directory, os.environ["PATH"]])
            return True
    return False


PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
#: Coverage is counted on one interpreter, the newest; it would say the same on the others, at twice the time. What is
#: marked as lengthy runs on it only, too.
MEASURED = [version for version in PYTHONS if find_python(version)][-1:]
#: Benchmarks that run only by name.
ASKED_FOR = ["soak"]
#: The suite waits more than it computes: more processes share it than there are processors.
SIDE_BY_SIDE = [f"--numprocesses={min((os.cpu_count() or 1) + 1, 4)}", "--dist=worksteal"]


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format, by ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", "--check", "--diff", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Two opinions on the types: mypy on source and tests, pyright on the source."""
    session.install(*PROJECT["project"]["dependencies"], *group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite, run on the built wheel. `nox -s tests-3.13 -- -k cron -x` passes the rest on to pytest."""
    session.install(".", *group("tests"))
    if session.posargs or session.python not in MEASURED:
        session.run("pytest", *(session.posargs or [*SIDE_BY_SIDE, "-m", "not lengthy"]))
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *SIDE_BY_SIDE)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def faults(session: nox.Session) -> None:
    """All that can go wrong, at length: kills, takeovers, damaged files, clocks, thousands of lives. About an hour."""
    session.install(".", *group("tests"))
    what = session.posargs or ["tests/faults", "tests/servers", "tests/engine/test_clock_steps.py"]
    session.run("pytest", *what, env={"HYPOTHESIS_PROFILE": "thorough"})
    if not session.posargs:
        with session.chdir("tests"):
            session.run("python", "-m", "support.reference_runs", "--runs", "2000", "--steps", "50")
            session.run("python", "-m", "simulation.weeks", "--seeds", "2000")


@nox.session
def oracle(session: nox.Session) -> None:
    """Random cron expressions in every time zone, against a daemon that looks at the clock each minute."""
    session.install(".", *group("tests"))
    with session.chdir("tests"):
        session.run("python", "-m", "support.differential", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; a warning is an error."""
    session.install(".", *group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the documentation's pictures of the terminal anew, from what the commands write."""
    session.install(".", *group("tests"))
    with session.chdir("tests"):
        session.run("python", "-m", "docs.pictures")


@nox.session
def demo(session: nox.Session) -> None:
    """Watch it work: `nox -s demo -- --help`."""
    session.install(".[demo]")
    session.run("aurora", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, but for the hour of `soak`; or those named: `nox -s bench -- first_reading`."""
    session.install(".", *group("tests"), *group("bench"))
    with session.chdir("tests"):
        for name in sorted(script.stem for script in Path("benchmarks").glob("*.py")):
            if name in session.posargs or not (session.posargs or name in ASKED_FOR):
                session.run("python", "-m", f"benchmarks.{name}")
