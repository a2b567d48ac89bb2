"""Crontabs: how they are read, and `aurora import-crontab`."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler import SchedulerManager
from aurora_scheduler.cli.crontab import CronLine, NotImported, read_crontab
from cli.conftest import on

#: What ships crontabs: Debian's own names.
PACKAGES = (
    "e2fsprogs",
    "sysstat",
    "php-common",
    "certbot",
    "munin-node",
    "anacron",
    "mdadm",
    "popularity-contest",
    "cron",
)


def read(text, *, has_user=False):
    return list(read_crontab(text, has_user=has_user))


def only(text, *, has_user=False):
    (line,) = read(text, has_user=has_user)
    return line


def test_a_line_is_five_fields_and_a_command():
    line = only("*/5  9-17\t* * 1-5   /usr/bin/look --all  ")
    assert (line.schedule, line.command, line.user, line.number) == ("*/5 9-17 * * 1-5", "/usr/bin/look --all", None, 1)


def test_in_the_system_form_a_user_comes_before_the_command():
    line = only("17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly", has_user=True)
    assert (line.user, line.command) == ("root", "cd / && run-parts --report /etc/cron.hourly")


def test_comments_and_empty_lines_are_nothing():
    assert read("# m h dom mon dow command\n\n   # indented\n") == []


def test_variables_are_of_the_lines_after_them():
    first, second = read("A=1\n* * * * * one\n B = 'two words' \nC=\"x # y\"\nD=\n0 0 * * * two\n")
    assert first.variables == {"A": "1"}
    assert second.variables == {"A": "1", "B": "two words", "C": "x # y", "D": ""}


def test_the_shell_and_the_zone_are_read_from_variables():
    line = only("SHELL=/bin/bash\nCRON_TZ=Europe/Berlin\n0 9 * * * work")
    assert (line.shell, line.timezone) == ("/bin/bash", "Europe/Berlin")
    assert (only("0 9 * * * work").shell, only("0 9 * * * work").timezone) == ("/bin/sh", None)


@pytest.mark.parametrize(
    ("nickname", "schedule"),
    [("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
     ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"), ("@Daily", "0 0 * * *")],
)  # fmt: skip
def test_nicknames_are_times(nickname, schedule):
    assert only(f"{nickname}\twork").schedule == schedule
    assert only(f"{nickname} root work", has_user=True).user == "root"


def test_at_a_reboot_is_no_time_and_the_reason_says_so():
    line = only("@reboot /usr/bin/begin")
    assert isinstance(line, NotImported)
    assert line.reason.startswith("@reboot is no time")


@pytest.mark.parametrize("text", ["0 9 * *", "0 9 * * *", "@daily", "@often work"])
def test_what_lacks_something_is_refused(text):
    assert isinstance(only(text), NotImported)


def test_a_user_without_a_command_is_refused():
    assert isinstance(only("0 9 * * * root", has_user=True), NotImported)


@pytest.mark.parametrize(
    ("text", "command", "stdin"),
    [
        ("mail -s hi me%dear me,%bye", "mail -s hi me", "dear me,\nbye\n"),
        (r"date +\%Y-\%m", "date +%Y-%m", ""),
        (r"printf \%s%100\% sure", "printf %s", "100% sure\n"),
        ("cat%", "cat", "\n"),
    ],
)
def test_percent_signs_end_the_command_unless_they_are_escaped(text, command, stdin):
    line = only(f"* * * * * {text}")
    assert (line.command, line.stdin) == (command, stdin)


@given(st.text(), st.booleans())
def test_no_text_is_too_strange(text, has_user):
    for line in read(text, has_user=has_user):
        assert isinstance(line, CronLine | NotImported)


def imported(aurora, *words):
    result = aurora("import-crontab", *words, "--db", "jobs.db", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_each_line_becomes_a_job_that_runs(aurora, tmp_path):
    (tmp_path / "tab").write_text(
        "GREETING=hello\nMAILTO=me\n0 9 * * * echo $GREETING; cat%from stdin\n@reboot begin\n"
    )
    good, refused = imported(aurora, "tab", "--tz", "Europe/Berlin")
    assert (good["state"], good["schedule"], good["name"]) == ("imported", "0 9 * * *", "cat")
    assert good["notes"] == ["nothing is mailed to me: the output is in the history"]
    assert (refused["line"], refused["state"]) == (4, "refused")
    row = on(tmp_path / "jobs.db", lambda manager: manager.run_job(good["id"], wait=True))
    assert row.result["output"] == "hello\nfrom stdin\n"
    job = on(tmp_path / "jobs.db", lambda manager: manager.get_job(good["id"]))
    assert (job.timezone, job.max_retries, job.on_exhausted, job.tags) == (
        "Europe/Berlin",
        0,
        "continue",
        ("crontab", "tab"),
    )


def test_a_command_runs_where_cron_runs_it(aurora, tmp_path):
    (tmp_path / "tab").write_text(f"1 9 * * * pwd\nHOME={tmp_path}\n2 9 * * * pwd\n")
    outputs = []
    for job in imported(aurora, "tab"):
        ran = on(tmp_path / "jobs.db", partial(SchedulerManager.run_job, job_id=job["id"], wait=True))
        outputs.append(ran.result["output"])
    at_home, elsewhere = outputs
    assert os.path.realpath(at_home.strip()) == os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    assert elsewhere.strip() == str(tmp_path)


def test_to_import_again_changes_nothing_and_makes_no_second_jobs(aurora, tmp_path):
    (tmp_path / "tab").write_text("0 9 * * * one\n0 9 * * * one\n")
    first = [each["id"] for each in imported(aurora, "tab")]
    before = on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    (tmp_path / "tab").write_text("# a comment more\n0 9 * * * one\n0 9 * * * one\n")
    assert [each["id"] for each in imported(aurora, "tab")] == first
    after = on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    assert len(set(first)) == len(after) == 2
    assert [job.next_run_time for job in after] == [job.next_run_time for job in before]


def test_the_job_of_a_line_that_is_gone_is_told_of_and_pruned_where_that_is_said(aurora, tmp_path):
    (tmp_path / "tab").write_text("5 9 * * * one\n6 9 * * * two\n")
    _, old = imported(aurora, "tab")
    (tmp_path / "other").write_text("1 1 * * * other\n")
    imported(aurora, "other")
    (tmp_path / "tab").write_text("5 9 * * * one\n7 9 * * * two\n")
    *_, left = imported(aurora, "tab", "--dry-run")
    assert left == {"state": "left", "id": old["id"], "name": "two"}
    assert imported(aurora, "tab")[-1] == left
    assert (
        f"left: its line is not there any more ({old['id']})"
        in aurora("import-crontab", "tab", "--db", "jobs.db").stdout
    )
    assert imported(aurora, "tab", "--prune", "--dry-run")[-1]["state"] == "would be deleted"
    asked = aurora("import-crontab", "tab", "--db", "jobs.db", "--prune")
    assert (asked.exit_code, "Delete 1 job, whose lines are gone: 'two'?" in asked.stderr) == (1, True), (
        "nobody said yes"
    )
    assert imported(aurora, "tab", "--prune", "--yes")[-1]["state"] == "deleted"
    jobs = on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    assert sorted(job.schedule_value for job in jobs) == ["1 1 * * *", "5 9 * * *", "7 9 * * *"]


def test_the_jobs_of_another_file_of_that_name_and_of_standard_input_are_left_alone(aurora, tmp_path):
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "crontab").write_text(f"0 9 * * * {place}\n")
        imported(aurora, f"{place}/crontab")
    (tmp_path / "there" / "crontab").write_text("0 9 * * * elsewhere\n")
    piped = aurora("import-crontab", "-", "--db", "jobs.db", "--prune", "--yes", input="0 9 * * * piped\n")
    assert piped.exit_code == 0
    assert imported(aurora, "there/crontab", "--prune", "--yes")[-1]["state"] == "deleted"
    jobs = on(tmp_path / "jobs.db", lambda manager: manager.get_all_jobs())
    assert sorted(job.name for job in jobs) == ["elsewhere", "here", "piped"]


def test_where_nothing_can_be_imported_no_database_is_made(aurora, tmp_path):
    (tmp_path / "tab").write_text("@reboot begin\n")
    assert [each["state"] for each in imported(aurora, "tab")] == ["refused"]
    assert not (tmp_path / "jobs.db").exists()


def test_a_database_in_memory_is_refused_and_not_said_to_have_the_jobs(aurora, tmp_path):
    (tmp_path / "tab").write_text("0 9 * * * one\n")
    result = aurora("import-crontab", "tab", "--db", ":memory:")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a database in memory is seen only by the program that has it" in result.stderr


def test_a_dry_run_makes_nothing(aurora, tmp_path):
    (tmp_path / "tab").write_text("0 9 * * * one\n")
    assert imported(aurora, "tab", "--dry-run")[0]["state"] == "imported"
    assert not (tmp_path / "jobs.db").exists()
    assert "1 job would be imported, 0 lines refused" in aurora("import-crontab", "tab", "--dry-run").stderr


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/bin/look --all", "look"),
        ("cd / && run-parts --report /etc/cron.hourly", "run-parts"),
        ("test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }", "run-parts"),
        ("[ -x /usr/lib/php/clean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/clean; fi", "clean"),
        ("test -e /run/systemd/system || MODE=1 /usr/lib/e2fsprogs/scrub -A", "scrub"),
        ("find /tmp -mtime +7 | xargs rm -f", "find"),
        ("A=1", "A=1"),
    ],
)
def test_a_job_is_called_what_does_its_work(aurora, tmp_path, command, name):
    (tmp_path / "tab").write_text(f"0 9 * * * {command}\n")
    assert imported(aurora, "tab", "--dry-run")[0]["name"] == name


def test_another_user_is_said_to_be_another(aurora, tmp_path):
    own = getpass.getuser()
    (tmp_path / "tab").write_text(f"0 9 * * * {own} one\n0 9 * * * somebody two\n")
    mine, other = imported(aurora, "tab", "--system")
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert mine["callback_args"] == {"command": ["/bin/sh", "-c", "one"], "directory": home}
    assert other["callback_args"] == {"command": ["runuser", "-u", "somebody", "--", "/bin/sh", "-c", "two"]}
    assert other["notes"] == ["by runuser as somebody"]


def test_a_time_that_is_none_is_refused_with_the_reason(aurora, tmp_path):
    (tmp_path / "tab").write_text("61 9 * * * one\nCRON_TZ=Mars/Base\n0 9 * * * two\n")
    minute, zone = imported(aurora, "tab")
    assert (minute["state"], zone["state"]) == ("refused", "refused")
    assert "61" in minute["reason"]
    assert "Mars/Base" in zone["reason"]


def test_bytes_that_are_no_text_are_refused_and_the_rest_is_imported(aurora, tmp_path):
    (tmp_path / "tab").write_bytes(b"0 9 * * * echo \xff\n0 9 * * * echo caf\xc3\xa9\n")
    broken, good = imported(aurora, "tab")
    assert (broken["state"], good["state"]) == ("refused", "imported")


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The crontabs that packages of Debian's ship, unpacked and not installed."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("there are no packages of Debian's here")
    place = tmp_path_factory.mktemp("packages")
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-q", package], cwd=place, capture_output=True, check=False, timeout=60)
    for package in place.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(place / "root")], check=True)
    found = [*place.glob("root/etc/crontab"), *place.glob("root/etc/cron.d/*")]
    if not found:
        pytest.skip("no package could be had")
    return [path for path in found if path.name != ".placeholder"]


def test_the_crontabs_that_debian_ships_are_imported_whole(aurora, shipped):
    refused = []
    for path in shipped:
        told = imported(aurora, path, "--system")
        refused += [(path.name, each) for each in told if each["state"] == "refused"]
    assert refused == []
