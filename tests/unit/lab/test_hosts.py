"""How a container host is started, by what the machine below can give."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from twinspark_lab import hosts
from twinspark_lab.machine import Machine, has_capability, probe
from twinspark_lab.names import Lab, lab
from twinspark_lab.shell import LabError

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "create_argv.yaml").read_text())
LAB = Lab("demo")
# /proc/self/status of root on a machine that withholds CAP_SYS_RESOURCE, and on an ordinary one.
WITHHELD = "CapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\n"
FULL = "CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_create_argv(case):
    place = hosts.Placement("spark1", "10.213.0.11", "image:tag")
    argv = hosts.create_argv(LAB, place, Machine(**case["machine"]))
    line = " ".join(argv)
    assert all(words in line for words in case["has"])
    assert not any(words in line for words in case["hasnt"])
    assert argv[-len(case["ends"]) :] == case["ends"]


def test_every_host_is_labelled_named_and_has_a_volume_and_a_fixed_address():
    place = hosts.placements(LAB, IPv4Network("10.213.4.0/24"), "image:tag")[1]
    line = " ".join(hosts.create_argv(LAB, place, Machine(2, True)))
    assert "--label io.twinspark.lab=demo" in line
    assert "--name ts-demo-spark2" in line
    assert "--network ts-demo --ip 10.213.4.12" in line
    assert "--volume ts-demo-spark2-docker:/var/lib/docker" in line


def test_capability_is_read_from_the_bounding_set():
    assert not has_capability(WITHHELD, 24)
    assert has_capability(FULL, 24)
    assert not has_capability("", 24)


def test_probe():
    # Recorded from engines 20.10 and 26.1 whose root lacks the capability.
    older = "Error response from daemon: No such image: twinspark/none:none"
    newer = (
        "Error response from daemon: invalid CapDrop: capability not supported by your kernel"
        ' or not available in the current environment: "CAP_SYS_RESOURCE"'
    )
    assert probe({"CgroupVersion": "1"}, WITHHELD, older) == Machine(1, False)
    assert probe({"CgroupVersion": "1"}, WITHHELD, newer) == Machine(1, True)
    assert probe({"CgroupVersion": "2"}, FULL, older) == Machine(2, True)


@pytest.mark.parametrize("name", ["", "Lab", "a b", "-x", "x-", "a" * 25, "../up"])
def test_a_name_that_docker_or_a_path_would_not_take_is_refused(name):
    with pytest.raises(LabError, match="no name for a lab"):
        lab(name)


def test_state_and_cache_follow_xdg(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert lab("x1").inventory == Path("/s/twinspark/lab/x1/inventory")
