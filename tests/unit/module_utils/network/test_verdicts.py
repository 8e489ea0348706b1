"""What the network stage makes of what it measured. Cases: cases/verdicts.yaml."""

import copy
from pathlib import Path

import pytest
from ansible.module_utils.twinspark.inventory import fabric
from ansible.module_utils.twinspark.network import verdicts as net_verdicts
from ansible.module_utils.twinspark.network.state import Difference, Settings
from ansible.module_utils.twinspark.proof.json_form import from_json, to_json
from ansible.module_utils.twinspark.proof.values import sentence, sentences

from tests.support import cases
from tests.unit.module_utils.network.pair import ENTRIES, HOSTS

SETTINGS = Settings("/etc/netplan/40-cx7.yaml", 9000, {"arp_ignore": 1})


def proved(host, laid_over):
    """What a host finds when all is well, with a case's differences laid over it."""
    entry = fabric.me_of(ENTRIES, host)
    paths = fabric.paths_of(ENTRIES, host)
    mtu = laid_over.get("network", {}).get("mtu", 9000)
    network = {
        "links": [{"name": rail.interface, "addresses": [rail.cidr], "mtu": mtu, "up": True} for rail in entry.rails],
        "sysctls": {rail.interface: {"arp_ignore": 1} for rail in entry.rails},
        "routes": {path.target: {"device": path.interface, "source": path.source} for path in paths},
        "boot": {"same": True, "reason": "", "others": []},
        "wire": {},
        "files": [{"path": SETTINGS.path, "mode": "0600", "text": ""}],
        **laid_over.get("network", {}),
    }
    pings = [
        {**to_json(path), "sent": 3, "received": 3, "rtt_ms": 0.1, "problem": "", "small_ok": False, **differs}
        for path, differs in zip(paths, (laid_over.get("pings", {}).get(i, {}) for i in range(9)), strict=False)
    ]
    logins = [
        {**to_json(path), "ok": True, "problem": "", "seconds": 0.2, **laid_over.get("logins", {}).get(index, {})}
        for index, path in enumerate(paths)
    ]
    found = {"networks": {host: network}, "pings": {host: pings}, "logins": {host: logins}}
    return from_json(net_verdicts.Found, found, "found").by_host()[host]


@pytest.mark.parametrize("case", cases(Path(__file__).parent / "cases" / "verdicts.yaml"))
def test_verdicts(case):
    results = {host: proved(host, copy.deepcopy(case.get(host, {}))) for host in HOSTS}
    judged = net_verdicts.judge(ENTRIES, results, SETTINGS)
    failing = [verdict for verdict in judged.verdicts if verdict.stops]
    assert [verdict.name for verdict in failing] == [parts[0] for parts in case["failing"]]
    for verdict, parts in zip(failing, case["failing"], strict=True):
        assert verdict.fix
        assert verdict.reason
        for part in parts:
            assert part in sentence(verdict)


def test_each_path_is_measured_in_both_directions():
    judged = net_verdicts.judge(ENTRIES, {host: proved(host, {}) for host in HOSTS}, SETTINGS)
    assert [entry.subject for entry in judged.measurements] == [
        "rail1 spark1->spark2",
        "rail2 spark1->spark2",
        "rail1 spark2->spark1",
        "rail2 spark2->spark1",
    ]


def test_logins_are_judged_only_where_they_were_tried():
    results = {host: proved(host, {}) for host in HOSTS}
    bare = {host: net_verdicts.Result(result.network, result.pings) for host, result in results.items()}
    names = [verdict.name for verdict in net_verdicts.judge(ENTRIES, bare, SETTINGS).verdicts]
    assert not any(name.startswith("SSH") for name in names)


def test_a_refusal_is_a_verdict_that_ends_an_older_proof():
    found = net_verdicts.refused({"spark1": [], "spark2": ["/etc has 0 bytes free: make room", "a file: move it away"]})
    assert [verdict.stops for verdict in found] == [True, True]
    assert sentences(found) == ["spark2: /etc has 0 bytes free: make room; spark2: a file: move it away."]


def test_a_difference_is_one_clause():
    item = Difference("enp1s0f1np1", "addresses", [], ["192.168.177.11/24"])
    assert net_verdicts.clause(item) == "enp1s0f1np1 has addresses none, not 192.168.177.11/24"
