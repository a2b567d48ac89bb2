"""A policy that is not built yet is refused by name, never ignored."""

from __future__ import annotations

import pytest

from aurora_scheduler.errors import OptionError, UnknownOptionError
from aurora_scheduler.options import read_options

UNBUILT = {
    "misfire": "skip",
    "misfire_grace": 60,
    "max_instances": 2,
    "timeout": 30,
    "jitter": 5,
}
UNBUILT_VALUES = [
    ("overlap", "queue_one"),
    ("overlap", "queue_all"),
    ("overlap", "allow"),
    ("overlap", "cancel_previous"),
    ("delivery", "at_most_once"),
    ("runner", "process"),
]


@pytest.mark.parametrize(("option", "value"), UNBUILT.items(), ids=UNBUILT.keys())
def test_an_option_that_is_not_built_is_refused_by_name(option, value):
    with pytest.raises(UnknownOptionError, match=rf"^{option}=.*not available yet") as caught:
        read_options({option: value}, "UTC")
    assert (caught.value.option, caught.value.value) == (option, value)


@pytest.mark.parametrize(("option", "value"), UNBUILT_VALUES)
def test_a_value_that_is_not_built_is_refused_with_those_that_are(option, value):
    with pytest.raises(OptionError, match=rf"^{option}='{value}'.*not available yet; accepted: ") as caught:
        read_options({option: value}, "UTC")
    assert (caught.value.option, caught.value.value) == (option, value)


def test_an_option_that_never_was_is_refused_with_the_nearest_that_is():
    with pytest.raises(UnknownOptionError, match="did you mean 'max_retries'"):
        read_options({"max_retry": 3}, "UTC")
