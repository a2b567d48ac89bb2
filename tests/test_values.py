"""Values with a few fields changed, as `dataclasses.replace` makes them."""

from __future__ import annotations

import dataclasses

import pytest

from aurora_scheduler.model import Execution, ExecutionStatus, Job
from aurora_scheduler.values import replace
from support.lives import a_job, a_row

JOB = a_job()
VALUES = [JOB, a_row(JOB, ExecutionStatus.RUNNING), JOB.policies]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_it_does_what_the_standard_library_does(value):
    for field in dataclasses.fields(value):
        changed = replace(value, **{field.name: "other"})
        assert changed == dataclasses.replace(value, **{field.name: "other"})
        assert changed is not value
        assert type(changed) is type(value)
    assert replace(value) == value


def test_the_old_value_stays_as_it_was():
    before = dataclasses.replace(JOB)
    replace(JOB, name="other", version=9)
    assert before == JOB


@pytest.mark.parametrize("kind", [Job, Execution])
def test_a_field_that_there_is_not_is_refused_by_name(kind):
    value = next(value for value in VALUES if isinstance(value, kind))
    with pytest.raises(TypeError, match=f"{kind.__name__} has no field 'colour'"):
        replace(value, colour="red")


def test_the_copy_is_frozen_too():
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(JOB, name="other").name = "third"  # type: ignore[misc]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Job(Job):
    trouble: str = "damaged"


def test_a_value_of_a_class_that_inherits_its_fields_keeps_its_class_and_all_of_them():
    job = _Job(**{field.name: getattr(JOB, field.name) for field in dataclasses.fields(Job)}, trouble="none")
    assert replace(job, name="other") == dataclasses.replace(job, name="other")
