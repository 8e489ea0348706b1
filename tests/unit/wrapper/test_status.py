"""`twinspark status` from proofs on disk."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof.values import Proof
from rich.console import Console

from twinspark import report, status
from twinspark.pair import PairState

from .conftest import ROOT, Site

EXAMPLE = ROOT / "docs/examples/rdma-failed"
NOW = datetime(2026, 11, 23, 22, 40, tzinfo=UTC)
SERVING = PairState("serving", "serving", "spark1", since=1.0, seconds=3600.0, restarts=0)
FAILED = {
    "verdicts": [
        {"name": "write_bw", "ok": False, "measured": 13e9, "required": 90e9, "unit": "bit/s", "fix": "reboot"}
    ]
}


def states(folder: Path) -> dict[str, str]:
    return {row.stage: row.state for row in status.rows(folder, NOW)}


def test_nothing_was_run(tmp_path: Path) -> None:
    assert set(states(tmp_path / "none").values()) == {"missing"}


def test_pass_fail_and_missing(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight", "network", "rdma", rdma=FAILED)
    assert list(states(tmp_path).values())[:4] == ["pass", "pass", "fail", "missing"]
    rdma = status.rows(tmp_path, NOW)[2]
    assert "Fix: reboot" in rdma.why
    assert rdma.age_seconds == 30 * 60


def test_what_stood_on_a_remade_proof_is_stale(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight", "network", "rdma")
    proof_files(tmp_path, "preflight", "network", network={"inputs": {"of": "other rails"}})
    assert states(tmp_path)["rdma"] == "stale"


def test_a_broken_file_is_told_and_breaks_nothing(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight", "network")
    (tmp_path / "network.json").write_text("{")
    assert states(tmp_path) | {"preflight": "pass", "network": "unreadable"} == states(tmp_path)


@pytest.mark.parametrize("part", sorted(part.name for part in fields(Proof)))
def test_a_proof_that_lacks_a_part_is_told_and_breaks_nothing(
    tmp_path: Path, proof_files: Callable[..., None], part: str
) -> None:
    proof_files(tmp_path, "preflight", "network", network=FAILED)
    document = json.loads((tmp_path / "network.json").read_text())
    del document[part]
    (tmp_path / "network.json").write_text(json.dumps(document))
    row = status.rows(tmp_path, NOW)[1]
    assert row.state == "unreadable"
    assert (
        f"network.json is not a proof that can be read (proof: {part} is missing); remove it and run the stage again"
        in row.why
    )
    assert report.build(tmp_path, NOW)["verdict"] == "failed"


def test_simulated_and_overridden_are_said(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight", preflight={"simulated": ["a stand-in"], "overrides": ["network"]})
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    status.show(status.rows(tmp_path, NOW), as_json=False, pair=SERVING, console=console)
    assert console.export_text(clear=False).splitlines()[0] == "pair: serving; for 1 h 00 min"
    assert "simulated; OVERRIDDEN: network" in console.export_text()


def test_json_is_for_machines(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight")
    console = Console(width=20, record=True, file=(tmp_path / "out").open("w"))
    status.show(status.rows(tmp_path, NOW), as_json=True, pair=SERVING, console=console)
    document = json.loads(console.export_text())
    assert (document["schema"], document["pair"]["state"], document["pair"]["seconds"]) == (2, "serving", 3600)
    first = document["stages"][0]
    assert (first["stage"], first["state"], first["age_seconds"]) == ("preflight", "pass", 1800.0)


LIVE = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(live={"gpu_problem": "nvidia-smi is not installed"}, told=["memory: 3 of 4 GiB available"])
"""
CANARY = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(canary={"ok": True, "tokens": 3}, answer="Paris")
"""


@pytest.fixture
def living(site: Site) -> Site:
    """A site whose hosts tell of themselves."""
    (site.project / "library/twinspark_live_info.py").write_text(LIVE)
    (site.project / "library/twinspark_canary.py").write_text(CANARY)
    site.play(
        "status",
        {"name": "Read", "twinspark_live_info": {}, "register": "seen"},
        {"name": "Print", "ansible.builtin.debug": {"msg": "{{ seen.told }}"}},
        {"name": "Ask", "twinspark_canary": {}, "when": "live_ask and inventory_hostname == 'spark1'"},
    )
    return site


def test_live_prints_what_the_hosts_tell(living: Site) -> None:
    done = living.twinspark("status", "--live")
    assert done.returncode == 0, done.stderr
    assert "spark2: memory: 3 of 4 GiB available" in done.stdout
    assert "pair: nothing is served yet" in done.stdout or "pair: not reached" in done.stdout


def test_live_as_json_is_json_and_nothing_else(living: Site) -> None:
    document = json.loads(living.twinspark("status", "--live", "--json").stdout)
    assert set(document["live"]["hosts"]) == {"spark1", "spark2"}
    assert document["live"]["hosts"]["spark1"] == {"gpu_problem": "nvidia-smi is not installed"}
    assert document["live"]["canary"] is None
    asked = json.loads(living.twinspark("status", "--live", "--ask", "--json").stdout)
    assert asked["live"]["canary"] == {"ok": True, "tokens": 3}


def test_a_question_goes_with_live(site: Site) -> None:
    done = site.twinspark("status", "--ask")
    assert done.returncode == 2
    assert "--ask goes with --live" in done.stderr


def test_several_verdicts_are_a_line_each() -> None:
    """The example that the documents point to: recorded in the lab, with a threshold above what its stand-in plays."""
    row = next(row for row in status.rows(EXAMPLE, NOW) if row.stage == "rdma")
    assert row.state == "fail"
    figures = [line for line in row.why.splitlines() if line.startswith("write_bw")]
    assert len(figures) == 4
    assert figures[0] == "write_bw rail1 spark1 -> spark2: measured 107.3 Gb/s, required at least 120 Gb/s"
    assert row.why.splitlines()[4:] == [
        "The rail is slower than it has to be.",
        "Fix: Check the PCIe width, the MTU of both ends, ip -s link, and whether anything else uses the rail.",
    ]


def test_a_folder_of_proofs_needs_no_inventory(site: Site, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            site.argv(*words), env=site.environment(), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    told = run("status", "--proofs", str(EXAMPLE))
    assert told.returncode == 0, told.stderr
    assert "write_bw rail2 spark2 -> spark1: measured 107.3 Gb/s, required at least 120 Gb/s" in told.stdout
    made = run("report", "--proofs", str(EXAMPLE), "-o", str(tmp_path / "page"))
    assert made.returncode == 0, made.stderr
    assert json.loads((tmp_path / "page/report.json").read_text())["verdict"] == "failed"
    empty = run("status", "--proofs", str(tmp_path / "page/none"))
    assert (empty.returncode, "has no proof: name a folder" in empty.stderr) == (2, True)
    assert run("report", "--proofs", str(EXAMPLE)).returncode == 2


@pytest.mark.parametrize("verb", ["status", "report"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("sparks: {hosts: {spark1: {", "Ansible can't read"),
        ("", "No host is in the"),
        ("a: {}\n", "No host is in the"),
    ],
    ids=["broken", "empty", "no host"],
)
def test_an_inventory_that_can_not_be_right_is_told(site: Site, verb: str, content: str, sentence: str) -> None:
    (site.project / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    site.inventory.write_text(content)
    done = site.twinspark(verb)
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--live"], 2)])
def test_one_that_is_encrypted_has_proofs_all_the_same(site: Site, tmp_path: Path, words: list[str], code: int) -> None:
    (tmp_path / "word").write_text("open sesame\n")
    vault = Path(sys.executable).with_name("ansible-vault")
    argv = [vault, "encrypt", "--vault-password-file", tmp_path / "word", site.inventory]
    subprocess.run(argv, check=True, capture_output=True)
    (site.project / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    site.play("status", {"name": "Ping", "ansible.builtin.ping": {}})
    done = site.twinspark("status", *words)
    assert done.returncode == code, done.stderr
