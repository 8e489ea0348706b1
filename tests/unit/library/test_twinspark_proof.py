"""Writing a proof, in a real folder."""

import json

import pytest

INPUTS = {"mtu": 9000}
GOOD = [{"name": "MTU", "ok": True}]
BAD = [{"name": "MTU", "ok": False, "measured": 1500, "required": 9000, "fix": "run the network stage"}]


@pytest.fixture
def leave(run_module, tmp_path):
    """Leave a proof in a fresh folder."""

    def leave(stage="preflight", verdicts=GOOD, inputs=INPUTS, **more):
        return run_module(
            "twinspark_proof", stage=stage, host="spark1", inputs=inputs, verdicts=verdicts,
            proofs_dir=str(tmp_path / "proofs"), **more,
        )  # fmt: skip

    return leave


def test_a_proof_is_written_once_and_kept(leave, tmp_path):
    assert leave()["changed"]
    first = (tmp_path / "proofs/preflight.json").read_text()
    assert not leave()["changed"]
    assert (tmp_path / "proofs/preflight.json").read_text() == first


def test_a_new_measurement_replaces_it(leave):
    leave()
    assert leave(remeasured=True)["changed"]


def test_a_failing_verdict_is_written_first_and_then_fails(leave, tmp_path):
    answer = leave(verdicts=BAD)
    assert answer["failed"]
    assert (
        answer["msg"] == "Stage preflight did not pass: MTU: measured 1500, required 9000. Fix: run the network stage."
    )
    assert json.loads((tmp_path / "proofs/preflight.json").read_text())["verdict"] == "fail"


def test_check_mode_writes_nothing_and_predicts(leave, tmp_path):
    answer = leave(check_mode=True)
    assert answer["changed"]
    assert '"verdict": "pass"' in answer["diff"]["after"]
    assert not (tmp_path / "proofs").exists()


def test_a_final_verdict_stops_check_mode_as_it_would_stop_a_run(leave, tmp_path):
    answer = leave(verdicts=BAD, final=True, check_mode=True)
    assert answer["failed"]
    assert not (tmp_path / "proofs").exists()
    assert not leave(verdicts=BAD, check_mode=True).get("failed")


def test_a_broken_file_is_replaced_by_a_proof(leave, tmp_path):
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs/preflight.json").write_text("{")
    assert leave()["changed"]
    assert not leave()["changed"]


def test_verdicts_of_the_wrong_form_are_told_in_a_sentence(leave):
    assert "can't become a proof" in leave(verdicts=[{"ok": True}])["msg"]


def test_a_verdict_that_contradicts_its_requirement_becomes_no_proof(leave, tmp_path):
    lie = {
        "name": "bandwidth",
        "ok": True,
        "measured": 13.1,
        "required": {"operator": ">=", "value": 90, "unit": "Gb/s"},
    }
    answer = leave(verdicts=[lie])
    assert answer["failed"]
    assert "verdict bandwidth: it says ok, but 13.1 was measured, and required is at least 90 Gb/s" in answer["msg"]
    assert not (tmp_path / "proofs").exists()


def test_a_state_that_was_put_back_stands_on_the_proof_of_its_time(leave):
    leave()
    for given, stands_on in (("sha256:old", "sha256:old"), ("", None)):
        proof = leave("network", stands_on=given, remeasured=True)["proof"]
        assert proof["predecessor"] == {"stage": "preflight", "inputs_digest": stands_on}
    assert leave("network", remeasured=True)["proof"]["predecessor"]["inputs_digest"].startswith("sha256:")
    assert leave("preflight", stands_on="sha256:old", remeasured=True)["proof"]["predecessor"] is None
