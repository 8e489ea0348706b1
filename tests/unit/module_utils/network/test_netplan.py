"""The text of the netplan file and of the sysctls, and what of such a file may leave the host."""

import pytest
import yaml
from ansible.module_utils.twinspark.network import netplan

from tests.unit.module_utils.network.pair import ENTRIES, SETTINGS


def test_the_file_is_the_article_s():
    text = netplan.render(ENTRIES[1].rails, 9000)
    assert yaml.safe_load(text) == {
        "network": {
            "version": 2,
            "ethernets": {
                name: {"dhcp4": False, "dhcp6": False, "link-local": [], "mtu": 9000, "addresses": [cidr]}
                for name, cidr in (("enp1s0f1np1", "192.168.177.12/24"), ("enP2p1s0f1np1", "192.168.178.12/24"))
            },
        }
    }
    assert "      link-local: [] # Restrict link-local addresses to static IPv4 only\n" in text


def test_a_host_without_rails_needs_no_file():
    assert netplan.render([], 9000) == "", "netplan refuses an empty `ethernets:`"


def test_the_sysctls_name_interfaces_with_slashes():
    lines = netplan.render_sysctl(ENTRIES[0].rails[:1], SETTINGS["arp"]).splitlines()
    assert lines[1:] == [
        "net/ipv4/conf/enp1s0f1np1/arp_announce = 2",
        "net/ipv4/conf/enp1s0f1np1/arp_ignore = 1",
    ]
    assert netplan.render_sysctl(ENTRIES[0].rails, {}) == ""


@pytest.mark.parametrize(
    "line",
    [
        'password: "hunter, 2"',
        "password: hunter2 # mine",
        "auth: {key-management: psk, password: hunter2}",
        "keys: {private: hunter2}",
        "  shared: 'hunter2'",
    ],
)
def test_secrets_stay_on_the_host(line):
    redacted = netplan.redact(line)
    assert "hunter" not in redacted
    assert "***" in redacted
    assert yaml.safe_load(redacted) is not None


def test_nothing_else_is_redacted():
    text = netplan.render(ENTRIES[0].rails, 9000) + "auth:\n  key-management: psk\nkeys:\n  a: b\n"
    assert netplan.redact(text) == text
