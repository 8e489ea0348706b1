"""What the pair says of itself, and what is made of it."""

import dataclasses
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.inventory.fabric import Rail
from ansible.module_utils.twinspark.proof.values import Measurement, Requirement
from ansible.module_utils.twinspark.serving import canary, rank, serve
from ansible.module_utils.twinspark.serving.argv import RankPlan
from ansible.module_utils.twinspark.serving.supervised import Supervised

from tests.support import cases

GIB = serve.GIB


def seen(**changes):
    known = {
        "unit": {"ActiveState": "active", "NRestarts": "0"},
        "container": {"id": "c", "digest": "d", "image_id": "i", "pid": 7, "started": None},
        "desired": "d",
        "image_id": "i",
        "health": {"status": 200},
        "peers": {},
        "dead": [],
        "ready": True,
        "settled": True,
        "phase": "answering",
        "cause": None,
        "log_tail": [],
        "nccl": {"network": "", "devices": []},
        "ranks": [],
        "started": 5.0,
        "ready_seconds": 31.0,
        "memory": {"total": 120 * GIB, "available": 80 * GIB},
    }
    return rank.Rank.from_json({**known, **changes})


PLAN = RankPlan(
    rank=0, ranks=2, argv=[], env={}, run=[], digest="e", rendezvous_interfaces=[], problems=[]
)  # fmt: skip
SERVING = Supervised("serving", "serving")
RESTARTING = Supervised("restarting", "restarting (1 of 3)", "the container on a is gone")
ALIVE = canary.Canary(ok=True, error="", tokens=9, seconds=1.5, tokens_per_second=6.0)


def silent(error):
    return canary.Canary(ok=False, error=error)


BUSY = canary.Canary(ok=False, error="no answer within 120 s", requests=8, counted=600)


@pytest.mark.parametrize(
    ("head", "worker", "says", "reasons"),
    [
        (seen(), seen(), SERVING, []),
        (
            seen(unit={"ActiveState": "failed"}, container=None),
            seen(),
            RESTARTING,
            [],
        ),  # that is the supervisor's business
        (seen(unit={}, container=None), seen(unit={}, container=None), Supervised(), [("a", "supervisor")]),
        (seen(container=None), seen(container=None), Supervised("given_up"), [("a", "supervisor")]),
        (seen(), seen(), Supervised(), [("a", "supervisor")]),  # ranks of before there was one: it adopts them
        (seen(desired="e"), seen(), SERVING, [("a", "digest")]),
        (seen(image_id="j"), seen(), SERVING, [("a", "image")]),
        (seen(image_id="j", desired="e"), seen(), SERVING, [("a", "image")]),  # the cause, not what follows from it
        (seen(), seen(image_id=""), SERVING, [("b", "image")]),  # the host does not have the image that should run
    ],
)
def test_the_pair_is_restarted_for_a_reason_only(head, worker, says, reasons):
    found = serve.restart_reasons(["a", "b"], {"a": head, "b": worker}, {"a": PLAN, "b": PLAN}, says)
    assert [(r.host, r.name) for r in found] == reasons


def test_a_changed_flag_is_named_and_not_the_digest():
    runs = {"command": ["vllm", "serve", "/m", "--max-num-seqs", "2"], "env": ["A=1", "B=2"]}
    container = {"id": "c", "digest": "d", "image_id": "i", "pid": 7, "started": None, **runs}
    found = {"a": seen(container=container, desired="e"), "b": seen()}
    plan = dataclasses.replace(PLAN, argv=["vllm", "serve", "/m", "--max-num-seqs", "8"], env={"A": "1"})
    told = serve.restart_reasons(["a", "b"], found, {"a": plan, "b": plan}, SERVING)
    assert told == [serve.Reason("a", "--max-num-seqs", "2", "8")]


