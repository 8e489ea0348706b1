"""The management subnet is away from everything, and a rail's subnet is nobody else's."""

from ipaddress import IPv4Network

from twinspark_lab import network

RAILS = [IPv4Network("192.168.177.0/24"), IPv4Network("192.168.178.0/24")]


def test_the_first_free_subnet_is_taken():
    taken = network.parse_networks(["10.213.0.0/24", "10.213.1.128/25", "172.17.0.0/16"])
    assert str(next(network.candidates(taken))) == "10.213.2.0/24"


def test_a_machine_that_uses_all_of_the_pool_leaves_none():
    assert list(network.candidates(network.parse_networks(["10.0.0.0/8"]))) == []


def test_routes_that_are_no_networks_are_passed_over():
    found = network.parse_networks(["default", "0.0.0.0/0", "fe80::/64", "", "10.213.0.7"])
    assert [str(subnet) for subnet in found] == ["10.213.0.7/32"]


def test_a_docker_network_on_a_rails_subnet_is_named():
    existing = {"bridge": [IPv4Network("172.17.0.0/16")], "other": [IPv4Network("192.168.176.0/20")]}
    problem = network.conflict(existing, RAILS)
    assert problem is not None
    assert "other owns 192.168.177.0/24" in problem


def test_networks_elsewhere_are_no_conflict():
    assert network.conflict({"bridge": [IPv4Network("172.17.0.0/16")]}, RAILS) is None


def test_hosts_have_fixed_places():
    assert network.address(IPv4Network("10.213.9.0/24"), 1) == "10.213.9.12"
