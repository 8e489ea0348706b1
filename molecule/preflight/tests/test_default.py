"""Preflight leaves its findings and nothing else."""

import json

PROOF = "/var/lib/twinspark/proofs/preflight.json"


def test_findings_are_kept_on_the_head_only(host):
    head = host.backend.get_hostname() == "spark1"
    assert host.file(PROOF).exists == head


def test_every_finding_says_what_was_expected_and_found(host):
    if not host.file(PROOF).exists:
        return
    proof = json.loads(host.file(PROOF).content_string)
    assert proof["verdict"] == "pass"
    assert len(proof["verdicts"]) > 20
    for finding in proof["verdicts"]:
        assert finding["measured"] is not None
        assert finding["required"]
        assert finding["ok"] or (finding["reason"] and finding["fix"])
