"""`aurora apply` and `aurora export`: jobs that a file says."""

from __future__ import annotations

import json
import tomllib

import pytest

from aurora_scheduler import SchedulerManager
from cli.conftest import on

FILE = """
[jobs.report]
name = "the report"
schedule = "0 2 * * *"
timezone = "Europe/Berlin"
callback = "cli.samples.greet"
callback_args = { name = "Ada" }
tags = ["nightly"]
max_retries = 5
timeout = "2 minutes"

[jobs.look]
schedule = "every 5 minutes"
callback = "os.getcwd"
"""


ONE = "[jobs.a]\nschedule='every 1 hour'\ncallback='os.getcwd'\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "jobs.toml"
    path.write_text(FILE)
    return path


def apply(aurora, *words):
    result = aurora("apply", "jobs.toml", "--db", "jobs.db", "--json", *words)
    assert result.exit_code == 0, result.output
    return {each["id"]: (each["what"], each["changes"]) for each in json.loads(result.stdout)}


def jobs(path):
    return {job.id: job for job in on(path, lambda manager: manager.get_all_jobs())}


def test_jobs_are_made_as_the_file_says(aurora, file, tmp_path):
    told = apply(aurora)
    assert [what for what, _ in told.values()] == ["add", "add"]
    report, look = jobs(tmp_path / "jobs.db").values()
    assert (report.name, report.timezone, report.callback_args) == ("the report", "Europe/Berlin", {"name": "Ada"})
    assert (report.tags, report.max_retries, report.timeout.total_seconds()) == (("nightly",), 5, 120)
    assert look.name == "look"


def test_to_apply_it_again_changes_nothing(aurora, file, tmp_path):
    apply(aurora)
    before = jobs(tmp_path / "jobs.db")
    assert {what for what, _ in apply(aurora).values()} == {"keep"}
    assert jobs(tmp_path / "jobs.db") == before


def test_what_is_said_otherwise_is_changed_and_shown(aurora, file, tmp_path):
    apply(aurora)
    file.write_text(FILE.replace("max_retries = 5", "max_retries = 1"))
    assert apply(aurora)["report"] == ("change", {"max_retries": {"before": 5, "after": 1}})
    assert jobs(tmp_path / "jobs.db")["report"].max_retries == 1
    file.write_text(FILE)
    shown = aurora("apply", "jobs.toml", "--db", "jobs.db")
    assert shown.stdout == "~ report\n    max_retries: 1 -> 5\n"
    assert "2 jobs: 0 to add, 1 to change, 0 to delete, 1 to keep" in shown.stderr


def test_a_dry_run_only_shows(aurora, file, tmp_path):
    assert [what for what, _ in apply(aurora, "--dry-run").values()] == ["add", "add"]
    assert not (tmp_path / "jobs.db").exists()
    apply(aurora)
    file.write_text("")
    assert [what for what, _ in apply(aurora, "--dry-run", "--prune").values()] == ["delete", "delete"]
    assert len(jobs(tmp_path / "jobs.db")) == 2


def test_what_the_file_does_not_say_stays_unless_it_is_to_be_pruned(aurora, file, tmp_path):
    apply(aurora)
    file.write_text(FILE.partition("[jobs.look]")[0])
    assert list(apply(aurora)) == ["report"]
    assert len(jobs(tmp_path / "jobs.db")) == 2
    assert aurora("apply", "jobs.toml", "--db", "jobs.db", "--prune").exit_code == 1, "nobody said yes"
    assert apply(aurora, "--prune", "--yes")["look"][0] == "delete"
    assert list(jobs(tmp_path / "jobs.db")) == ["report"]


