"""The running state of links: what is brought back, what is wished, and what of that is not so."""

from ansible.module_utils.twinspark.network import running
from ansible.module_utils.twinspark.network.running import Running
from ansible.module_utils.twinspark.network.state import Difference, Link

RAIL = "192.168.177.11/24"


def test_what_is_there_before_a_change_is_kept_whole():
    links = {"eth0": Link("eth0", mtu=1500, up=True, addresses=("10.0.0.1/24",))}
    sysctls = {"eth0": {"arp_ignore": 0, "arp_announce": None}}
    added = {"eth0": [RAIL, "10.0.0.1/24"], "unplugged": [RAIL]}
    assert running.before(links, sysctls, {"eth0": ["default via 10.0.0.254"]}, added) == {
        "eth0": Running(
            mtu=1500,
            up=True,
            addresses=("10.0.0.1/24",),
            absent=(RAIL,),
            sysctls={"arp_ignore": 0},
            routes=("default via 10.0.0.254",),
        )
    }


def test_releasing_takes_the_rails_addresses_away_and_gives_the_rest_back():
    former = {"rail": Running(mtu=1500, up=True, addresses=("10.9.9.9/24",), sysctls={"arp_ignore": 0})}
    links = {"rail": Link("rail", addresses=(RAIL,))}
    given = running.released(former, links, {"rail": RAIL, "unplugged": "192.168.178.11/24"})
    assert given == {"rail": Running(mtu=1500, up=True, sysctls={"arp_ignore": 0}, absent=(RAIL,))}


def test_a_rail_that_is_not_remembered_loses_its_address_only():
    given = running.released({}, {"rail": Link("rail", addresses=(RAIL,))}, {"rail": RAIL})
    assert running.runtime_commands(given) == [["ip", "address", "del", RAIL, "dev", "rail"]]


def test_an_interface_that_is_no_rail_any_more_loses_its_address():
    links = {"old": Link("old", addresses=(RAIL, "10.9.9.9/24"))}
    assert running.left(links, {"old": [RAIL], "unplugged": ["192.168.178.11/24"]}) == {"old": Running(absent=(RAIL,))}


def test_configuring_deletes_what_does_not_belong():
    links = {"rail": Link("rail", addresses=(RAIL, "10.9.9.9/24"))}
    wanted = running.desired(links, {"rail": RAIL}, 9000, {"arp_ignore": 1})
    assert running.runtime_commands(wanted) == [
        ["ip", "link", "set", "dev", "rail", "mtu", "9000"],
        ["ip", "address", "del", "10.9.9.9/24", "dev", "rail"],
        ["sysctl", "-q", "-w", "net/ipv4/conf/rail/arp_ignore=1"],
        ["ip", "link", "set", "dev", "rail", "up"],
    ]


def test_what_differs_from_the_wished_state_is_named():
    links = {"rail": Link("rail", addresses=(RAIL,), mtu=9000, up=True)}
    assert running.differences(links, {"rail": Running(mtu=1500, up=True, absent=(RAIL,))}) == [
        Difference("rail", "addresses", [RAIL], []),
        Difference("rail", "mtu", 9000, 1500),
    ]
    assert running.differences(links, {"rail": Running()}) == []
