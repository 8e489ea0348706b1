"""The cable: stable addresses, the exact `ip link add`, and knowing a pair from two strangers."""

import re

from twinspark_lab import rails


def test_mac_is_local_unicast_and_the_same_for_the_same_names():
    first = rails.mac("lab", "spark1", "enp1s0f1np1")
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", first)
    assert first == rails.mac("lab", "spark1", "enp1s0f1np1")
    others = {rails.mac("lab", host, name) for host in ("spark1", "spark2") for name in ("a", "b")}
    assert len(others) == 4


def test_add_argv_puts_each_end_straight_into_its_host():
    argv = rails.add_argv("enp1s0f1np1", ((11, "02:00:00:00:00:01"), (22, "02:00:00:00:00:02")))
    assert " ".join(argv) == (
        "ip link add name enp1s0f1np1 address 02:00:00:00:00:01 netns 11 type veth "
        "peer name enp1s0f1np1 address 02:00:00:00:00:02 netns 22"
    )


def test_only_the_two_ends_of_one_pair_are_joined():
    near, far = {"ifindex": 2, "link_index": 7}, {"ifindex": 7, "link_index": 2}
    assert rails.joined(near, far)
    assert not rails.joined(near, {"ifindex": 7, "link_index": 4})  # the other end of an older cable
    assert not rails.joined(near, {"ifindex": 7})  # no veth at all
    assert not rails.joined(near, None)


def test_the_checkouts_settings_give_the_subnets(tmp_path, monkeypatch):
    settings = tmp_path / "group_vars" / "all" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("twinspark_rails:\n  - {interface: enp1s0f1np1, subnet: 10.9.1.0/24}\n")
    monkeypatch.setattr(rails, "checkout", lambda: tmp_path)
    assert [str(rail.subnet) for rail in rails.rails()] == ["10.9.1.0/24", "192.168.178.0/24"]
