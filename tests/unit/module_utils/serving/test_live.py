"""The pair at this moment, from recorded texts.

cases/live/metrics.txt: vLLM 0.26 on two H100s after seven benchmark cases (own recording, 2026-11-25; the families that
are read, whole). The lines of nvidia-smi are of the same recording.
"""

from pathlib import Path

import pytest
from ansible.module_utils.twinspark.serving import live
from ansible.module_utils.twinspark.serving.live import Counts, Engine, Gpu, Live
from ansible.module_utils.twinspark.serving.rank import Memory
from ansible.module_utils.twinspark.serving.supervised import Supervised
from hypothesis import given
from hypothesis import strategies as st

METRICS = (Path(__file__).parent / "cases/live/metrics.txt").read_text()
GIB = 1 << 30


def test_every_count_is_read_from_what_vllm_printed():
    assert live.counts(METRICS) == Counts(
        generated_tokens=11392.0,
        prompt_tokens=1166.0,
        running_requests=0.0,
        waiting_requests=0.0,
        kv_cache_used_percent=0.0,
    )


def test_a_cache_in_use_is_a_share_of_a_hundred():
    used = METRICS.replace('vllm:kv_cache_usage_perc{engine="0",model_name="deepseek-v4-flash"} 0.0',
                           'vllm:kv_cache_usage_perc{engine="0",model_name="deepseek-v4-flash"} 0.03125')  # fmt: skip
    assert live.counts(used).kv_cache_used_percent == 3.12


def test_of_two_engines_tokens_are_added_and_the_fullest_cache_counts():
    both = (
        'vllm:generation_tokens_total{engine="0"} 10\nvllm:generation_tokens_total{engine="1"} 5\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.1\nvllm:kv_cache_usage_perc{engine="1"} 0.4\n'
    )
    assert live.counts(both) == Counts(generated_tokens=15, kv_cache_used_percent=40)


@pytest.mark.parametrize("text", ["", "<html>404</html>", "# TYPE vllm:x gauge", "vllm:generation_tokens_total NaN"])
def test_what_is_not_there_is_not_zero(text):
    assert live.counts(text) == Counts()


def test_rates_are_made_of_two_looks():
    before, after = Counts(generated_tokens=100, prompt_tokens=50), Counts(generated_tokens=190, prompt_tokens=50)
    found = live.engine(before, after, 4.0)
    assert (found.generated_tokens_per_second, found.prompt_tokens_per_second, found.problem) == (22.5, 0.0, "")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (None, None, "the engine does not answer"),
        (Counts(generated_tokens=5), None, "the engine does not answer"),
        (Counts(), Counts(), "its /metrics have none of vLLM's counters"),
        (Counts(generated_tokens=500), Counts(generated_tokens=3), "its counters began anew between the two looks"),
    ],
)
def test_without_two_looks_at_one_engine_there_is_no_rate(before, after, problem):
    found = live.engine(before, after, 4.0)
    assert (found.generated_tokens_per_second, found.problem) == (None, problem)


def test_gpus_as_nvidia_smi_printed_them():
    assert live.gpus("121.95, 1980, 39, 0\n117.73, 1980, 37, 4\n") == (
        Gpu(power_watts=121.95, sm_clock_mhz=1980, temperature_celsius=39, utilization_percent=0),
        Gpu(power_watts=117.73, sm_clock_mhz=1980, temperature_celsius=37, utilization_percent=4),
    )


def test_a_cell_that_is_no_figure_is_not_told():
    (gpu,) = live.gpus("[N/A], 208, 38, [Not Supported]\n")
    assert gpu == Gpu(sm_clock_mhz=208, temperature_celsius=38)
    assert live.gpu_told(gpu) == "power not told, 38 degC, 208 MHz, utilization not told"


@given(st.text())
def test_any_text_is_read_or_refused_in_silence(text):
    live.counts(text)
    live.gpus(text)


def test_the_head_in_words():
    seen = Live(
        memory=Memory(total=119 * GIB, available=12 * GIB),
        gpus=(Gpu(power_watts=36.2, sm_clock_mhz=2405, temperature_celsius=61, utilization_percent=96),),
        engine=Engine(seconds=4.01, generated_tokens_per_second=41.25, prompt_tokens_per_second=0.0,
                      running_requests=2, waiting_requests=0, kv_cache_used_percent=3.1),
        supervised=Supervised("busy", "busy", since=1795567317.0, restarts=1),
    )  # fmt: skip
    assert live.told(seen, 1795567317.0 + 7500) == [
        "pair: busy, since 2026-11-25 00:41:57 UTC (2 h 05 min), 1 restart counted",
        "engine: 41.25 tokens/s generated, 0 tokens/s of prompts, over 4.01 s, 2 requests running, 0 waiting, "
        "KV cache 3.1% used",
        "memory: 12 of 119 GiB available",
        "GPU: 36.2 W, 61 degC, 2405 MHz, 96% busy",
    ]


def test_what_is_not_known_is_said_so():
    seen = Live(
        gpu_problem="nvidia-smi is not installed",
        engine=Engine(seconds=0, problem="the engine does not answer"),
        supervised=Supervised(),
    )
    assert live.told(seen, 0) == [
        "pair: not known, no supervisor has written its state",
        "engine: nothing is known, the engine does not answer",
        "memory: not known, /proc/meminfo does not tell it",
        "GPU: not known, nvidia-smi is not installed",
    ]


def test_a_part_that_is_not_known_has_a_word_for_it():
    said = live.engine_told(Engine(seconds=4, running_requests=1, problem="its counters began anew"))
    assert said.startswith(
        "engine: unknown tokens/s generated, unknown tokens/s of prompts, over 4 s, 1 requests running"
    )
    assert said.endswith("KV cache unknown used (its counters began anew)")
