"""What one host shows of its rank: the readers of its unit, container and log."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving import rank

from tests.support import cases

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("unit", "dead"),
    [
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, False),
        ({"ActiveState": "failed", "SubState": "failed", "NRestarts": "2"}, True),
        ({"ActiveState": "inactive"}, True),
        ({"ActiveState": "inactive", "SubState": "dead", "Result": "success", "ExecMainStatus": "0"}, True),
        ({"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "0"}, True),
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "1"}, True),
        ({"unreachable": "ssh: no route"}, False),
    ],
)
def test_a_rank_is_dead_even_while_systemd_tries_again(unit, dead):
    assert rank.dead(unit) is dead


@pytest.mark.parametrize("case", cases(HERE / "cases/phases.yaml"))
def test_the_phase_follows_the_log(case):
    lines = (HERE / "cases/logs" / case["log"]).read_text().splitlines() if "log" in case else case["lines"]
    found = []
    for words, _ in case["moments"]:
        end = next(n for n, line in enumerate(lines, 1) if words in line)
        found.append([words, rank.phase(lines[:end])])
    assert found == case["moments"]


@pytest.mark.parametrize(
    ("unit", "phase"),
    [
        ({"ActiveState": "active", "SubState": "running"}, "answering"),
        ({"ActiveState": "inactive", "SubState": "dead", "Result": "success"}, "ended"),
        ({"ActiveState": "failed", "SubState": "failed"}, "ended"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, "ended"),
    ],
)
def test_a_unit_that_has_ended_answers_nobody_whatever_its_log_says(unit, phase):
    assert rank.phase(["INFO:     Application startup complete."], unit) == phase
    assert rank.phase([], unit) == ""


def test_readiness_is_read_from_the_rust_front_end():
    line = "(RustFrontend pid=9) INFO 05-27 15:38:24 [server/src/lib.rs:133] starting OpenAI server bind_address=[::]:8"
    assert rank.milestones([(1.0, "x"), (9.0, line)]) == (1.0, 9.0)


def test_the_journal_is_read_with_its_times():
    text = (
        "1763940000.500000 docker[12]: INFO first: second\n"
        "-- Boot --\n"
        "1763940031.250000 docker[12]: INFO Application startup complete.\n"
    )
    lines = rank.journal(text)
    assert lines[0] == (1763940000.5, "INFO first: second")
    assert rank.milestones(lines) == (1763940000.5, 1763940031.25)
    assert rank.milestones([]) == (None, None)
    assert rank.phase(line for _, line in lines) == "answering"
    assert rank.phase(["INFO Starting to load model /hub"]) == "loading weights"
    assert rank.phase([]) == ""


@pytest.mark.parametrize(
    "line",
    [
        "(Worker pid=52) [parallel_state.py:1] rank 1 in world size 2 is assigned as DP rank 0, PP rank 0, TP rank 1",
        "(Worker pid=52) INFO [parallel_state.py:1234] world_size=2 rank=1 local_rank=0 backend=gloo",
    ],
)
def test_a_rank_names_itself_in_its_log(line):
    (found,) = rank.named([line, line])
    assert (found.rank, found.world_size) == (1, 2)


def test_nccl_names_its_devices():
    lines = [
        "spark1:1:1 [0] NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; OOB enp1s0f1np1:<0>",
        "spark1:1:1 [0] NCCL INFO Using network IB",
    ]
    assert rank.nccl(lines) == rank.Nccl("IB", ("rocep1s0f1/RoCE", "roceP2p1s0f1/RoCE"))
    assert rank.nccl(["x"]) == rank.Nccl()


def test_a_container_is_read_as_far_as_it_matters():
    text = '[{"Id": "1", "Image": "sha256:1", "State": {"Running": false, "Pid": 0}, "Config": {"Labels": {"l": "d"}}}]'
    assert rank.container(text, "l") == rank.Container("1", "sha256:1", "d", None, None)
    assert rank.container("", "l") is None
    assert rank.container("[]", "l") is None


def test_memory_is_read_in_bytes():
    assert rank.meminfo("MemTotal:       2 kB\nMemFree: 1 kB\nMemAvailable:   1 kB\n") == rank.Memory(2048, 1024)
