"""The signs of life. The counters' form is that of vLLM 0.26 on two H100s (own recording, 2026-11-25), shortened."""

import json

import pytest
from ansible.module_utils.twinspark.inventory.fabric import Rail
from ansible.module_utils.twinspark.serving import vitals
from ansible.module_utils.twinspark.serving.pair import Answer, Counters, Process
from hypothesis import given
from hypothesis import strategies as st

METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="deepseek-v4-flash"} 2.0
vllm:num_requests_waiting{engine="0",model_name="deepseek-v4-flash"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="deepseek-v4-flash",reason="capacity"} 1.0
vllm:prompt_tokens_total{engine="0",model_name="deepseek-v4-flash"} 1166.0
vllm:prompt_tokens_created{engine="0",model_name="deepseek-v4-flash"} 1.7955673174093666e+09
vllm:generation_tokens_total{engine="0",model_name="deepseek-v4-flash"} 11392.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="deepseek-v4-flash"} 46.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="deepseek-v4-flash"} 5.0
vllm:request_success_total{engine="0",finished_reason="error",model_name="deepseek-v4-flash"} 7.0
vllm:iteration_tokens_total_bucket{engine="0",le="+Inf",model_name="deepseek-v4-flash"} 6043.0
vllm:iteration_tokens_total_sum{engine="0",model_name="deepseek-v4-flash"} 12558.0
"""


def test_what_moves_with_tokens_only_is_counted():
    assert vitals.counters(METRICS) == Counters(1166 + 11392 + 46 + 12558, 2, 1)
    assert vitals.counters(METRICS).generated == 11392
    assert vitals.counters(METRICS).held == 3


def test_a_client_that_hangs_up_on_a_hanging_engine_is_no_sign_of_life():
    later = METRICS.replace(
        '"abort",model_name="deepseek-v4-flash"} 5.0', '"abort",model_name="deepseek-v4-flash"} 6.0'
    )
    assert later != METRICS
    assert vitals.counters(later).work == vitals.counters(METRICS).work


def test_engines_of_several_parts_are_summed():
    text = 'vllm:generation_tokens_total{engine="0"} 5\nvllm:generation_tokens_total{engine="1"} 6\n'
    assert vitals.counters(text) == Counters(11)


@pytest.mark.parametrize("text", ["", "# nothing", "process_cpu_seconds_total 5", "vllm:generation_tokens_total nan"])
def test_without_the_engine_s_counters_nothing_is_known(text):
    assert vitals.counters(text) is None


@given(st.text())
def test_no_text_is_an_exception(text):
    vitals.counters(text)
    vitals.power(text)
    vitals.mapped(text)
    vitals.entry(text, text)
    vitals.addresses(text)
    assert vitals.answer(1, 200, text).number == 1


def test_one_token_is_asked_for():
    assert vitals.question("m", "p")["max_tokens"] == 1


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, '{"usage": {"completion_tokens": 1}}', Answer(4, 1)),
        (200, '{"usage": null}', Answer(4, 0, 'the answer has no token: {"usage": null}')),
        (200, "[1]", Answer(4, 0, "the answer has no token: [1]")),
        (500, '{"usage": {"completion_tokens": 1}}', Answer(4, 0, 'HTTP 500: {"usage": {"completion_tokens": 1}}')),
    ],
)
def test_only_tokens_count(status, body, answer):
    assert vitals.answer(4, status, body) == answer


# The shape of a rank's processes on two H100s: docker-init, the server, the engine, its worker. What multiprocessing
# starts beside them has no name of vLLM's.
INIT = vitals.Entry(100, 1, "S", "/sbin/docker-init -- vllm serve")
SERVER = vitals.Entry(101, 100, "S", "/usr/bin/python3 /usr/local/bin/vllm serve")
CORE = vitals.Entry(102, 101, "R", "VLLM::EngineCore")
WORKER = vitals.Entry(103, 102, "R", "VLLM::Worker_TP0_EP0")


def test_the_engine_s_processes_are_those_that_have_named_themselves_in_its_container():
    tracker = vitals.Entry(104, 101, "S", "/usr/bin/python3 -c from multiprocessing.resource_tracker import main")
    forked = vitals.Entry(105, 103, "R", "VLLM::Worker_TP0_EP0")
    dead = vitals.Entry(106, 102, "Z", "VLLM::Worker_TP1_EP1")
    others = vitals.Entry(900, 1, "S", "VLLM::EngineCore")
    found = vitals.processes([INIT, SERVER, CORE, WORKER, tracker, forked, dead, others], 100)
    assert found == (Process(102, "VLLM::EngineCore", "R"), Process(103, "VLLM::Worker_TP0_EP0", "R"))


def test_a_stopped_process_is_there():
    stopped = vitals.Entry(103, 102, "T", "VLLM::Worker_TP0_EP0")
    assert Process(103, "VLLM::Worker_TP0_EP0", "T") in vitals.processes([INIT, SERVER, CORE, stopped], 100)


def test_parents_in_a_circle_are_nobody_s():
    assert vitals.processes([vitals.Entry(5, 6, "S", "VLLM::a"), vitals.Entry(6, 5, "S", "VLLM::b")], 100) == ()


@pytest.mark.parametrize(
    ("stat", "found"),
    [
        ("103 (VLLM::Worker_TP) S 102 100 100 0", vitals.Entry(103, 102, "S", "VLLM::x y")),
        ("7 (a) b (c) T 6 1", vitals.Entry(7, 6, "T", "VLLM::x y")),
        ("", None),
        ("7 (a", None),
    ],
)
def test_a_process_is_read_from_proc(stat, found):
    assert vitals.entry(stat, "VLLM::x\0y\0   ") == found


@pytest.mark.parametrize(
    ("text", "watts"),
    [("121.95\n117.73\n", 239.68), ("4.52\n", 4.52), ("[N/A]\n", None), ("", None), ("nan\n", None)],
)
def test_power(text, watts):
    assert vitals.power(text) == watts


def test_a_rail_is_there_when_its_address_is_on_an_interface_with_a_carrier():
    rails = [Rail(f"rail{n}", f"e{n}", "h", f"10.0.{n}.0/24", f"10.0.{n}.11", 24, f"10.0.{n}.11/24") for n in (1, 2, 3)]
    text = json.dumps([
        {"flags": ["UP", "LOWER_UP"], "addr_info": [{"local": "10.0.1.11"}, {}]},
        {"flags": ["NO-CARRIER", "UP"], "addr_info": [{"local": "10.0.2.11"}]},
        {},
    ])  # fmt: skip
    assert vitals.missing(rails, vitals.addresses(text)) == ("rail2", "rail3")


def test_shared_memory():
    names = ["psm_8a", "sem.mp-x", "torch_1_2", "nccl-AbC", "vllm_x", "pulse-shm", "psmx", "mine"]
    assert [name for name in names if vitals.is_segment(name)] == names[:5]
    maps = (
        "7f1-7f2 rw-s 00000000 00:1b 1234   /dev/shm/psm_8a b (deleted)\n"
        "7f3-7f4 r-xp 00000000 00:00 0 \n7f5-7f6 r-xp 0 08:01 55 /lib\nx\n"
    )
    assert vitals.mapped(maps) == {("00:1b", 1234), ("08:01", 55)}
