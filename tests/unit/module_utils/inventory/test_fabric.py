"""The fabric that an inventory gives, or the sentence that it is refused with. Cases: cases/fabric.yaml."""

from pathlib import Path

import pytest
import yaml
from ansible.module_utils.twinspark.inventory import fabric
from ansible.module_utils.twinspark.proof.json_form import to_json

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "fabric.yaml").read_text())
ARTICLE = [
    {"name": "rail1", "interface": "enp1s0f1np1", "hca": "rocep1s0f1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "enP2p1s0f1np1", "hca": "roceP2p1s0f1", "subnet": "192.168.178.0/24"},
]


def settings_of(case):
    defaults = {"twinspark_rails": ARTICLE, "twinspark_rails_first_host": 11, "ansible_user": "spark"}
    return {host: {**defaults, **given} for host, given in case["hosts"].items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_fabric(case):
    settings = settings_of(case)
    if "error" in case:
        with pytest.raises(fabric.FabricError) as caught:
            fabric.fabric(list(settings), settings)
        assert case["error"] in str(caught.value)
    else:
        found = fabric.fabric(list(settings), settings)
        addresses = {entry.host: [rail.address for rail in entry.rails] for entry in found}
        assert addresses == case["addresses"]
        assert [entry.rank for entry in found] == list(range(len(settings)))


def test_every_path_has_both_ends():
    settings = settings_of({"hosts": {"spark1": {}, "spark2": {}}})
    paths = fabric.paths_of(fabric.fabric(list(settings), settings), "spark2")
    assert to_json(paths) == [
        {
            "rail": "rail1",
            "peer": "spark1",
            "interface": "enp1s0f1np1",
            "source": "192.168.177.12",
            "target": "192.168.177.11",
        },
        {
            "rail": "rail2",
            "peer": "spark1",
            "interface": "enP2p1s0f1np1",
            "source": "192.168.178.12",
            "target": "192.168.178.11",
        },
    ]


@pytest.mark.parametrize("hosts", [1, 2, 3, 4])
def test_every_host_reaches_every_other_over_every_rail(hosts):
    names = [f"spark{rank}" for rank in range(hosts)]
    entries = fabric.fabric(names, settings_of({"hosts": {name: {} for name in names}}))
    paths = [(name, path.peer, path.rail) for name in names for path in fabric.paths_of(entries, name)]
    assert len(set(paths)) == hosts * (hosts - 1) * len(ARTICLE) == len(paths)


def test_a_stranger_has_no_entry():
    with pytest.raises(fabric.FabricError):
        fabric.me_of([], "spark9")


def test_the_json_of_a_host_is_what_proofs_are_bound_to():
    """These keys and values are in the inputs of every proof: another form would make all of them stale."""
    settings = settings_of({"hosts": {"spark1": {"ansible_host": "10.0.0.1"}, "spark2": {}}})
    entries = fabric.fabric(list(settings), settings)
    assert entries[0].to_json() == {
        "host": "spark1",
        "rank": 0,
        "management": "10.0.0.1",
        "user": "spark",
        "rails": [
            {
                "name": name,
                "interface": interface,
                "hca": hca,
                "subnet": f"{net}.0/24",
                "address": f"{net}.11",
                "prefix": 24,
                "cidr": f"{net}.11/24",
            }
            for name, interface, hca, net in (
                ("rail1", "enp1s0f1np1", "rocep1s0f1", "192.168.177"),
                ("rail2", "enP2p1s0f1np1", "roceP2p1s0f1", "192.168.178"),
            )
        ],
    }
    assert fabric.hosts_of([entry.to_json() for entry in entries]) == entries
