"""The proof of a pair that was given up."""

from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Measurement, Proof, Requirement, Verdict
from ansible.module_utils.twinspark.serving import failed
from ansible.module_utils.twinspark.serving.supervised import Supervised


def test_it_fails_for_the_supervisor_s_reason_and_is_of_the_same_ranks():
    passed = proofs.build(
        stage="serve",
        host="spark1",
        written="2026-01-02T03:04:05+00:00",
        inputs={"argv": ["vllm"]},
        verdicts=[Verdict.of("canary", 5, Requirement(">=", 1))],
        measurements=[Measurement("canary", 5, "tokens")],
        overrides=["rdma"],
    )
    says = Supervised("given_up", "given up: 3 restarts did not help", "3 restarts did not help", 1767400000.0, 3)
    found = failed.given_up(passed, says)
    assert Proof.from_json(found.to_json()) == found  # as it is read again: schema 2
    assert found.written == "2026-01-03T00:26:40+00:00"
    assert (found.verdict, found.inputs, found.overrides) == ("fail", passed.inputs, ("rdma",))
    assert "3 restarts did not help" in found.reasons[0]
    assert "`twinspark apply --stage serve`" in found.reasons[0]
    assert found.measurements == ()
    assert found.evidence["passed"] == {"written": passed.written, "file": "serve.before.json"}
    judged = proofs.judge(found, inputs=passed.inputs)
    assert not judged.fresh
    assert judged.reason.startswith("it failed (supervised pair:")


def test_a_passing_proof_replaces_it():
    passed = proofs.build(
        stage="preflight", host="h", written="t", inputs={}, verdicts=[Verdict.of("v", 1, Requirement("==", 1))]
    )
    assert not proofs.keeps(failed.given_up(passed, Supervised("given_up")), passed, None)
