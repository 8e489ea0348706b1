"""Keys, pins and client settings between the hosts; what ssh itself makes of them."""

import shutil
import subprocess

import pytest
from ansible.module_utils.twinspark.inventory import fabric
from ansible.module_utils.twinspark.network import known_hosts

RAILS = [
    {"name": "rail1", "interface": "a1", "hca": "h1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "a2", "hca": "h2", "subnet": "192.168.178.0/24"},
]
HOSTS = ["spark1", "spark2", "spark3"]
ENTRIES = fabric.fabric(HOSTS, {host: {"twinspark_rails": RAILS, "ansible_user": "spark"} for host in HOSTS})
KEYS = {host: [f"ssh-ed25519 AAAA{host} root@{host}", f"ecdsa-sha2-nistp256 BBBB{host}"] for host in HOSTS}
SETTINGS = known_hosts.SshSettings("spark", 22, "~/.ssh/k", "~/.ssh/kh")


def test_every_host_key_of_every_peer_is_pinned_for_its_rail_addresses():
    lines = known_hosts.known_hosts(ENTRIES, "spark1", KEYS).splitlines()[1:]
    assert lines == [
        "192.168.177.12,192.168.178.12 ecdsa-sha2-nistp256 BBBBspark2",
        "192.168.177.12,192.168.178.12 ssh-ed25519 AAAAspark2",
        "192.168.177.13,192.168.178.13 ecdsa-sha2-nistp256 BBBBspark3",
        "192.168.177.13,192.168.178.13 ssh-ed25519 AAAAspark3",
    ]


def test_another_port_is_part_of_the_name():
    text = known_hosts.known_hosts(ENTRIES, "spark1", KEYS, port=2222)
    assert "[192.168.177.12]:2222,[192.168.178.12]:2222 " in text


def test_a_key_is_good_from_its_host_s_rails_only():
    public = {"spark2": "ssh-ed25519 AAAA2 twinspark@spark2", "spark3": ""}
    assert known_hosts.authorized_keys(ENTRIES, "spark1", public).splitlines() == [
        'from="192.168.177.12,192.168.178.12",restrict ssh-ed25519 AAAA2 twinspark@spark2',
        "# the key that spark3 is going to make",
    ]


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh here")
@pytest.mark.parametrize(
    ("target", "address", "bind"),
    [
        ("twinspark-spark2", "192.168.177.12", "192.168.177.11"),
        ("twinspark-spark2-rail2", "192.168.178.12", "192.168.178.11"),
        ("192.168.178.13", "192.168.178.13", "192.168.178.11"),
    ],
)
def test_ssh_reads_the_settings_as_meant(tmp_path, target, address, bind):
    config = tmp_path / "config"
    config.write_text(known_hosts.ssh_config(ENTRIES, "spark1", SETTINGS))
    out = subprocess.run(["ssh", "-G", "-F", config, target], capture_output=True, text=True, check=True).stdout
    read = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
    assert (read["hostname"], read["bindaddress"], read["user"]) == (address, bind, "spark")
    assert read["stricthostkeychecking"] in ("yes", "true")
    assert read["userknownhostsfile"].endswith(".ssh/kh")


def test_nobody_else_is_touched():
    text = known_hosts.ssh_config(ENTRIES, "spark1", SETTINGS)
    assert "Host *" not in text
    assert "spark1" not in text
    assert "StrictHostKeyChecking no" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "spark@192.168.177.12: Permission denied (publickey).\n",
            "spark@192.168.177.12: Permission denied (publickey).",
        ),
        (
            "@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n",
            "the peer's host key is not the pinned one",
        ),
        ("", "no answer"),
    ],
)
def test_why_ssh_refused(text, reason):
    assert known_hosts.refused(text) == reason
