"""ssh from one host to another over a rail."""

from ansible.module_utils.twinspark.network import rail_ssh


def test_ssh_never_trusts_a_new_host_key():
    entry = {"host": "b", "user": "spark", "rails": [{"address": "192.168.177.12"}]}
    (peer,) = rail_ssh.peers([entry], {"key": "~spark/.ssh/k", "known_hosts": "~spark/.ssh/h"})
    argv = " ".join(peer["ssh"])
    assert "StrictHostKeyChecking=yes" in argv
    assert "UserKnownHostsFile=~spark/.ssh/h" in argv
    assert argv.endswith("-l spark 192.168.177.12")
