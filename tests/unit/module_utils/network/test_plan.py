"""The plan of a host's network: what changes, what is refused. Cases: netplan_plan.yaml, netplan_takeover.yaml."""

import copy
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.network import netplan
from ansible.module_utils.twinspark.network import plan as network_plan
from ansible.module_utils.twinspark.network.state import Network, Settings
from ansible.module_utils.twinspark.proof.json_form import from_json

from tests.support import cases
from tests.unit.module_utils.network.pair import ENTRIES, RAILS, SETTINGS

HERE = Path(__file__).parent / "cases"
LINK = {"mac": "", "driver": "mlx5_core", "mtu": 1500, "up": True, "carrier": True, "master": "", "addresses": []}
SOUND = {
    "links": {
        "enp1s0f1np1": {**LINK, "mac": "02:00:00:00:00:01"},
        "enP2p1s0f1np1": {**LINK, "mac": "02:00:00:00:00:02"},
        "eth0": {**LINK, "driver": "r8127", "mac": "02:00:00:00:00:03", "addresses": ["10.0.0.1/24"]},
    },
    "files": [],
    "foreign": [],
    "management": {"address": "10.0.0.1", "interface": "eth0", "lower": []},
    "sysctls": {},
    "wire": {},
    "free_bytes": {"/etc": 1 << 30},
    "netplan_installed": True,
    "boot": {"same": True, "reason": "", "others": []},
}


def found(laid_over):
    """A sound host with a case's differences laid over it."""
    links = copy.deepcopy(SOUND["links"])
    for name, facts in laid_over.get("links", {}).items():
        links[name] = facts if facts is None else {**links.get(name, {**LINK, "carrier": False}), **facts}
    state = {**SOUND, **laid_over}
    state["sysctls"] = laid_over.get("sysctls", {})
    state["links"] = [{"name": name, **facts} for name, facts in links.items() if facts is not None]
    return Network.from_json(state)


@pytest.mark.parametrize("case", cases(HERE / "netplan_plan.yaml"))
def test_plan(case):
    states = {"spark1": found(case.get("state", {})), "spark2": found(case.get("peer", {}))}
    settings = from_json(Settings, {**SETTINGS, **case.get("settings", {})}, "settings")
    plan = network_plan.plan(ENTRIES[0], states, ENTRIES, settings)
    expect = case["expect"]
    refusals = expect.get("refusals", [])
    assert len(plan.refusals) == len(refusals)
    for sentence, part in zip(plan.refusals, refusals, strict=True):
        assert part in sentence
    if "takeovers" in expect:
        assert [takeover.path for takeover in plan.takeovers] == expect["takeovers"]
    assert plan.former == expect.get("former", {})
    if "drift" in expect:
        assert [f"{item.interface} {item.what}" for item in plan.drift] == expect["drift"]


@pytest.mark.parametrize("case", cases(HERE / "netplan_takeover.yaml"))
def test_takeover(case):
    links = found({}).by_name()
    rails = {rail["interface"] for rail in RAILS}
    taken = netplan.takeover("/etc/netplan/x.yaml", case["text"], rails, links)
    if case.get("expect") == "none":
        assert taken is None
    elif "refusal" in case:
        assert case["refusal"] in taken.refusal
    else:
        assert taken.remove == (case["left"] is None)
        assert case["left"] is None or netplan.without_stanzas(case["text"], taken.ids) == case["left"]
