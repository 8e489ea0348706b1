"""The gate of `start` and `restart`, on files in a real folder."""

import json

import pytest
from ansible.module_utils.twinspark.serving.pair import State, Wish


@pytest.fixture
def gate(run_module, tmp_path):
    def ask(moment, check_mode=False, **more):
        folders = {"folder": str(tmp_path), "proofs_dir": str(tmp_path / "proofs")}
        return run_module("twinspark_pair_gate", check_mode=check_mode, moment=moment, **folders, **more)

    return ask


def supervisor(tmp_path, kind, told):
    state = State(kind=kind, wish=Wish(id="w", verb="start")).to_json()
    (tmp_path / "state.json").write_text(json.dumps({"sentence": told, "state": state, "hosts": []}))


def test_before_the_first_apply_it_is_refused(gate):
    said = gate("before", supervisor=False)
    assert said["failed"]
    assert said["msg"].startswith("Nothing was started: nothing was served here yet")


def test_a_failed_fabric_is_refused(gate, run_module, tmp_path):
    bad = [{"name": "MTU", "ok": False, "measured": 1500, "required": 9000, "fix": "run the network stage"}]
    proofs = str(tmp_path / "proofs")
    run_module("twinspark_proof", stage="network", host="a", inputs={}, verdicts=bad, proofs_dir=proofs)
    assert "the last proof of stage network failed" in gate("before")["msg"]
    assert gate("before", override=["network"])["reason"] == ""


def test_in_check_mode_it_only_warns(gate):
    said = gate("before", check_mode=True, supervisor=False)
    assert not said.get("failed")
    assert "A real run would stop here: nothing was served" in json.dumps(said["warnings"])


def test_a_pair_that_was_given_up_is_refused_with_its_reason(gate, tmp_path):
    supervisor(tmp_path, "given_up", "given up: out of memory")
    assert gate("after", wish="w")["msg"].startswith("given up: out of memory. Fix: ")


def test_a_pair_that_serves_and_answers_passes(gate, tmp_path):
    supervisor(tmp_path, "serving", "serving")
    assert not gate("after", wish="w", canary={"ok": True, "error": "", "tokens": 3}).get("failed")
    assert gate("after", wish="w", canary={"ok": False, "error": "HTTP 500"})["failed"]


def test_a_proof_that_cant_be_read_is_told(gate, tmp_path):
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs/rdma.json").write_text("{")
    assert "can't be read as a proof" in gate("before")["msg"]
