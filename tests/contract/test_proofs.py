"""Promises that the proof of every stage keeps."""

import json

import pytest
from ansible.module_utils.twinspark.proof.proofs import STAGES, dump, parse
from ansible.module_utils.twinspark.proof.values import SCHEMA, Requirement, Verdict

VERDICTS = [
    Verdict.of("bandwidth", 107.34, Requirement(">=", 90.0, "Gb/s")).to_json(),
    Verdict.of("spread", 21.5, Requirement("<=", 15.0, "%"), blocks=False, reason="it varies", fix="again").to_json(),
    Verdict.told("MTU", True, "4096 on both", "the same on every host").to_json(),
]
MEASURED = [{"name": "write_bw", "subject": "rail1", "value": 107.34e9, "unit": "bit/s", "repeats": 3, "lowest": 1.0}]


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_written_has_a_schema_version_and_comes_back_as_it_was(run_module, tmp_path, stage):
    given = {"stage": stage, "host": "spark1", "inputs": {"mtu": 9000}, "verdicts": VERDICTS, "measurements": MEASURED}
    answer = run_module("twinspark_proof", **given, proofs_dir=str(tmp_path))
    text = (tmp_path / f"{stage}.json").read_text()
    assert json.loads(text)["schema"] == SCHEMA
    assert dump(parse(text, stage, "the file")) == text
    assert answer["proof"] == json.loads(text)
    assert json.loads(text)["verdicts"] == VERDICTS
