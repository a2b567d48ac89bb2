"""What is not allowed is neither stored nor run, and never imported."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_scheduler import CallbackError, CronService, OptionError
from aurora_scheduler.callbacks import ANY, Allowed, name_of, resolve
from callbacks import samples

names = st.lists(st.sampled_from(["a", "b", "ab", "c1"]), min_size=1, max_size=4).map(".".join)


@given(names, names)
def test_a_pattern_ends_at_a_dot(pattern, name):
    below = Allowed.read([f"{pattern}.*"])
    assert below.has(name) == (name.split(".")[: len(pattern.split("."))] == pattern.split(".") and name != pattern)
    assert Allowed.read([pattern]).has(name) == (name == pattern)


@given(names)
def test_without_patterns_all_is_allowed_and_with_none_in_the_list_nothing(name):
    assert ANY.has(name)
    assert Allowed.read(None).has(name)
    assert not Allowed.read([]).has(name)


@pytest.mark.parametrize(
    "value", ["myapp.*", b"x", 5, ["*"], [""], ["myapp."], [".myapp"], ["my app.*"], ["myapp*"], ["*.jobs"], [5]]
)
def test_what_is_no_list_of_names_is_refused(value):
    with pytest.raises(OptionError, match="allow_callbacks"):
        Allowed.read(value)


def test_a_module_that_is_not_allowed_is_never_imported():
    sys.modules.pop("antigravity", None)
    with pytest.raises(CallbackError, match=r"not allowed here; allow_callbacks has callbacks\.\*"):
        resolve(name_of("antigravity.fly"), Allowed.read(["callbacks.*"]))
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("text", ["callbacks.samples.sys.exit", "callbacks.samples:os.remove"])
def test_a_foreign_function_is_not_allowed_by_the_name_it_is_found_under(text, monkeypatch):
    monkeypatch.setattr(samples, "sys", sys, raising=False)
    monkeypatch.setattr(samples, "os", __import__("os"), raising=False)
    name = name_of("callbacks.samples:" + text.removeprefix("callbacks.samples")[1:])
    assert callable(resolve(name))
    with pytest.raises(CallbackError, match=r"what is there is (sys\.exit|(posix|nt)\.remove)"):
        resolve(name, Allowed.read(["callbacks.*"]))


def test_an_object_that_is_called_is_where_its_class_is(monkeypatch):
    from functools import partial

    monkeypatch.setattr(samples, "partly", partial(print), raising=False)
    with pytest.raises(CallbackError, match=r"functools\.partial"):
        resolve(name_of("callbacks.samples.partly"), Allowed.read(["callbacks.*"]))


def test_a_service_refuses_it_where_it_is_created_and_stores_nothing():
    with CronService(":memory:", allow_callbacks=["facades.*"]) as cron:
        with pytest.raises(CallbackError, match="not allowed"):
            cron.schedule_relative(name="x", relative_time="in 1 hour", callback="os.getcwd")
        assert cron.get_all_jobs() == []


def test_a_stored_job_whose_callback_is_not_allowed_is_unresolved(tmp_path):
    path = tmp_path / "jobs.db"
    with CronService(path) as cron:
        job_id = cron.schedule_relative(name="x", relative_time="every 1 hour", callback="os.getcwd")
    with CronService(path, allow_callbacks=["myapp.*"]) as cron:
        done = cron.run_job(job_id, wait=True)
        assert done.status == "failed"
        assert "not allowed" in (done.error or "")
        job = cron.get_job(job_id)
        assert job is not None
        assert job.status == "unresolved"
        assert "not allowed" in (job.status_reason or "")
