"""`twinspark start` and `restart`: what the playbook is given, the supervisor's words meanwhile, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from twinspark.events import read
from twinspark.progress import Plain, Shown
from twinspark.runstate import RunState

from .conftest import LOCAL, Site

REFUSE = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).fail_json(msg="given up: 3 restarts were not enough. Fix: correct the cause, then `twinspark start`.")
"""
# The third look finds the pair serving; what it says before are a supervisor's words.
LOOK = """
import json
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"folder": {"type": "path"}})
count = Path(module.params["folder"]) / "looks"
looks = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (looks + 1))
words = ["starting, waiting for memory on spark1: 90.0 of 101.3 GiB", "starting, loading weights", "serving"]
module.exit_json(supervisor={"settled": looks > 1, "sentence": words[looks]})
"""


def retry(said: str, kind: str = "runner_retry") -> Any:
    return read(
        {"event": kind, "event_data": {"host": "spark1", "task": "Wait", "res": {"supervisor": {"sentence": said}}}}
    )


def marks(state: RunState, *said: str) -> list[str]:
    return [line.text for words in said for line in state.take(retry(words)) if line.mark == "phase"]


def test_a_sentence_is_a_line_when_it_changes() -> None:
    state = RunState({}, {})
    low, less = "waiting for memory on spark1: 90.0 of 101.3 GiB", "waiting for memory on spark1: 95.5 of 101.3 GiB"
    assert marks(state, low, less, "loading weights", "loading weights") == [
        f"spark1: {low}",
        "spark1: loading weights",
    ]
    assert [line.text for line in state.take(retry("serving", "runner_on_ok"))] == ["spark1: serving"]
    assert state.phases == {}


def test_a_look_that_nobody_waits_for_is_no_line() -> None:
    assert RunState({}, {}).take(retry("serving", "runner_on_ok")) == []


def test_a_terminal_shows_the_sentence_at_work(tmp_path: Path) -> None:
    console = Console(width=110, record=True, force_terminal=True, file=(tmp_path / "out").open("w"))
    shown = Shown(RunState({}, {}), console)
    shown.take(retry("waiting for memory on spark1: 90.0 of 101.3 GiB"))
    shown.take(retry("waiting for memory on spark1: 95.5 of 101.3 GiB"))
    console.print(shown.render())
    assert "spark1: waiting for memory on spark1: 95.5 of 101.3 GiB" in console.export_text()


def test_a_log_has_a_line_for_each(tmp_path: Path) -> None:
    console = Console(width=110, record=True, file=(tmp_path / "out").open("w"))
    Plain(RunState({}, {}), console).take(retry("loading weights"))
    assert "phase   spark1: loading weights" in console.export_text()


def test_ansible_s_own_retries_carry_the_sentence(site: Site, tmp_path: Path) -> None:
    (site.project / "library/look.py").write_text(LOOK)
    site.hosts(spark1=LOCAL)
    site.play(
        "start",
        {
            "name": "Wait for the pair",
            "look": {"folder": str(tmp_path)},
            "register": "seen",
            "until": "seen.supervisor.settled",
            "retries": 5,
            "delay": 0,
        },
    )
    done = site.twinspark("start")
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line.split("spark1: ", 1)[1] for line in done.stdout.splitlines() if " phase " in line]
    assert said == ["starting, waiting for memory on spark1: 90.0 of 101.3 GiB", "starting, loading weights", "serving"]


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_what_is_refused_ends_with_3_and_the_reason(site: Site, verb: str) -> None:
    (site.project / "library/twinspark_pair_gate.py").write_text(REFUSE)
    site.play(verb, {"name": "Verify", "twinspark_pair_gate": {}})
    done = site.twinspark(verb)
    assert done.returncode == 3
    assert "given up: 3 restarts were not enough. Fix: correct the cause" in done.stderr


def test_the_owner_s_options_reach_the_playbook(site: Site) -> None:
    told = (
        "{{ [vllm_serve_interrupt | default('no'), twinspark_override | default([]), ansible_check_mode] | to_json }}"
    )
    site.hosts(spark1=LOCAL)
    for verb in ("start", "restart"):
        site.play(verb, {"name": "Say", "ansible.builtin.debug": {"msg": told}})

    def said(*words: str) -> Any:
        done = site.twinspark(*words)
        line = next(line for line in done.stdout.splitlines() if "say" in line)
        return json.loads(line.split("spark1: ", 1)[1])

    assert said("restart") == ["no", [], False]
    assert said("restart", "--interrupt", "--override", "rdma") == [True, ["rdma"], False]
    assert said("start", "--check") == ["no", [], True]


def test_a_stage_that_there_is_none_is_refused_before_anything(site: Site) -> None:
    site.play("start", {"name": "Say", "ansible.builtin.debug": {"msg": "here"}})
    done = site.twinspark("start", "--override", "rmda")
    assert done.returncode == 2
    assert "rdma" in done.stderr
