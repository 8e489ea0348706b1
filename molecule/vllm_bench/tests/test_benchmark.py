"""The figures in the proof are those of vLLM's own result files, and the engine is left as it was."""

import json

import pytest

HEAD = "spark1"


@pytest.fixture(scope="module")
def proof(host):
    if host.backend.get_hostname() != HEAD:
        pytest.skip("the benchmark runs on the head")
    return json.loads(host.check_output("cat /var/lib/twinspark/proofs/benchmark.json"))


@pytest.fixture(scope="module")
def results(host, proof):
    return [json.loads(host.check_output("cat %s", entry["path"])) for entry in proof["evidence"]["files"]]


def test_the_proof_passes(proof):
    assert proof["verdict"] == "pass"


def test_every_case_has_a_result(proof, results):
    settings = proof["inputs"]["settings"]
    assert len(results) == len(settings["concurrency"]) + len(settings["diversity"])
    assert all(result["completed"] == result["num_prompts"] and not result["failed"] for result in results)


def test_throughput_is_tokens_over_time(proof, results):
    told = [m["value"] for m in proof["measurements"] if m["name"] == "throughput"]
    assert told == [pytest.approx(r["total_output_tokens"] / r["duration"], abs=1e-2) for r in results]


def test_tokens_are_counted_by_the_endpoint(proof, results):
    """Every answer is as long as was asked for: counting streamed chunks would not give that."""
    asked = proof["inputs"]["settings"]["output_tokens"]
    assert all(result["total_output_tokens"] == asked * result["completed"] for result in results)


def test_the_engine_spoke_of_it(proof):
    assert any(rates for rates in proof["evidence"]["engine_rates"].values())


def test_nothing_is_left_in_the_engine_s_container(host, proof):
    with host.sudo():
        assert host.run("docker exec twinspark-vllm test -e /tmp/twinspark-bench").rc == 1
        assert host.service("twinspark-vllm").is_running
