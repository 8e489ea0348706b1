"""What is measured, in which order, and how long it takes."""

from collections import Counter

import pytest
import yaml
from ansible.module_utils.twinspark.inventory.fabric import fabric
from ansible.module_utils.twinspark.proof.json_form import from_json, to_json
from ansible.module_utils.twinspark.rdma import plan as rdma_plan
from ansible.module_utils.twinspark.rdma.perftest_run import ports

RAILS = [
    {"name": "rail1", "interface": "enp1s0f1np1", "hca": "rocep1s0f1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "enP2p1s0f1np1", "hca": "roceP2p1s0f1", "subnet": "192.168.178.0/24"},
]


def hosts(count, rails=RAILS):
    names = [f"spark{number}" for number in range(1, count + 1)]
    return fabric(names, {n: {"twinspark_rails": rails, "ansible_host": f"10.0.0.{i}"} for i, n in enumerate(names)})


def planned(count, unusable=None, rails=RAILS, **given):
    """The plan as Ansible gets it."""
    return to_json(made(count, unusable, rails, **given))


def made(count, unusable=None, rails=RAILS, **given):
    return rdma_plan.plan(hosts(count, rails), from_json(rdma_plan.Settings, given, "settings"), unusable)


def test_a_pair_is_measured_in_both_directions_each_rail_alone_and_then_together():
    steps = planned(2)["steps"]
    assert [step["subject"] for step in steps] == [
        "rail1 spark1 -> spark2", "rail2 spark1 -> spark2", "2 rails spark1 -> spark2",
        "rail1 spark2 -> spark1", "rail2 spark2 -> spark1", "2 rails spark2 -> spark1",
    ]  # fmt: skip
    assert [step["kind"] for step in steps] == ["alone", "alone", "together"] * 2


def test_the_defaults_take_less_than_90_seconds_for_a_pair():
    assert planned(2)["seconds"] < 90


def test_the_article_s_options_are_used():
    first, *_, last = planned(2)["steps"][0]["runs"]
    assert first["options"] == ["-q", "4", "--report_gbits", "-s", "65536", "-R", "--force-link", "IB"]
    assert last["options"] == ["-s", "2", "-R", "--force-link", "IB"]


def test_fewer_messages_are_for_the_rails_alone_where_nothing_else_ends_a_test():
    alone, _, together = planned(2, iterations=200)["steps"][:3]
    assert all(run["options"][-2:] == ["-n", "200"] for run in alone["runs"])
    assert all("-n" not in run["options"] for run in together["runs"])


def test_only_the_runs_of_one_group_go_at_the_same_time():
    plan = planned(2, repeats=2)
    assert [sorted(Counter(run["group"] for run in step["runs"]).values()) for step in plan["steps"]][:3] == [
        [1, 1, 1, 1], [1, 1, 1, 1], [2],
    ]  # fmt: skip
    together = plan["steps"][2]["runs"]
    assert all("-D" in run["options"] for run in together)


def test_keys_are_unique_and_every_run_has_one_server():
    plan = planned(3)
    runs = [run["key"] for step in plan["steps"] for run in (*step["runs"], *step["spares"])]
    assert len(set(runs)) == len(runs) == plan["runs"] + sum(len(step["spares"]) for step in plan["steps"])
    served = [run.key for n in (1, 2, 3) for run in rdma_plan.servers(made(3), f"spark{n}")]
    assert sorted(served) == sorted(runs)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_test_has_spares_that_measure_the_same_and_are_served_last(count):
    plan = planned(2, repeats=1, spares=count)
    for step in plan["steps"]:
        wanted = {(run["test"], run["rail"], *run["options"]) for run in step["runs"]}
        spares = Counter((run["test"], run["rail"], *run["options"]) for run in step["spares"])
        assert spares == Counter(dict.fromkeys(wanted, count))
        assert min(run["group"] for run in step["spares"]) > max(run["group"] for run in step["runs"])
    made_with = made(2, repeats=1, spares=count)
    assert [run.spare for run in rdma_plan.servers(made_with, "spark2")] == [False] * 6 + [True] * 6 * count


def test_the_default_ports_are_enough_for_four_hosts(root):
    spec = yaml.safe_load((root / "roles/rdma_verify/defaults/main.yml").read_text())
    needed = rdma_plan.servers(made(4), "spark1")
    assert len(needed) <= len(ports(spec["rdma_verify_ports"]))


def test_one_host_has_nothing_to_measure():
    assert planned(1) == {"steps": [], "skipped": {}, "seconds": 0, "runs": 0}


def test_one_rail_has_nothing_to_measure_together():
    assert {step["kind"] for step in planned(2, rails=RAILS[:1])["steps"]} == {"alone"}


def test_a_rail_that_is_down_is_left_out_with_the_reason():
    plan = planned(2, {"spark2/rail2": "no link"})
    assert {step["subject"] for step in plan["steps"]} == {"rail1 spark1 -> spark2", "rail1 spark2 -> spark1"}
    assert plan["skipped"]["rail2 spark1 -> spark2"] == "spark2: no link"
    assert plan["skipped"]["2 rails spark2 -> spark1"] == "not every rail can be measured"


@pytest.mark.parametrize(
    "given",
    [
        {"tests": ["write_speed"]},
        {"tests": []},
        {"repeats": 0},
        {"repeats": 10},
        {"queue_pairs": 0},
        {"iterations": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(given):
    with pytest.raises(ValueError, match="settings: "):
        made(2, **given)


def test_a_client_gets_the_port_of_its_own_server():
    step = made(2, repeats=1).steps[0]
    runs = (*step.runs, *step.spares)
    started = [rdma_plan.Started(run.key, 18515 + n, "listening") for n, run in enumerate(reversed(runs))]
    found = rdma_plan.listening(step, started)
    assert {run.key: run.port for run in found} == {run.key: run.port for run in started}
    assert {run.port for run in rdma_plan.listening(step, [])} == {None}
