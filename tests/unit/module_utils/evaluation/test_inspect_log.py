"""Inspect's own log, as numbers."""

from copy import deepcopy

import pytest
from ansible.module_utils.twinspark.evaluation import inspect_log


def test_the_pause_of_a_resumed_evaluation_does_not_count():
    spans = [("10:00:00", "10:00:10"), ("10:00:05", "10:00:20"), ("12:00:00", "12:00:04")]
    samples = [{"started_at": f"2026-05-14T{a}+00:00", "completed_at": f"2026-05-14T{b}+00:00"} for a, b in spans]
    assert inspect_log.busy_seconds([*samples, {"started_at": None}]) == 24.0


@pytest.mark.parametrize("missing", ["header", "samples"])
def test_what_is_no_log_says_what_is_missing(raw, missing):
    broken = deepcopy(raw)
    del broken[missing]
    with pytest.raises(inspect_log.LogError, match=missing):
        inspect_log.summarise(broken)


@pytest.mark.parametrize(
    ("value", "number"),
    [("C", 1.0), ("I", 0.0), ("P", 0.5), (True, 1.0), (0.25, 0.25), (float("nan"), None), ("maybe", None), ({}, None)],
)
def test_inspect_s_values(value, number):
    assert inspect_log.value_of(value) == number
