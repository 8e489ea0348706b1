"""Results of `vllm bench serve`, the engine's log and nvidia-smi's samples. Cases: cases/spec_decoding.yaml."""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.evaluation import bench_result
from ansible.module_utils.twinspark.proof.json_form import to_json

from tests.support import cases


@pytest.mark.parametrize("given", cases(Path(__file__).parent / "cases/spec_decoding.yaml"))
def test_the_engine_s_log(given):
    assert (to_json(bench_result.acceptance(given["lines"])) or {}) == given["acceptance"]
    assert [list(row) for row in bench_result.generation_rates(given["lines"])] == given["rates"]


def test_power_skips_what_the_machine_does_not_tell():
    samples = "31.20, 2400, 65, 94\n30.80, 2380, 66, [N/A]\n[N/A], 2390, 66, 95\n"
    found = bench_result.power(samples)
    assert found["power"] == bench_result.Samples(31.0, 30.8, 31.2)
    assert found["utilisation"].mean == 94.5
    assert bench_result.power("") == {}
