"""The rails as the kernel and netplan see them, after the faults of side_effect.yml were played and repaired."""

import json

import pytest

RAILS = {"enp1s0f1np1": "192.168.177.", "enP2p1s0f1np1": "192.168.178."}


def last_octet(host):
    return {"spark1": 11, "spark2": 12}[host.backend.get_hostname()]


def link(host, name):
    return json.loads(host.run(f"ip -json address show dev {name}").stdout)[0]


@pytest.mark.parametrize("rail", RAILS)
def test_the_kernel_has_the_address_of_its_rank_and_no_other(host, rail):
    addresses = [entry["local"] for entry in link(host, rail)["addr_info"]]
    assert addresses == [f"{RAILS[rail]}{last_octet(host)}"]


@pytest.mark.parametrize("rail", RAILS)
def test_the_mtu_is_the_article_s(host, rail):
    assert link(host, rail)["mtu"] == 9000


@pytest.mark.parametrize("rail", RAILS)
def test_full_frames_pass_unfragmented(host, rail):
    peer = f"{RAILS[rail]}{23 - last_octet(host)}"
    assert host.run(f"ping -M do -s 8972 -c 2 -i 0.2 -W 1 -I {rail} {peer}").rc == 0


@pytest.mark.parametrize("rail", RAILS)
def test_a_rail_answers_arp_for_its_own_address_only(host, rail):
    assert host.file(f"/proc/sys/net/ipv4/conf/{rail}/arp_ignore").content_string.strip() == "1"
    assert host.file(f"/proc/sys/net/ipv4/conf/{rail}/arp_announce").content_string.strip() == "2"


def test_the_file_is_the_article_s(host):
    file = host.file("/etc/netplan/40-cx7.yaml")
    assert (file.user, file.mode) == ("root", 0o600)
    text = file.content_string
    assert "link-local: [] # Restrict link-local addresses to static IPv4 only" in text
    assert f"addresses: [192.168.177.{last_octet(host)}/24]" in text


def test_nothing_waits_to_be_undone(host):
    assert not host.file("/var/lib/twinspark/network/pending").exists
    assert not host.file("/etc/systemd/system/twinspark-network-deadman-boot.service").exists
    assert "twinspark-network-deadman" not in host.run("systemctl list-timers --all").stdout


def test_ssh_over_a_rail_works_without_a_question(host):
    peer = f"twinspark-spark{2 if last_octet(host) == 11 else 1}"
    for rail in ("rail1", "rail2"):
        assert host.run(f"runuser -u spark -- ssh -o BatchMode=yes {peer}-{rail} true").rc == 0
