"""What preflight makes of two hosts. Cases: cases/preflight.yaml."""

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.inventory import host_facts, preflight
from ansible.module_utils.twinspark.proof.json_form import ShapeError, from_json
from ansible.module_utils.twinspark.proof.values import sentence

from tests.support import cases

ROOT = Path(__file__).resolve().parents[4]
SOUND = {
    "os": {"name": "Ubuntu 24.04.3 LTS", "dgx": "7.2.3"},
    "kernel": "6.14.0-1013-nvidia",
    "arch": "aarch64",
    "user": "spark 1000:1000",
    "root": True,
    "gpu": {"driver": "580.95.05", "names": ["NVIDIA GB10"], "problem": ""},
    "nics": [{"hca": "rocep1s0f1", "firmware": "28.45.4028"}, {"hca": "roceP2p1s0f1", "firmware": "28.45.4028"}],
    "docker": "28.3.3",
    "clock": {"offset": 0.5, "synchronized": True},
    "memory": {"total": 130595942400, "available": 118111600640, "swap_total": 0, "swap_free": 0},
    "disks": [],
    "ports": [{"port": 8000, "holder": ""}],
    "commands": {"ip": True, "netplan": True, "docker": True},
    "own_units": [],
}
NEEDS = {
    "commands": ["ip", "netplan", "docker"],
    "memory_gib": 0,
    "memory_share": 0.8,
    "clock_skew_seconds": 10,
    "expect_gpu": True,
    "expect_docker": True,
    "differences": [],
    # The versions that the role itself knows, so that a new one needs a case here and no second list.
    "known_bad": yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text())["__preflight_known_bad"],
}


def judge(**hosts):
    """Two sound hosts with differences laid over them, and over what is needed."""
    needs = from_json(preflight.Needs, {**NEEDS, **hosts.get("needs", {})}, "needs")
    facts = {host: {**SOUND, "hostname": host, **hosts.get(host, {})} for host in ("spark1", "spark2")}
    return preflight.judge({h: from_json(host_facts.HostFacts, fact, h) for h, fact in facts.items()}, needs)


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "preflight.yaml"))
def test_findings(case):
    found = [verdict for verdict in judge(**case).verdicts if not verdict.ok]
    assert [(verdict.name, verdict.blocks) for verdict in found] == [
        tuple(expected[:2]) for expected in case["findings"]
    ]
    for verdict, expected in zip(found, case["findings"], strict=True):
        for part in expected[2:]:
            assert part in sentence(verdict)


def test_every_finding_says_what_was_measured_and_what_is_required():
    for verdict in judge().verdicts:
        assert verdict.measured is not None
        assert verdict.required is not None


def test_a_known_bad_entry_of_an_unknown_kind_is_told():
    entry = {"what": "kernal", "pattern": "7*", "reason": "x", "fix": "y"}
    with pytest.raises(ShapeError, match=r"known_bad, entry 1: what must be one of os, kernel, .*, not 'kernal'"):
        judge(needs={"known_bad": [entry]})


def test_one_host_alone_has_nobody_to_differ_from():
    assert preflight.parity({"spark1": from_json(host_facts.HostFacts, {**SOUND, "hostname": "spark1"}, "")}, []) == []