@pytest.mark.parametrize(
    ("unit", "state", "enabled", "commands"),
    [
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}, "started", True, []),
        (
            {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""},
            "started",
            True,
            ["daemon-reload", "enable --quiet u", "reset-failed u", "start u"],
        ),
        (
            {"LoadState": "loaded", "ActiveState": "failed", "UnitFileState": "enabled", "NeedDaemonReload": "yes"},
            "started",
            True,
            ["daemon-reload", "reset-failed u", "start u"],
        ),
        (
            {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"},
            "stopped",
            False,
            ["disable --quiet u", "stop u", "reset-failed u"],
        ),
        ({"LoadState": "loaded", "ActiveState": "failed"}, "stopped", None, ["reset-failed u"]),
        ({"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}, "stopped", False, []),
    ],
)
def test_systemctl_is_called_for_the_difference_only(unit, state, enabled, commands):
    assert [" ".join(argv[1:]) for argv in serve.unit_commands("u", unit, state, enabled)] == commands


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases/nccl.yaml"))
def test_nccl_is_judged_by_its_own_lines(case):
    found = rank.nccl(case["log"].splitlines())
    judged = serve.rdma_verdicts("a", found, case["hcas"], answers=True)
    assert [(v.name, v.measured, v.ok, v.stops) for v in judged] == [
        (name, measured, why is None, why is not None) for name, measured, why in case["verdicts"]
    ]
    for verdict, (_, _, why) in zip(judged, case["verdicts"], strict=True):
        assert (why or "") in verdict.reason
        assert bool(verdict.fix) is bool(why)
        assert ("NCCL_DEBUG=INFO" in verdict.fix) is ("not measured" in verdict.reason)


HCAS = {"a": ["r1", "r2"], "b": ["r3", "r4"]}
ROCE = [seen(nccl={"network": "IB", "devices": [f"{hca}/RoCE" for hca in hcas]}) for hcas in HCAS.values()]


@pytest.mark.parametrize(
    ("hosts", "found", "hcas", "failed"),
    [
        ("ab", ROCE, HCAS, []),
        ("ab", [ROCE[0], seen()], HCAS, ["NCCL over RoCE on b", "NCCL devices on b"]),  # the head's log is the head's
        ("ab", [ROCE[1], ROCE[0]], HCAS, ["NCCL devices on a", "NCCL devices on b"]),  # each by its own rails
        ("ab", [seen(), seen()], {}, []),  # without RDMA
        ("a", [seen()], HCAS, []),  # one host reaches nobody
    ],
)
def test_every_rank_has_to_show_its_own_devices(hosts, found, hcas, failed):
    judged = serve.verdicts(hosts, dict(zip(hosts, found, strict=True)), ALIVE, hcas, SERVING, True)
    assert [v.name for v in judged if v.stops] == failed
    assert len(judged) == 2 * len(hosts) + 1 + 2 * len(hosts) * bool(len(hosts) > 1 and hcas)


def test_a_rank_that_has_not_come_to_nccl_is_told_by_what_keeps_it():
    joining = {"a": seen(phase="joining ranks"), "b": seen()}
    judged = serve.verdicts("ab", joining, silent("refused"), HCAS, SERVING, True)
    assert [(v.name, v.reason) for v in judged if v.stops] == [("canary", "refused; the head was at: joining ranks")]
    dead = {"a": ROCE[0], "b": seen(unit={"ActiveState": "failed"}, container=None)}
    judged = serve.verdicts("ab", dead, silent("refused"), HCAS, SERVING, True)
    assert [v.name for v in judged if v.stops] == ["rank on b"]
    assert [v.name for v in judged if not v.ok] == ["rank on b", "NCCL over RoCE on b", "NCCL devices on b", "canary"]


def test_a_dead_rank_is_named_with_its_cause():
    why = {"name": "free memory", "line": "ValueError: Free memory", "fix": "stop something"}
    worker = seen(
        unit={"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "1"}, cause=why, container=None
    )
    verdicts = serve.verdicts(
        ["a", "b"], {"a": seen(), "b": worker}, silent("refused"), hcas={}, says=SERVING, started=True
    )
    assert [v.name for v in verdicts if not v.ok] == ["rank on b", "canary"]
    assert verdicts[-2].reason == "free memory: ValueError: Free memory"
    assert verdicts[-2].fix == "stop something"
    assert not verdicts[-1].blocks  # the death is the reason
    assert serve.death(dataclasses.replace(worker, cause=None))[0] == "exit-code, exit 1: its log is empty"


def test_a_rank_that_ended_with_exit_code_0_has_died():
    unit = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    verdict = serve.rank_verdict("b", seen(unit=unit, container=None, log_tail=["bye"]))
    assert not verdict.ok
    assert "ended with exit code 0, though it should run: bye" in verdict.reason


def test_an_active_unit_without_a_container_is_no_rank():
    hollow = seen(container=None)
    verdict = serve.verdicts(["a"], {"a": hollow}, ALIVE, hcas={}, says=SERVING, started=True)[1]
    assert (verdict.ok, verdict.measured) == (False, "active, without a running container")


def test_a_canary_that_failed_never_passes_whatever_its_figures_say():
    odd = canary.Canary(ok=False, error="lost", tokens=9, seconds=1.0, text="Paris")
    verdict = odd.verdict("", blocks=True)
    assert (verdict.ok, verdict.reason) == (False, "lost")


def test_a_pair_that_is_not_ready_in_time_says_how_far_it_came():
    found = {"a": seen(phase="loading weights"), "b": seen()}
    canary_verdict = serve.verdicts(
        ["a", "b"], found, silent("Connection refused"), hcas={}, says=SERVING, started=True
    )[-1]
    assert canary_verdict.reason == "Connection refused; the head was at: loading weights"
    assert canary_verdict.blocks


@pytest.mark.parametrize(
    ("utilization", "memory_gib", "ok", "required"),
    [(0.8, 0, False, 96.0), (0.5, 0, True, 60.0), (None, 3, True, 3.0), (None, None, True, 0.0)],
)
def test_memory_is_asked_before_the_launch(utilization, memory_gib, ok, required):
    memory = rank.meminfo(f"MemTotal: {120 << 20} kB\nMemFree: 1 kB\nMemAvailable: {80 << 20} kB\n")
    verdict = serve.memory_verdict("a", memory, utilization, memory_gib)
    assert (verdict.ok, verdict.required, verdict.measured) == (ok, Requirement(">=", required, "GiB"), 80.0)


def test_traffic_is_counted_in_bytes():
    rail = Rail("rail1", "e", "r", "192.168.177.0/24", "192.168.177.11", 24, "192.168.177.11/24")
    assert canary.counters(rail)["rdma_sent"] == ("/sys/class/infiniband/r/ports/1/counters/port_xmit_data", 4)
    moved = canary.moved({"rail1": {"sent": 10, "gone": 1}}, {"rail1": {"sent": 35}})
    assert moved == {"rail1": {"sent": 25}}
    figures = serve.measurements(["a"], {"a": seen()}, dataclasses.replace(ALIVE, rails=moved))
    assert Measurement("canary traffic", 25, "B", "a rail1") in figures
    assert Measurement("readiness", 31.0, "s", "a") in figures


def test_the_evidence_shows_each_rank():
    shown = serve.evidence(["a"], {"a": seen(ranks=[{"rank": 0, "world_size": 2, "line": "x"}])})
    assert shown["a"].unit == "active"
    assert shown["a"].pid == 7
    assert shown["a"].ranks == (rank.Named(0, 2, "x"),)


def test_a_pair_that_was_given_up_fails_in_the_supervisors_words():
    says = Supervised("given_up", "given up: 3 restarts were not enough", "3 restarts were not enough")
    verdict = serve.verdicts("ab", {"a": seen(), "b": seen()}, ALIVE, {}, says, False)[0]
    assert (verdict.name, verdict.ok, verdict.reason) == ("supervised pair", False, "3 restarts were not enough")


def test_a_host_that_the_supervisor_cant_reach_fails_the_stage_while_the_pair_serves():
    says = dataclasses.replace(SERVING, away={"b": "Permission denied (publickey)"})
    judged = serve.verdicts("ab", {"a": seen(), "b": seen()}, ALIVE, {}, says, False)
    assert [(v.name, v.reason) for v in judged if not v.ok] == [
        ("supervisor's way to b", "Permission denied (publickey)")
    ]


@pytest.mark.parametrize(
    ("heard", "says", "started", "last"),
    [
        (BUSY, SERVING, False, ("tokens by the engine's counters, beside a canary that waits", True)),
        (BUSY, SERVING, True, ("canary", False)),  # nobody else can have asked a pair that was just started
        (BUSY, RESTARTING, False, ("canary", False)),
        (dataclasses.replace(BUSY, counted=0), SERVING, False, ("canary", False)),  # requests, and nothing moves
        (dataclasses.replace(BUSY, requests=0), SERVING, False, ("canary", False)),
        (dataclasses.replace(BUSY, tokens=3), SERVING, False, ("canary", False)),  # it answered, and wrongly
    ],
)
def test_a_canary_that_waits_behind_others_requests_is_no_fault(heard, says, started, last):
    verdict = serve.verdicts("ab", {"a": seen(), "b": seen()}, heard, {}, says, started)[-1]
    assert (verdict.name, verdict.ok) == last