def test_a_paused_job_stays_so(aurora, file, tmp_path):
    apply(aurora)
    on(tmp_path / "jobs.db", lambda manager: manager.deactivate_job("look"))
    file.write_text(FILE.replace("every 5 minutes", "every 6 minutes"))
    apply(aurora)
    assert jobs(tmp_path / "jobs.db")["look"].status == "paused"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[jobs.a", "it is no TOML"),
        ("[job.a]\nschedule='x'", "'job'"),
        ("jobs = 3", "jobs is 3; accepted: tables [jobs.ID], each with schedule and callback"),
        ("[[jobs]]\nschedule='x'", "jobs is [{'schedule': 'x'}]; accepted: tables [jobs.ID]"),
        ("[jobs]\na = 3", "jobs.a is 3; accepted: tables [jobs.ID]"),
        ("[jobs.a]\nschedule='every 1 hour'", "[jobs.a] lacks callback\n"),
        ("[jobs.a]\ncallback='os.getcwd'", "[jobs.a] lacks schedule\n"),
        ("[jobs.a]\nname='a'", "[jobs.a] lacks schedule and callback\n"),
        ("[jobs.a]\nschedule='every blue moon'\ncallback='os.getcwd'", "[jobs.a]: cannot use the schedule 'every blue"),
        ("[jobs.a]\nschedule='2020-01-01'\ncallback='os.getcwd'", "[jobs.a]: cannot use the schedule '2020-01-01"),
        ("[jobs.'a b']\nschedule='every 1 hour'\ncallback='no.such'", '[jobs."a b"]: cannot use the callback'),
        (f"{ONE}colour='red'", "[jobs.a]: colour='red': there is no such option"),
        (f"{ONE}max_retries='x'", "[jobs.a]: max_retries='x': must be a whole number"),
        (f"{ONE}callback_args_json='{{'", "[jobs.a]: callback_args_json='{' is no JSON"),
        (f"{ONE}job_id='b'", "its id is in the brackets"),
        (f"{ONE}aliases=['b']", "[jobs.a] says aliases"),
    ],
)
def test_where_one_is_refused_nothing_is_done(aurora, file, tmp_path, text, said):
    file.write_text(f"{FILE}\n{text}\n" if text.startswith("[jobs.") else text)
    result = aurora("apply", "jobs.toml", "--db", "jobs.db")
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (tmp_path / "jobs.db").exists()


def test_an_unknown_option_is_told_with_those_that_a_file_takes(aurora, file):
    file.write_text(f"{ONE}colour='red'")
    said = aurora("apply", "jobs.toml", "--db", "jobs.db").stderr
    assert "callback_args" in said
    assert "max_retries" in said
    assert "job_id" not in said
    assert "if_exists" not in said


def test_an_export_of_no_jobs_is_a_file_that_says_so(aurora, tmp_path):
    on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    text = aurora("export", "--db", "jobs.db").stdout
    assert text.startswith("# There is no job.")
    assert tomllib.loads(text) == {}
    (tmp_path / "jobs.toml").write_text(text)
    assert apply(aurora) == {}


def test_what_is_exported_says_all_of_it_and_is_applied_without_a_change(aurora, tmp_path):
    async def create(manager: SchedulerManager) -> None:
        await manager.create_job(
            name="all", job_id="all", schedule="every 90 minutes", callback="cli.samples.greet",
            callback_args={"name": "Ada"}, timezone="Europe/Berlin", tags=["a", "b"], max_retries=7,
            retry_delay="90 seconds",
            retry_backoff=2.5, max_retry_delay="1 hour", retry_jitter=0.25, on_exhausted="continue", misfire="skip",
            misfire_grace="2 days", overlap="allow", max_instances=3, timeout=5, jitter="5 seconds",
            start_at="2030-05-28 15:00", end_at="2031-05-28 15:00", max_runs=99, exclude_dates=["2030-12-25"],
            only_between=("09:00", "17:30"), on_failure="support.hooks.failed",
            on_deactivate="support.hooks.put_to_rest_async", ping="https://example.org/token?rid=1",
        )  # fmt: skip
        await manager.create_job(name="plain", job_id="plain", schedule="0 9 * * 1-5", callback="os.getcwd")
        await manager.create_job(
            name="null", job_id="odd id", schedule="every day at 7:30", callback="aurora_scheduler.programs.run",
            callback_args={"command": ["true"], "directory": None},
        )  # fmt: skip
        await manager.create_job(
            name="once", job_id="once", schedule="2030-05-28 15:00", callback="os.getcwd", delivery="at_most_once"
        )

    on(tmp_path / "jobs.db", create)
    before = jobs(tmp_path / "jobs.db")
    text = aurora("export", "--db", "jobs.db").stdout
    assert set(tomllib.loads(text)["jobs"]) == {"all", "plain", "odd id", "once"}
    (tmp_path / "jobs.toml").write_text(text)
    assert {what for what, _ in apply(aurora, "--prune").values()} == {"keep"}
    assert jobs(tmp_path / "jobs.db") == before
    new = aurora("apply", "jobs.toml", "--db", "other.db", "--json")
    assert new.exit_code == 0
    assert aurora("export", "--db", "other.db").stdout == text


def test_a_finished_job_is_not_exported(aurora, database):
    async def finish(manager):
        await manager.update_job("first", max_runs=1)
        job = await manager.get_job("first")
        assert job is not None

    on(database, finish)
    assert "[jobs.third]" in aurora("export", "--db", database).stdout
