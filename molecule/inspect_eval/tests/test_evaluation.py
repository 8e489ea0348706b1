"""The score in the proof is the one that Inspect itself reads from its log, and nothing of the key is anywhere."""

import hashlib
import json

import pytest

HEAD = "spark1"
FOLDER = "/var/lib/twinspark/evaluate"
PYTHON = "/opt/twinspark/env/inspect/bin/python"
SCORES = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
print(json.dumps([[s.id, s.epoch, s.scores["choice"].value, s.output.usage.output_tokens] for s in log.samples]))
"""


@pytest.fixture(scope="module")
def is_head(host):
    return host.backend.get_hostname() == HEAD


@pytest.fixture(scope="module")
def proof(host, is_head):
    if not is_head:
        pytest.skip("the evaluation runs on the head")
    return json.loads(host.check_output("cat /var/lib/twinspark/proofs/evaluate.json"))


@pytest.fixture(scope="module")
def samples(host, proof):
    return json.loads(host.check_output("%s -c %s %s", PYTHON, SCORES, proof["evidence"]["log"]["path"]))


def measured(proof, name):
    return next(m["value"] for m in proof["measurements"] if m["name"] == name)


def test_the_proof_passes(proof):
    assert proof["verdict"] == "pass"
    assert proof["predecessor"]["stage"] == "serve"


def test_the_score_is_the_log_s(proof, samples):
    right = [value == "C" for _, _, value, _ in samples]
    assert measured(proof, "score") == pytest.approx(sum(right) / len(right), abs=1e-6)
    assert measured(proof, "samples_scored") == len(samples) == 8


def test_the_model_got_some_right_and_some_wrong(samples):
    """Were all answers of one kind, a broken reader of answers could not be told from a working one."""
    assert {value for _, _, value, _ in samples} == {"C", "I"}


def test_the_tokens_are_the_endpoint_s(proof, samples):
    assert measured(proof, "output_tokens") == sum(tokens for *_, tokens in samples) > 0


def test_the_log_is_the_one_that_was_judged(host, proof):
    log = proof["evidence"]["log"]
    assert hashlib.sha256(host.file(log["path"]).content).hexdigest() == log["sha256"]


def test_inspect_did_not_run_as_root(host, proof):
    assert host.file(proof["evidence"]["log"]["path"]).user != "root"


def test_the_environment_with_the_key_is_root_s(host, is_head):
    if is_head:
        found = host.file(f"{FOLDER}/endpoint.env")
        assert (found.user, found.mode) == ("root", 0o600)


def test_the_other_host_was_left_alone(host, is_head):
    if not is_head:
        assert not host.file(FOLDER).exists
        assert not host.file("/opt/twinspark/env/inspect").exists
