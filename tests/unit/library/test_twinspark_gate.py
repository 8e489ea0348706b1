"""The gate before a stage, on proofs in a real folder."""

import json

import pytest

INPUTS = {"mtu": 9000}
GOOD = [{"name": "MTU", "ok": True}]
BAD = [{"name": "MTU", "ok": False, "measured": 1500, "required": 9000, "fix": "run the network stage"}]


@pytest.fixture
def leave(run_module, tmp_path):
    """Write a proof for the gate to find."""

    def leave(verdicts=GOOD):
        return run_module(
            "twinspark_proof", stage="preflight", host="spark1", inputs=INPUTS, verdicts=verdicts,
            proofs_dir=str(tmp_path / "proofs"),
        )  # fmt: skip

    return leave


@pytest.fixture
def ask(run_module, tmp_path):
    """Ask the gate."""

    def ask(stage="preflight", inputs=INPUTS, **more):
        return run_module("twinspark_gate", stage=stage, inputs=inputs, proofs_dir=str(tmp_path / "proofs"), **more)

    return ask


def test_the_gate_opens_for_a_fresh_proof_only(leave, ask):
    assert ask(needed_by="network")["failed"]
    leave()
    assert ask()["fresh"]
    stale = ask(inputs={"mtu": 1500}, needed_by="network")
    assert stale["failed"]
    assert "Stage network refused" in stale["msg"]
    assert "inputs have changed since: mtu" in stale["msg"]


def test_the_gate_warns_in_check_mode(ask):
    answer = ask(check_mode=True)
    assert not answer.get("failed")
    assert answer["would_refuse"]
    assert answer["msg"].startswith("Refused: it needs a passing proof")
    assert len(answer["warnings"]) == 1


def test_a_probe_tells_and_never_refuses(leave, ask):
    assert ask(probe=True)["fresh"] is False
    leave(verdicts=BAD)
    assert "it failed" in ask(probe=True)["reason"]


def test_an_override_is_said(ask):
    answer = ask(override=["preflight"])
    assert answer["overridden"]
    assert not answer["fresh"]


def test_an_overridden_stage_still_measures_itself(leave, ask):
    leave(verdicts=BAD)
    assert not ask(probe=True, override=["preflight"])["fresh"]


def test_a_proof_that_was_just_seen_to_be_untrue_does_not_open_the_gate(leave, ask):
    leave()
    answer = ask(contradictions=["spark2: enp1s0f1np1 has mtu 1500, not 9000"], needed_by="network")
    assert answer["failed"]
    assert (
        "the present one no longer holds (spark2: enp1s0f1np1 has mtu 1500, not 9000). Fix: `twinspark apply"
        in answer["msg"]
    )
    assert ask(contradictions=["spark2: gone"], override=["preflight"])["overridden"]


def test_a_proof_of_the_version_before_opens_the_gate_and_is_kept(leave, ask, tmp_path):
    leave()
    path = tmp_path / "proofs/preflight.json"
    document = json.loads(path.read_text())
    verdict = {"name": "clocks", "ok": True, "measured": 0.1, "required": "at most 10", "unit": "s", "cure": "set-ntp"}
    before = json.dumps({**document, "schema": 1, "verdicts": [verdict]})
    path.write_text(before)
    assert ask()["fresh"]
    assert ask()["proof"]["verdicts"][0]["required"] == {"operator": "<=", "value": 10, "unit": "s"}
    assert not leave()["changed"]
    assert path.read_text() == before
