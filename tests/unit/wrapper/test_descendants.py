"""Nothing that a run has started outlives it: neither a process that left its session, nor one without the mark."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinspark import descendants

from .conftest import LOCAL, Site

# Leaves its session and its parent, ignores every polite signal, and writes its number into the file named.
STUBBORN = """
import os, signal, sys, time
if os.fork():
    sys.exit(0)
os.setsid()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(120)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and awaits its parent does not."""
    told = Path(f"/proc/{pid}/stat")
    return told.exists() and told.read_text().rpartition(")")[2].split()[0] != "Z"


def read_when_there(path: Path) -> int:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return int(path.read_text())


@pytest.fixture
def numbers() -> Iterator[list[int]]:
    """Processes of a test, killed where the test has failed to."""
    found: list[int] = []
    yield found
    for pid in filter(alive, found):
        os.kill(pid, signal.SIGKILL)


def test_a_process_that_left_its_session_is_asked_and_then_killed(tmp_path: Path, numbers: list[int]) -> None:
    env = {**os.environ, descendants.MARK: "a run"}
    subprocess.run([sys.executable, "-c", STUBBORN, str(tmp_path / "pid")], env=env, check=True)
    numbers.append(read_when_there(tmp_path / "pid"))
    assert descendants.of_run("another run") == []
    assert descendants.of_run("a run") == numbers
    began = time.monotonic()
    assert descendants.end("a run", grace=0.5) == []
    assert time.monotonic() - began >= 0.5
    assert not alive(numbers[0])


def test_one_that_lost_the_mark_is_found_by_its_parent(tmp_path: Path, numbers: list[int]) -> None:
    script = f"env -i sleep 120 & echo $! > {tmp_path}/pid; wait"
    child = subprocess.Popen(["sh", "-c", script], env={**os.environ, descendants.MARK: "a run"})
    numbers += sorted([child.pid, read_when_there(tmp_path / "pid")])
    time.sleep(0.2)
    assert descendants.of_run("a run") == numbers
    assert descendants.end("a run", grace=5) == []
    assert child.wait(5) == -signal.SIGTERM
    assert not any(map(alive, numbers))


def test_where_nothing_is_left_nothing_is_awaited() -> None:
    began = time.monotonic()
    assert descendants.end("no run", grace=30) == []
    assert time.monotonic() - began < 5


def test_nothing_of_an_interrupted_apply_is_left(site: Site, tmp_path: Path, numbers: list[int]) -> None:
    site.hosts(spark1=LOCAL)
    leave = {"argv": [sys.executable, "-c", STUBBORN, str(tmp_path / "pid")]}
    site.play(
        "preflight",
        {"name": "Leave one behind", "ansible.builtin.command": leave},
        {"name": "Sleep", "ansible.builtin.command": {"argv": ["sleep", "60"]}},
    )
    # Its output goes into a file: a pipe would be kept open by what is left behind.
    with (tmp_path / "out").open("w") as out:
        child = subprocess.Popen(
            site.argv("apply", "--stage", "preflight", "-i", str(site.inventory)),
            env=site.environment(), stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        numbers.append(read_when_there(tmp_path / "pid"))
        mark = next(
            word.decode()
            for word in Path(f"/proc/{numbers[0]}/environ").read_bytes().split(b"\0")
            if word.startswith(descendants.MARK.encode())
        )
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 130
    assert not alive(numbers[0])
    assert descendants.of_run(mark.partition("=")[2]) == []


def test_one_that_the_kernel_holds_is_told_and_not_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descendants, "HELD", 0.2)
    monkeypatch.setattr(descendants, "of_run", lambda run_id: [7])
    monkeypatch.setattr(descendants, "sent", lambda pid, late: True)
    assert descendants.end("a run", grace=0) == [7]
