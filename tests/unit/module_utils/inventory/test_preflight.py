"""What preflight makes of two hosts. Cases: cases/preflight.yaml."""

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.inventory import preflight
from ansible.module_utils.twinspark.proof import proofs

from tests.support import cases

ROOT = Path(__file__).resolve().parents[3]
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


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "preflight.yaml"))
def test_findings(case):
    facts = {host: {**SOUND, "hostname": host, **case.get(host, {})} for host in ("spark1", "spark2")}
    judged = preflight.judge(facts, {**NEEDS, **case.get("needs", {})})
    found = [verdict for verdict in judged["verdicts"] if not verdict["ok"]]
    assert [(verdict["name"], verdict.get("blocks", True)) for verdict in found] == [
        tuple(expected[:2]) for expected in case["findings"]
    ]
    for verdict, expected in zip(found, case["findings"], strict=True):
        for part in expected[2:]:
            assert part in proofs.sentence(verdict)


def test_every_finding_is_whole():
    facts = {host: {**SOUND, "hostname": host} for host in ("spark1", "spark2")}
    for verdict in preflight.judge(facts, NEEDS)["verdicts"]:
        assert {"name", "ok", "measured", "required", "reason", "fix"} <= set(verdict)


def test_one_host_alone_has_nobody_to_differ_from():
    assert preflight.parity({"spark1": SOUND}, []) == []


def test_listeners():
    # `ss -H -l -t -n -p` of iproute2 6.15.
    text = (
        "LISTEN 0      4096   127.0.0.11:38427 0.0.0.0:*\n"
        'LISTEN 0      128       0.0.0.0:22    0.0.0.0:*    users:(("sshd",pid=812,fd=6))\n'
        'LISTEN 0      2048            *:8000        *:*    users:(("python3",pid=99,fd=3))\n'
        "LISTEN 0      128          [::]:22       [::]:*\n\n"
    )
    found = preflight.listeners(text)
    assert found[38427] == "a program"
    assert found[8000] == "python3"
    assert set(found) == {38427, 22, 8000}


def test_meminfo_and_os_release():
    assert preflight.meminfo("MemTotal:       100 kB\nMemAvailable:    50 kB\nHugePages_Total:   0\n") == {
        "total": 102400,
        "available": 51200,
        "swap_total": 0,
        "swap_free": 0,
    }
    release = preflight.os_release('# c\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\nDGX_OTA_VERSION="7.2.3"\n')
    assert release == {"PRETTY_NAME": "Ubuntu 24.04.3 LTS", "DGX_OTA_VERSION": "7.2.3"}
