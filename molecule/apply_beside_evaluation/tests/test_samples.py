"""The evaluation that ran beside the applies has every sample, each of them scored, and no error."""

import json

import pytest

SAMPLES = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
print(json.dumps([log.status, [[s.id, s.epoch, bool(s.scores), s.error is not None] for s in log.samples]]))
"""


@pytest.fixture(scope="module")
def proof(host):
    if host.backend.get_hostname() != "spark1":
        pytest.skip("the evaluation runs on the head")
    return json.loads(host.check_output("cat /var/lib/twinspark/proofs/evaluate.json"))


def test_every_sample_is_there(host, proof):
    python = "/opt/twinspark/env/inspect/bin/python"
    status, samples = json.loads(host.check_output("%s -c %s %s", python, SAMPLES, proof["evidence"]["log"]["path"]))
    assert status == "success"
    assert len({(name, epoch) for name, epoch, *_ in samples}) == len(samples) == 8 * 8
    assert all(scored and not failed for *_, scored, failed in samples)


def test_the_apply_beside_it_left_the_serve_stage_s_proof_passing(host, proof):
    serve = json.loads(host.check_output("cat /var/lib/twinspark/proofs/serve.json"))
    assert serve["verdict"] == "pass"
    assert proof["verdict"] == "pass"
