"""Proofs: what they are bound to, when they hold, and how a refusal reads."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.proof import proofs
from ansible.module_utils.twinspark.proof.values import Requirement, Verdict, sentences
from ansible.module_utils.twinspark_host.proofs import load
from hypothesis import given
from hypothesis import strategies as st

GOOD = [Verdict("MTU", True)]
AT_LEAST = Requirement(">=", 90, "Gb/s")
BAD = [Verdict.of("bandwidth", 13.1, AT_LEAST, reason="power-delivery fault.", fix="pull AC for 60 s")]


def make(stage="network", inputs=None, verdicts=GOOD, **more):
    return proofs.build(
        stage=stage, host="spark1", written="2026-01-01T00:00:00+00:00", inputs=inputs or {"mtu": 9000},
        verdicts=verdicts, **more,
    )  # fmt: skip


def line(upto, **last):
    """A chain of passing proofs up to and including a stage."""
    chain, before = {}, None
    for stage in proofs.STAGES[: proofs.STAGES.index(upto) + 1]:
        before = make(stage, predecessor=before, **(last if stage == upto else {}))
        chain[stage] = before
    return chain


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_digest_does_not_depend_on_order(inputs):
    assert proofs.digest(inputs) == proofs.digest(dict(reversed(inputs.items())))


def test_digest_tells_different_inputs_apart():
    assert proofs.digest({"mtu": 9000}) != proofs.digest({"mtu": 1500})


def test_a_proof_without_verdicts_is_refused():
    with pytest.raises(proofs.ProofError, match="at least one verdict"):
        make(verdicts=[])


def test_failing_verdict_makes_a_failing_proof_that_says_all():
    proof = make(verdicts=[*GOOD, *BAD])
    assert proof.verdict == "fail"
    assert proof.reasons == (
        "bandwidth: measured 13.1 Gb/s, required at least 90 Gb/s. power-delivery fault. Fix: pull AC for 60 s.",
    )


def test_a_finding_that_does_not_block_lets_the_proof_pass():
    assert make(verdicts=[replace(BAD[0], blocks=False)]).verdict == "pass"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inputs": {"mtu": 1500}}, "inputs have changed since: mtu"),
        ({"inputs": {"mtu": 9000, "rails": 2}}, "inputs have changed since: rails"),
    ],
)
def test_changed_inputs_make_it_stale_and_name_the_keys_only(change, reason):
    assert reason in proofs.judge(make(), **change).reason


def test_a_reboot_makes_a_boot_bound_proof_stale():
    proof = make("preflight", boot_ids={"spark2": "a"})
    assert proofs.judge(proof, boot_ids={"spark2": "a"}).fresh
    assert proofs.judge(proof, boot_ids={"spark2": "b"}).reason == "spark2 was rebooted since"


def test_a_chain_holds_and_breaks_at_its_weakest_link():
    chain = line("weights")
    assert proofs.judge_chain(chain, "weights", inputs={"mtu": 9000}).fresh
    chain["network"] = make("network", verdicts=BAD, predecessor=chain["preflight"])
    broken = proofs.judge_chain(chain, "weights", inputs={"mtu": 9000})
    assert not broken.fresh
    assert "network proof before it does not hold: it failed" in broken.reason


def test_a_reboot_deep_in_the_chain_is_seen():
    chain = line("rdma", boot_ids={"spark1": "old"})
    chain["weights"] = make("weights", predecessor=chain["rdma"])
    state = proofs.judge_chain(chain, "weights", boot_ids={"spark1": "new"})
    assert "spark1 was rebooted since" in state.reason


def test_a_predecessor_made_from_other_inputs_breaks_the_chain():
    chain = line("rdma")
    chain["network"] = make("network", inputs={"mtu": 1500}, predecessor=chain["preflight"])
    assert "made again from other inputs" in proofs.judge_chain(chain, "rdma").reason


def test_a_remeasured_predecessor_of_the_same_inputs_does_not():
    chain = line("rdma")
    chain["network"] = replace(chain["network"], written="2027-01-01T00:00:00+00:00")
    assert proofs.judge_chain(chain, "rdma").fresh


def test_an_override_passes_and_is_inherited_by_every_later_proof():
    chain = {"weights": make("weights", overrides=["rdma"])}
    assert proofs.judge_chain(chain, "rdma", overrides=["rdma"]).fresh
    assert proofs.judge_chain(chain, "weights").fresh
    assert make("image", predecessor=chain["weights"]).overrides == ("rdma",)


def test_keeps_a_standing_proof_only_when_it_says_the_same():
    old = make()
    assert not proofs.keeps(None, old, None)
    assert proofs.keeps(make("preflight"), make("preflight"), None)
    assert not proofs.keeps(make("preflight"), make("preflight", inputs={"mtu": 1}), None)
    assert not proofs.keeps(make("preflight"), make("preflight", verdicts=BAD), None)
    assert not proofs.keeps(make("preflight", verdicts=BAD), make("preflight"), None)


def test_round_trip(tmp_path: Path):
    (tmp_path / "network.json").write_text(proofs.dump(make()))
    assert load(tmp_path, "network") == make()
    assert load(tmp_path, "rdma") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 100_000, '{"schema": 99, "stage": "network"}', '{"schema": 1, "stage": "rdma"}']
)
def test_a_file_that_is_no_proof_says_so(tmp_path: Path, text):
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(proofs.ProofError, match="run the stage again"):
        load(tmp_path, "network")


def test_a_proof_is_plain_json():
    assert json.loads(proofs.dump(make()))["stage"] == "network"


def test_the_refusal_names_the_fix():
    text = proofs.refusal("rdma", "there is none", "weights")
    assert text.startswith("Stage weights refused: it needs a passing proof of stage rdma, and there is none.")
    assert "`twinspark apply --stage rdma`" in text


def test_verdicts_with_the_same_reason_and_fix_share_a_sentence():
    other = replace(BAD[0], name="other rail", measured=12.9)
    assert sentences([BAD[0], other, Verdict("alone", False, reason="why")]) == [
        "bandwidth: measured 13.1 Gb/s, required at least 90 Gb/s; "
        "other rail: measured 12.9 Gb/s, required at least 90 Gb/s. "
        "power-delivery fault. Fix: pull AC for 60 s.",
        "alone. Why.",
    ]
