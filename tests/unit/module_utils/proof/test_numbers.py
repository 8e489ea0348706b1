"""Numbers for people."""

import pytest
from ansible.module_utils.twinspark.proof.numbers import duration, figure, figures

from twinspark.events import Progress
from twinspark.runstate import describe


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (107.3e9, "bit/s", "107.3 Gbit/s"),
        (1.2e9, "B/s", "1.2 GB/s"),
        (9000, "B", "9\u202f000 B"),
        (269060552, "B", "256.6 MiB"),
        (2.314159, "us", "2.314 us"),
        (8514389, "tokens", "8\u202f514\u202f389 tokens"),
        (0.886, "1", "0.886"),
        (20.0, "Gb/s", "20 Gb/s"),
        (12345.6, "tokens", "12346 tokens"),
        (None, "s", "\u2013"),
        (True, "", "yes"),
        ("6.14.0-1015-nvidia", "", "6.14.0-1015-nvidia"),
        (["rocep1s0f1", "roceP2p1s0f1"], "", "rocep1s0f1, roceP2p1s0f1"),
    ],
)
def test_figure(value: object, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_a_standard_error_is_shown() -> None:
    assert figures({"value": 0.886, "stderr": 0.02, "unit": "1"}) == "0.886 ± 0.02"


def test_a_spread_is_shown() -> None:
    entry = {"value": 1.07e11, "lowest": 1.05e11, "highest": 1.08e11, "repeats": 3, "unit": "bit/s"}
    assert figures(entry) == "107 Gbit/s (105 Gbit/s to 108 Gbit/s in 3 runs)"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (150225, "41 h 43 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(3 * 2**30, 12 * 2**30, "B", 2**30), "3 of 12 GiB, 25%, 1 GiB/s, 9 s left"),
        (Progress(5, 10, "samples", None), "5 of 10 samples, 50%"),
        (Progress(7, None, "steps", 0.5), "7 steps, 0.5 steps/s"),
        (Progress(12345, 50000, "tokens", 5), "12\u202f345 of 50\u202f000 tokens, 25%, 5 tokens/s, 2 h 05 min left"),
        (Progress(12, 10, "samples", 1), "12 of 10 samples, 100%, 1 samples/s"),
    ],
)
def test_describe(progress: Progress, text: str) -> None:
    assert describe(progress) == text
