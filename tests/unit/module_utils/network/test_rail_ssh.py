"""How one host logs in to another over a rail."""

from ansible.module_utils.twinspark.inventory.fabric import fabric
from ansible.module_utils.twinspark.network import rail_ssh

RAILS = [{"name": "rail1", "interface": "a1", "hca": "h1", "subnet": "192.168.177.0/24"}]


def test_ssh_never_trusts_a_new_host_key():
    entries = fabric(["a", "b"], {host: {"twinspark_rails": RAILS, "ansible_user": "spark"} for host in "ab"})
    (peer,) = rail_ssh.peers(entries[1:], rail_ssh.Identity("~spark/.ssh/k", "~spark/.ssh/h"))
    argv = " ".join(peer.ssh)
    assert "StrictHostKeyChecking=yes" in argv
    assert "UserKnownHostsFile=~spark/.ssh/h" in argv
    assert argv.endswith("-l spark 192.168.177.12")
