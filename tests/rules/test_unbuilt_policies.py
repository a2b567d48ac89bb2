"""A policy that is not built yet is refused by name, never ignored."""

from __future__ import annotations

import pytest

from aurora_scheduler.errors import OptionError, UnknownOptionError
from aurora_scheduler.options import read_options


def test_a_value_that_is_not_built_is_refused_with_those_that_are():
    with pytest.raises(OptionError, match=r"^runner='process'.*not available yet; accepted: ") as caught:
        read_options({"runner": "process"}, "UTC")
    assert (caught.value.option, caught.value.value) == ("runner", "process")


def test_an_option_that_never_was_is_refused_with_the_nearest_that_is():
    with pytest.raises(UnknownOptionError, match="did you mean 'max_retries'"):
        read_options({"max_retry": 3}, "UTC")
