"""One clear sentence out of a raw failure: cases/explain.yaml."""

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.twinspark.inventory.explain import Failure, explain

from tests.support import cases

CASES = cases(Path(__file__).parent / "cases/explain.yaml")


@pytest.mark.parametrize("case", CASES)
def test_explain(case: dict[str, Any]) -> None:
    given = {key: value for key, value in case.items() if key not in {"name", "kind", "sentence"}}
    said = explain(Failure(host="spark1", **given))
    assert (said.kind, said.sentence) == (case["kind"], case["sentence"])


def test_verdicts_that_did_not_pass_are_a_line_each(root: Path) -> None:
    proof = json.loads((root / "docs/examples/rdma-failed/rdma.json").read_text())
    result = {"msg": "Stage rdma did not pass: " + " ".join(proof["reasons"]), "proof": proof}
    said = explain(Failure(host="spark1", action="twinspark_proof", task="Write the proof", result=result))
    assert said.kind == "gate"
    assert said.lines[:2] == [
        "spark1: Stage rdma did not pass:",
        "  write_bw rail1 spark1 -> spark2: measured 107.3 Gb/s, required at least 120 Gb/s",
    ]
    assert [line.strip()[:4] for line in said.lines[5:]] == ["The ", "Fix:"]
    one = {**proof, "verdicts": [verdict for verdict in proof["verdicts"] if verdict["ok"]] + proof["verdicts"][:1]}
    one = {**one, "verdict": "fail" if not proof["verdicts"][0]["ok"] else "pass"}
    alone = explain(Failure(host="spark1", action="twinspark_proof", result={"msg": "did not pass", "proof": one}))
    assert alone.lines == ["spark1: did not pass."]
    broken = explain(Failure(host="spark1", action="twinspark_proof", result={"msg": "no proof", "proof": {"a": 1}}))
    assert broken.lines == ["spark1: no proof."]


@pytest.mark.parametrize("case", CASES)
def test_no_fix_weakens_a_check(case: dict[str, Any]) -> None:
    assert "StrictHostKeyChecking" not in case["sentence"]
    assert "host_key_checking" not in case["sentence"].lower()
