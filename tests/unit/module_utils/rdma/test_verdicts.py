"""What stops the line: the fabric's own faults, and figures that are missing, too low or too good."""

import copy
from collections.abc import Mapping

import pytest
from ansible.module_utils.twinspark.inventory.fabric import fabric
from ansible.module_utils.twinspark.proof.json_form import from_json, read, to_json
from ansible.module_utils.twinspark.proof.proofs import build
from ansible.module_utils.twinspark.proof.values import Measurement, Verdict
from ansible.module_utils.twinspark.rdma import devices as rdma_fabric
from ansible.module_utils.twinspark.rdma import plan as rdma_plan
from ansible.module_utils.twinspark.rdma import verdicts as rdma_verdicts
from ansible.module_utils.twinspark.rdma.causes import QUEUE_PAIRS_REFUSED, named
from ansible.module_utils.twinspark.rdma.facts import HostFacts
from ansible.module_utils.twinspark.rdma.figures import Thresholds

RAILS = [
    {"name": "rail1", "interface": "enp1s0f1np1", "hca": "rocep1s0f1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "enP2p1s0f1np1", "hca": "roceP2p1s0f1", "subnet": "192.168.178.0/24"},
]
NAMES = ["spark1", "spark2"]
FABRIC = fabric(NAMES, {n: {"twinspark_rails": RAILS, "ansible_host": f"10.0.0.{i}"} for i, n in enumerate(NAMES)})
PLAN = to_json(rdma_plan.plan(FABRIC, rdma_plan.Settings()))
LIMITS = {
    "rail_bit_s": 90e9, "together_bit_s": 175e9, "fraction": 0.7, "typical_us": 3, "p999_us": 20, "spread": 0.15,
    "sysfs_root": "/",
}  # fmt: skip


def device(host, rail, **changes):
    address = f"192.168.{177 + rail}.{11 + NAMES.index(host)}"
    return {
        "present": True, "state": "ACTIVE", "vendor": "0x15b3", "driver": "mlx5_core", "rate_bit_s": 200e9,
        "pcie_width": 4, "pcie_bit_s": 126.03e9, "active_mtu": 4096, "pci": f"000{2 * rail}:01:00.1",
        "other_cage": ("rocep1s0f0", "roceP2p1s0f0")[rail],
        "gids": [{"index": 3, "type": "RoCE v2", "address": address, "netdev": RAILS[rail]["interface"]}], **changes,
    }  # fmt: skip


def facts(**changes):
    """Healthy facts of both hosts; changes: spark2_rail2={...} updates a device, None takes it away."""
    found = {}
    for host in NAMES:
        devices = {rail["hca"]: device(host, n) for n, rail in enumerate(RAILS)}
        for rail in RAILS:
            change = changes.get(f"{host}_{rail['name']}", {})
            devices[rail["hca"]] = (
                {"present": False, "pci": "0000:01:00.1"} if change is None else devices[rail["hca"]] | change
            )
        tools = {f"ib_{test}": {"path": f"/usr/bin/ib_{test}", "package": "perftest"} for test in rdma_plan.TESTS}
        found[host] = {"devices": devices, "functions": {}, "tools": tools}
    return found


def looked(found):
    return read(Mapping[str, HostFacts], found, "facts")


def row(test, **values):
    good = (
        {"average_bit_s": 107.34e9}
        if test.endswith("_bw")
        else {"typical_us": 1.97, "average_us": 1.98, "p999_us": 2.32}
    )
    return {"bytes": 65536} | good | values


def runs(plan=PLAN, change=lambda run, step: {}):
    """Both ends of every run; `change` gives what differs at the client."""
    both = [(run, step) for step in plan["steps"] for run in step["runs"]]
    client = []
    for run, step in both:
        bandwidth = {"average_bit_s": (92.57e9, 97.28e9)[run["rail"] == "rail2"]} if run["seconds"] else {}
        client.append(
            {
                **run,
                "side": "client",
                "ok": True,
                "cause": None,
                "rows": [row(run["test"], **bandwidth)],
                **change(run, step),
            }
        )
    return {"client": client, "server": [{**run, "side": "server", "ok": True, "cause": None} for run, _ in both]}


def report(found=None, measured=None, plan=PLAN, after=None, **limits):
    found = found or facts()
    state = {"before": found, "after": after or found}
    return judged(FABRIC, plan, state, measured or runs(plan), LIMITS | limits)


def judged(entries, plan, state, measured, limits):
    """The report as the playbook gets it: JSON in and out."""
    given = {"plan": plan, "facts": state, "runs": measured, "limits": limits}
    kinds = {"plan": rdma_plan.Plan, "facts": rdma_verdicts.Looks, "runs": rdma_verdicts.Runs}
    kinds["limits"] = Thresholds
    return to_json(rdma_verdicts.report(entries, *(from_json(kinds[name], given[name], name) for name in kinds)))


def failed(result):
    return {v["name"]: v for v in result["verdicts"] if v["blocks"] and not v["ok"]}


def bandwidth(value, **only):
    """A change of the bandwidth of the runs that match."""

    def change(run, step):
        wanted = run["test"].endswith("_bw") and all((run | step).get(k) == v for k, v in only.items())
        return {"rows": [row(run["test"], average_bit_s=value)]} if wanted else {}

    return runs(change=change)


def test_healthy_sparks_pass_and_every_figure_is_there():
    result = report()
    assert not failed(result)
    assert not result["simulated"]
    together = [m["value"] for m in result["measurements"] if m["subject"].startswith("2 rails")]
    assert together == [pytest.approx(189.85e9)] * 2
    assert len(result["measurements"]) == 2 * (2 * 3 + 1)


def test_the_verdicts_make_a_proof():
    result = report(measured=bandwidth(13.11e9))
    values = {
        "verdicts": [Verdict.from_json(verdict) for verdict in result["verdicts"]],
        "measurements": [Measurement.from_json(one) for one in result["measurements"]],
    }
    proof = build(stage="rdma", host="spark1", written="2026-01-01T00:00:00+00:00", inputs={}, **values)
    assert proof.verdict == "fail"
    assert "13 Gb/s fault" in proof.reasons[0]
    assert "pull AC for 60 s" in proof.reasons[0]


@pytest.mark.parametrize(
    ("gbit", "cause"), [(13.11, "13gbit"), (8.2, "13gbit"), (24.9, "13gbit"), (55.0, "slow"), (3.0, "slow")]
)
def test_a_slow_rail_is_named(gbit, cause):
    found = failed(report(measured=bandwidth(gbit * 1e9, rail="rail1", client="spark1", kind="alone")))
    assert {name: verdict["cause"] for name, verdict in found.items()} == {"write_bw rail1 spark1 -> spark2": cause}


def test_the_fault_on_both_rails_at_once_is_named_too():
    found = failed(report(measured=bandwidth(13.11e9, kind="together")))
    assert {verdict["cause"] for verdict in found.values()} == {"13gbit"}


def test_rails_that_share_what_one_can_carry_fail_together_only():
    found = failed(report(measured=bandwidth(54e9, kind="together")))
    assert list(found) == ["write_bw 2 rails spark1 -> spark2", "write_bw 2 rails spark2 -> spark1"]
    assert found["write_bw 2 rails spark1 -> spark2"]["measured"] == 108.0


@pytest.mark.parametrize("gbit", [127.0, 412.77, 1e6])
def test_more_than_the_lanes_carry_is_not_believed(gbit):
    found = failed(report(measured=bandwidth(gbit * 1e9, rail="rail2", kind="alone")))
    assert {verdict["cause"] for verdict in found.values()} == {"implausible"}


def test_soft_roce_is_held_to_the_inventory_s_thresholds_only():
    soft = {"vendor": None, "driver": None, "rate_bit_s": 2.5e9, "pcie_width": None, "pcie_bit_s": None}
    found = facts(spark1_rail1=soft, spark1_rail2=soft, spark2_rail1=soft, spark2_rail2=soft)
    assert not failed(report(found, rail_bit_s=90e9))
    slow = runs(
        change=lambda run, step: {"rows": [row(run["test"], average_bit_s=0.5e9, typical_us=22000.0, p999_us=30000.0)]}
    )
    assert not failed(report(found, slow, rail_bit_s=0.1e9, together_bit_s=0.2e9, typical_us=1e5, p999_us=1e5))
    assert len(failed(report(found, slow))) == 14


def test_a_known_rate_asks_for_its_fraction():
    fast = facts(**{f"{host}_{rail}": {"pcie_bit_s": 190e9} for host in NAMES for rail in ("rail1", "rail2")})
    found = failed(report(fast))
    assert "write_bw rail1 spark1 -> spark2" in found
    assert found["write_bw rail1 spark1 -> spark2"]["required"] == {"operator": ">=", "value": 133.0, "unit": "Gb/s"}


def test_slow_messages_stop_the_line():
    slow = runs(
        change=lambda run, step: (
            {"rows": [row("x_lat", typical_us=48.11, p999_us=900.0)]} if run["test"] == "write_lat" else {}
        )
    )
    names = [name for name in failed(report(measured=slow)) if "spark1 ->" in name and "rail1" in name]
    assert names == ["write_lat rail1 spark1 -> spark2, typical", "write_lat rail1 spark1 -> spark2, 99.9 %"]


@pytest.mark.parametrize(("worst", "causes"), [(13e9, ["13gbit"] * 4), (60e9, ["slow"] * 4), (91e9, [])])
def test_the_worst_repeat_is_judged_and_the_median_kept_beside_it(worst, causes):
    values = {1: 107e9, 2: worst, 3: 108e9}
    result = report(
        measured=runs(
            change=lambda run, step: (
                {"rows": [row("write_bw", average_bit_s=values[run["group"]])]}
                if run["test"] == "write_bw" and step["kind"] == "alone"
                else {}
            )
        )
    )
    assert [verdict["cause"] for verdict in failed(result).values()] == causes
    spread = next(v for v in result["verdicts"] if v["name"].startswith("spread of"))
    assert (spread["ok"], spread["blocks"]) == (False, False)
    assert spread["measured"] == pytest.approx(100 * (108e9 - worst) / 107e9, abs=0.06)
    figure = next(m for m in result["measurements"] if m["name"] == "write_bw")
    assert (figure["value"], figure["lowest"], figure["highest"], figure["repeats"]) == (107e9, worst, 108e9, 3)


@pytest.mark.parametrize(
    ("test", "rows", "cause"),
    [
        ("write_bw", [{"average_bit_s": 107e9}, {"average_bit_s": 13e9}, {"average_bit_s": 107e9}], "13gbit"),
        ("write_lat", [{"typical_us": 900.0}, {"typical_us": 1.97}], "slow"),
        ("write_lat", [{"p999_us": 900.0}, {"p999_us": 2.3}], "slow"),
        ("write_lat", [{"typical_us": None, "average_us": None}], "invalid"),
        ("write_lat", [{"typical_us": None, "average_us": None, "average_bit_s": 107e9}], "invalid"),
        ("write_bw", [{"average_bit_s": None, "average_us": 1.97}], "invalid"),
        ("write_bw", [{"average_bit_s": None}, {}], "invalid"),
    ],
)
def test_the_worst_row_counts_and_one_without_the_figure_is_no_measurement(test, rows, cause):
    def change(run, step):
        return {"rows": [row(test, **values) for values in rows]} if run["test"] == test else {}

    found = failed(report(measured=runs(change=change)))
    assert {verdict["cause"] for verdict in found.values()} == {cause}


def test_a_repeat_that_never_came_stops_the_line():
    measured = runs()
    measured["client"] = [run for run in measured["client"] if run["group"] != 2 or run["test"] != "write_bw"]
    assert {verdict["cause"] for verdict in failed(report(measured=measured)).values()} == {"invalid"}


def test_a_tail_that_one_repeat_did_not_measure_is_not_taken_for_zero():
    def change(run, step):
        tail = {4: None, 5: 30.0, 6: None}
        return {"rows": [row("write_lat", p999_us=tail[run["group"]])]} if run["test"] == "write_lat" else {}

    tails = {v["measured"] for v in failed(report(measured=runs(change=change))).values()}
    assert tails == {30.0}


@pytest.mark.parametrize("cause", ["killed", "timeout", "memlock", "retry_exceeded", "port_busy", "no_path", "invalid"])
def test_a_run_without_a_figure_is_named_with_its_fix(cause):
    broken = runs(change=lambda run, step: {"rows": [], "ok": False, "cause": to_json(named(cause, "the line"))})
    verdict = failed(report(measured=broken))["write_bw rail1 spark1 -> spark2"]
    assert verdict["cause"] == cause
    assert verdict["reason"].startswith(f"{cause}: ")
    assert verdict["fix"]


REFUSED = to_json(named(QUEUE_PAIRS_REFUSED))


def replaced():
    """Rail 1's first attempts, refused their queue pairs, with the spares that took their places."""

    def wanted(run, step):
        return (run["rail"], run["group"], step["kind"]) == ("rail1", 1, "alone")

    found = runs(change=lambda run, step: {"rows": [], "cause": REFUSED, "replaced": True} if wanted(run, step) else {})
    for step in PLAN["steps"]:
        for test in {run["test"] for run in step["runs"] if wanted(run, step)}:
            spare = next(run for run in step["spares"] if run["test"] == test)
            found["client"].append({**spare, "side": "client", "ok": True, "cause": None, "rows": [row(test)]})
        idle = [{**run, "side": "server", "ok": False, "cause": None} for run in step["spares"]]
        found["server"] += idle
    return found


def test_a_spare_takes_the_place_of_an_attempt_that_perftest_lost_and_the_report_says_so():
    result = report(measured=replaced())
    assert not failed(result)
    remarks = [v for v in result["verdicts"] if not v["ok"]]
    assert [(v["name"], v["measured"], v["cause"], v["blocks"]) for v in remarks] == [
        (f"attempts of write_bw rail1 {a} -> {b}", "1 lost", QUEUE_PAIRS_REFUSED, False)
        for a, b in (NAMES, NAMES[::-1])
    ]
    figure = next(m for m in result["measurements"] if m["subject"] == "rail1 spark1 -> spark2")
    assert figure["repeats"] == 3
    sides = [run["side"] for run in result["evidence"]["runs"]]
    assert sides.count("client") == sides.count("server") == PLAN["runs"] + 2  # no spare that was not needed
    assert [run["key"] for run in result["evidence"]["runs"] if run.get("replaced")] == [
        f"rail1-{a}-{b}-write_bw-alone-1" for a, b in (NAMES, NAMES[::-1])
    ]


def test_an_attempt_that_no_spare_was_left_for_stops_the_line():
    broken = runs(change=lambda run, step: {"rows": [], "cause": REFUSED} if run["test"] == "write_lat" else {})
    assert {v["cause"] for v in failed(report(measured=broken)).values()} == {QUEUE_PAIRS_REFUSED}


def test_a_threshold_below_a_tenth_is_said_in_full():
    slow = failed(report(measured=bandwidth(0.01e9), rail_bit_s=0.02e9, fraction=0))
    assert slow["write_bw rail1 spark1 -> spark2"]["required"]["value"] == 0.02


def test_the_server_s_death_explains_the_client_s_error():
    broken = runs(change=lambda run, step: {"rows": [], "cause": to_json(named("retry_exceeded"))})
    broken["server"] = [{**run, "cause": to_json(named("killed"))} for run in broken["server"]]
    assert {v["cause"] for v in failed(report(measured=broken)).values()} == {"killed"}


FABRIC_FAULTS = {
    "one rail is down": (
        {"spark2_rail2": {"state": "DOWN"}},
        "rail2 on spark2 (roceP2p1s0f1)", "one rail is down",
    ),
    "both rails are down": (
        {"spark2_rail1": {"state": "DOWN"}, "spark2_rail2": {"state": "DOWN"}},
        "rail1 on spark2 (rocep1s0f1)", "has no link",
    ),
    "no such device": ({"spark1_rail1": None}, "rail1 on spark1 (rocep1s0f1)", "there is no RDMA device rocep1s0f1"),
    "no GID for the address": (
        {"spark1_rail1": {"gids": [{"index": 1, "type": "RoCE v2", "address": None, "netdev": "x"}]}},
        "rail1 on spark1 (rocep1s0f1)", "no RoCE v2 GID",
    ),
    "a RoCE v1 GID only": (
        {"spark1_rail1": {"gids": [{"index": 2, "type": "IB/RoCE v1", "address": "192.168.177.11", "netdev": "x"}]}},
        "rail1 on spark1 (rocep1s0f1)", "no RoCE v2 GID",
    ),
    "MTU 9000 on one side only": ({"spark2_rail1": {"active_mtu": 1024}}, "RoCE MTU of rail1", "one-sided"),
}  # fmt: skip


@pytest.mark.parametrize("change, name, reason", FABRIC_FAULTS.values(), ids=FABRIC_FAULTS)
def test_a_fault_of_the_fabric_is_named(change, name, reason):
    found = facts(**change)
    plan = to_json(rdma_plan.plan(FABRIC, rdma_plan.Settings(), rdma_fabric.unusable(FABRIC, looked(found))))
    result = failed(report(found, runs(plan), plan))
    assert reason in result[name]["reason"]
    assert result[name]["fix"]


def test_a_cable_in_the_other_cage_is_told_from_one_that_is_out():
    found = facts(spark2_rail1={"state": "DOWN"}, spark2_rail2={"state": "DOWN"})
    for n, cage in enumerate(("rocep1s0f0", "roceP2p1s0f0")):
        found["spark2"]["devices"][cage] = device("spark2", n)
    wrong = rdma_fabric.trouble(FABRIC[1].rails[0], looked(found)["spark2"])
    assert "other cage" in wrong.reason
    assert "rocep1s0f0" in wrong.fix


def test_a_device_bound_to_another_driver_is_told_from_a_missing_one():
    found = facts(spark1_rail1=None)
    found["spark1"]["functions"] = {"0000:01:00.1": {"vendor": "0x15b3", "driver": "vfio-pci"}}
    wrong = rdma_fabric.trouble(FABRIC[0].rails[0], looked(found)["spark1"])
    assert "bound to the driver vfio-pci" in wrong.reason
    assert (wrong.measured, wrong.required) == ("vfio-pci", "mlx5_core")


def test_two_lanes_are_remarked_on_but_do_not_stop_the_line():
    found = facts(spark1_rail1={"pcie_width": 2})
    remark = next(v for v in report(found)["verdicts"] if v["name"] == "PCIe lanes of rocep1s0f1 on spark1")
    assert (remark["ok"], remark["blocks"]) == (False, False)
    assert "firmware" in remark["reason"]


def test_two_lanes_on_both_hosts_are_named_as_what_holds_the_rail_back():
    two = {"pcie_width": 2, "pcie_bit_s": 63.02e9}
    both = facts(spark1_rail1=two, spark2_rail1=two)
    found = failed(report(both, bandwidth(60e9, rail="rail1", kind="alone")))
    assert [verdict["cause"] for name, verdict in found.items() if "rail1" in name] == ["lanes"] * 2
    verdict = found["write_bw rail1 spark1 -> spark2"]
    assert "63.0 Gb/s at most" in verdict["reason"]
    assert "firmware" in verdict["fix"]
    assert len([v for v in report(both)["verdicts"] if v["name"].startswith("PCIe lanes") and not v["ok"]]) == 2


def functions(*addresses):
    return {address: {"vendor": "0x15b3", "driver": "mlx5_core"} for address in addresses}


ALL = ("0000:01:00.0", "0000:01:00.1", "0002:01:00.0", "0002:01:00.1")


@pytest.mark.parametrize(
    ("there", "ok", "measured"),
    [(ALL, True, "all there"), (ALL[:2], False, "no 0002:01:00.1"), (ALL[:1], False, "no 0000:01:00.1, 0002:01:00.1")],
)
def test_a_function_of_the_cage_that_vanished_is_noticed_on_both_hosts_alike(there, ok, measured):
    """Also where the inventory has one rail only, so that nothing is measured over the other function."""
    one = fabric(NAMES, {n: {"twinspark_rails": RAILS[:1], "ansible_host": f"10.0.0.{i}"} for i, n in enumerate(NAMES)})
    found = facts()
    for host in NAMES:
        found[host]["functions"] = functions(*there)
    verdicts = [v for v in rdma_fabric.judge(one, looked(found), []) if v.name.startswith("PCI functions")]
    assert [(v.name, v.ok, v.measured, v.blocks) for v in verdicts] == [
        (f"PCI functions of the cabled cage on {host}", ok, measured, False) for host in NAMES
    ]


def test_functions_that_are_not_a_spark_s_are_not_asked_for():
    found = facts()
    assert not [v for v in report(found)["verdicts"] if v["name"].startswith("PCI functions")]


def test_a_function_that_vanished_during_the_measurements_stops_the_line():
    found = facts()
    for host in NAMES:
        found[host]["functions"] = functions(*ALL)
    after = copy.deepcopy(found)
    del after["spark2"]["functions"]["0002:01:00.0"]
    verdict = failed(report(found, after=after))["PCI functions on spark2 after the measurements"]
    assert (verdict["cause"], verdict["measured"]) == ("function_gone", "no 0002:01:00.0")


def test_equal_small_mtus_are_no_fault():
    found = facts(**{f"{host}_{rail}": {"active_mtu": 1024} for host in NAMES for rail in ("rail1", "rail2")})
    assert not failed(report(found))


def test_no_perftest_is_named():
    found = facts()
    found["spark2"]["tools"]["ib_write_lat"] = {"path": None, "package": None}
    assert failed(report(found))["perftest on spark2"]["measured"] == "no ib_write_lat"


def test_a_tool_that_no_package_owns_is_told():
    found = facts()
    for host in NAMES:
        found[host]["tools"]["ib_write_bw"] = {"path": "/usr/local/bin/ib_write_bw", "package": None}
    (sentence,) = report(found)["simulated"]
    assert sentence.startswith(
        "ib_write_bw at /usr/local/bin/ib_write_bw on spark1, spark2 is not the perftest package's"
    )


def test_a_link_that_went_down_meanwhile_stops_the_line():
    after = copy.deepcopy(facts())
    after["spark1"]["devices"]["rocep1s0f1"]["state"] = "DOWN"
    assert failed(report(after=after))["rail1 on spark1 after the measurements"]["cause"] == "port_down"


def test_check_mode_says_what_would_be_measured_and_judges_nothing():
    planned = runs(change=lambda run, step: {"rows": [], "skipped": True})
    result = report(measured=planned)
    assert not failed(result)
    assert "28 runs" in result["verdicts"][0]["required"]["value"]


def test_a_host_alone_passes_with_the_reason():
    alone = FABRIC[:1]
    plan = to_json(rdma_plan.plan(alone, rdma_plan.Settings()))
    state = {"before": {"spark1": facts()["spark1"]}, "after": {"spark1": facts()["spark1"]}}
    result = judged(alone, plan, state, {"client": [], "server": []}, LIMITS)
    assert not failed(result)
    assert any(v["name"] == "fabric of one host" for v in result["verdicts"])
