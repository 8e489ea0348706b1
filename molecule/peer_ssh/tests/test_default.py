"""Keys stay where they were made, and open nothing but the peers' rails."""

import re

HOME = "/home/spark/.ssh"


def test_the_private_half_is_the_user_s_alone(host):
    key = host.file(f"{HOME}/twinspark_ed25519")
    assert (key.user, key.mode) == ("spark", 0o600)


def test_the_two_hosts_have_pairs_of_their_own(host):
    mine = host.file(f"{HOME}/twinspark_ed25519.pub").content_string.split()[1]
    assert mine not in host.file(f"{HOME}/authorized_keys").content_string


def test_a_peer_s_key_is_good_from_its_rails_only(host):
    lines = host.file(f"{HOME}/authorized_keys").content_string.splitlines()
    ours = [line for line in lines if "twinspark@" in line]
    assert len(ours) == 1
    assert re.match(r'from="192\.168\.177\.1[12],192\.168\.178\.1[12]",restrict ssh-ed25519 ', ours[0])


def test_the_peers_host_keys_are_pinned_in_a_file_of_its_own(host):
    pinned = host.file(f"{HOME}/twinspark_known_hosts").content_string
    assert len([line for line in pinned.splitlines() if line.startswith("192.168.177.")]) >= 1


def test_ssh_is_set_for_the_peers_and_nobody_else(host):
    text = host.file("/etc/ssh/ssh_config.d/40-twinspark.conf").content_string
    hosts = [word for line in text.splitlines() if line.startswith("Host ") for word in line.split()[1:]]
    assert hosts
    assert all(re.fullmatch(r"twinspark-[a-z0-9-]+|192\.168\.17[78]\.\d+", name) for name in hosts)
    assert "StrictHostKeyChecking no" not in text
    assert host.run("runuser -u spark -- ssh -G somewhere.example | grep -c twinspark").stdout.strip() == "0"
