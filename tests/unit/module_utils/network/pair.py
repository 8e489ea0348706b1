"""Two Sparks with both rails, and the network that they shall have, for the tests of this folder."""

from ansible.module_utils.twinspark.inventory import fabric

HOSTS = ["spark1", "spark2"]
RAILS = [
    {"name": "rail1", "interface": "enp1s0f1np1", "hca": "rocep1s0f1", "subnet": "192.168.177.0/24"},
    {"name": "rail2", "interface": "enP2p1s0f1np1", "hca": "roceP2p1s0f1", "subnet": "192.168.178.0/24"},
]
ENTRIES = fabric.fabric(HOSTS, {host: {"twinspark_rails": RAILS, "twinspark_rails_first_host": 11} for host in HOSTS})
SETTINGS = {
    "path": "/etc/netplan/40-cx7.yaml",
    "mtu": 9000,
    "takeover": False,
    "arp": {"arp_ignore": 1, "arp_announce": 2},
}
