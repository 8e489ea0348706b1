"""`twinspark status` from proofs on disk."""

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof.values import Proof
from rich.console import Console

from twinspark import report, status
from twinspark.pair import PairState

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
