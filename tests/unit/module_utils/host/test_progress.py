"""The numbers that a long job writes for whoever polls."""

import json
import time

import pytest
from ansible.module_utils.twinspark_host import progress as module
from ansible.module_utils.twinspark_host.progress import SINCE_START, Progress


@pytest.fixture
def read(tmp_path, monkeypatch):
    """What a poll would see."""
    monkeypatch.setenv("TWINSPARK_JOB_DIR", str(tmp_path))
    return lambda: json.loads((tmp_path / "progress.json").read_text())


def test_the_numbers_are_there_from_the_start_to_the_end(read, tmp_path):
    with Progress(10, "B", "copy") as progress:
        assert read() == {"done": 0, "total": 10, "unit": "B", "rate": 0.0, "what": "copy"}
        progress.add(5)
        progress.add(-1)
    assert read()["done"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_they_are_written_once_a_second(read, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.05)
    with Progress(10, "B") as progress:
        progress.add(5)
        assert read()["done"] == 0
        for _ in range(100):
            if read()["done"] == 5:
                break
            time.sleep(0.02)
        assert read()["done"] == 5


def test_a_rate_is_that_of_the_last_seconds(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    rates = {}
    for window in (15.0, SINCE_START):
        progress = Progress(100, "B", done=20, window=window)
        for clock[0], progress.done in ((0.0, 20), (10.0, 70), (20.0, 70), (30.0, 70)):
            rates[window] = progress._rate(clock[0])
    assert rates == {15.0: 0.0, SINCE_START: pytest.approx(50 / 30, rel=1e-4)}


def test_a_window_of_nothing_leaves_the_rate_out(read):
    with Progress(3, "cases", window=0) as progress:
        progress.done, progress.what = 4, "done"
    assert read() == {"done": 4, "total": 4, "unit": "cases", "what": "done"}


def test_a_disk_without_room_stops_no_job(monkeypatch):
    monkeypatch.setenv("TWINSPARK_JOB_DIR", "/nonexistent")
    with Progress(1, "B") as progress:
        progress.add(1)
