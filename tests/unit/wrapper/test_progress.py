"""What a person sees while a run goes on."""

import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from twinspark import progress
from twinspark.events import read
from twinspark.progress import Plain, Shown
from twinspark.runstate import Line, RunState, StageState

POLL = {"job": {"progress": {"done": 40 * 2**30, "total": 160 * 2**30, "unit": "B", "rate": 0.5 * 2**30}}}


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"play": "Bring the weights", **data}}


def shown(tmp_path: Path, *events: dict[str, Any]) -> str:
    """The screen after some events, one second apart."""
    now = iter(range(1000))
    state = RunState(
        {stage: StageState() for stage in ("rdma", "weights", "image")},
        {"Prove the fabric": "rdma", "Bring the weights": "weights"},
        clock=lambda: float(next(now)),
    )
    console = Console(width=110, record=True, force_terminal=True, file=(tmp_path / "out").open("w"))
    display = Shown(state, console)
    for raw in events:
        display.take(read(raw))
    console.print(display.render())
    return console.export_text()


def test_a_job_has_a_bar_with_numbers(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        event("playbook_on_play_start", play="Prove the fabric"),
        event("playbook_on_play_start"),
        event("playbook_on_task_start", task="Await the download", task_uuid="1"),
        event("runner_on_start", host="spark1", task="Await the download"),
        event("runner_retry", host="spark1", task="Await the download", res=POLL),
    )
    assert "✔  rdma" in text
    assert "·  image" in text
    assert "Await the download  [spark1]" in text
    assert "40 of 160 GiB, 25%, 0.5 GiB/s, 4 min 00 s left" in text


def test_a_failure_shows_short_while_it_runs(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        event("playbook_on_play_start"),
        event("runner_on_failed", host="spark1", task="Copy", task_uuid="1", res={"msg": "no space left"}),
        event("playbook_on_stats", play="", failures={"spark1": 1}, ok={"spark1": 3}),
    )
    assert "failed  spark1: Copy" in text
    assert "no space left" not in text
    assert "✘  weights" in text


def test_an_unreachable_host_ends_the_line_where_it_is(tmp_path: Path) -> None:
    """Ansible goes on through the later plays, which have no host left: none of them is begun or done."""
    text = shown(
        tmp_path,
        event("playbook_on_play_start", play="Prove the fabric"),
        event("runner_on_unreachable", host="spark1", task="Measure", task_uuid="1", res={"msg": "timed out"}),
        event("playbook_on_play_start"),
        event("playbook_on_stats", play="", dark={"spark1": 1}),
    )
    assert "✘  rdma" in text
    assert "·  weights" in text


def test_numbers_that_are_none_break_nothing(tmp_path: Path) -> None:
    for numbers in (
        {"done": None},
        {"done": 3, "total": 0},
        {"done": 3, "total": None, "rate": None, "unit": None},
        "soon",
    ):
        shown(
            tmp_path,
            event("playbook_on_play_start"),
            event("runner_retry", host="spark1", task="Await", res={"job": {"progress": numbers}}),
        )


def at(state: RunState, now: list[float], seconds: float) -> list[Line]:
    """What is said of the task at work when the clock shows *seconds*."""
    now[0] = seconds
    return state.still()


def test_a_task_that_is_long_at_work_is_named_each_minute() -> None:
    now = [0.0]
    state = RunState({}, {}, clock=lambda: now[0])
    assert at(state, now, 100) == []  # no task yet
    state.take(read(event("playbook_on_task_start", task="Measure", task_uuid="1")))
    assert at(state, now, 159) == []
    assert at(state, now, 160) == [Line("wait", "still at: Measure (60 s)")]
    assert at(state, now, 219) == []
    assert at(state, now, 220) == [Line("wait", "still at: Measure (120 s)")]
    state.take(read(event("runner_retry", host="spark1", task="Measure", res=POLL)))  # says more than this would
    assert at(state, now, 279) == []
    state.take(read(event("playbook_on_task_start", task="Judge", task_uuid="2")))
    assert at(state, now, 300) == []
    state.take(read(event("playbook_on_stats", ok={"spark1": 1})))
    assert at(state, now, 999) == []


def test_a_log_gets_it_while_no_event_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK", 0.01)
    now = [0.0]
    console = Console(width=110, record=True, file=(tmp_path / "out").open("w"))
    plain = Plain(RunState({}, {}, clock=lambda: now[0]), console)
    with plain.showing():
        plain.take(read(event("playbook_on_task_start", task="Measure", task_uuid="1")))
        now[0] = 75.0
        deadline = time.monotonic() + 10
        while "still" not in (told := console.export_text(clear=False)) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told[8:].strip() == "wait    still at: Measure (75 s)"
