"""The text that preflight reads on a host, as values."""

from ansible.module_utils.twinspark.inventory import host_facts

# `ss -H -l -t -n -p` of iproute2 6.15.
LISTENERS = (
    "LISTEN 0      4096   127.0.0.11:38427 0.0.0.0:*\n"
    'LISTEN 0      128       0.0.0.0:22    0.0.0.0:*    users:(("sshd",pid=812,fd=6))\n'
    'LISTEN 0      2048            *:8000        *:*    users:(("python3",pid=99,fd=3))\n'
    "LISTEN 0      128          [::]:22       [::]:*\n\n"
)
MEMINFO = """\
MemTotal:       24636948 kB
MemFree:         8160160 kB
MemAvailable:   15812432 kB
SwapTotal:             0 kB
SwapFree:              0 kB
HugePages_Total:       0
"""


def test_listeners_are_ports_with_the_program_that_holds_them():
    found = host_facts.listeners(LISTENERS)
    assert found[38427] == "a program"
    assert found[8000] == "python3"
    assert set(found) == {38427, 22, 8000}


def test_a_release_file_without_quotes_comments_and_blank_lines():
    text = '# DGX\n\nDGX_NAME="DGX Spark"\nDGX_SWBUILD_VERSION=7.2.3\nbroken line\n'
    assert host_facts.os_release(text) == {"DGX_NAME": "DGX Spark", "DGX_SWBUILD_VERSION": "7.2.3"}


def test_memory_is_bytes():
    assert host_facts.meminfo(MEMINFO) == host_facts.Memory(24636948 * 1024, 15812432 * 1024, 0, 0)


def test_memory_that_is_not_told_is_zero():
    assert host_facts.meminfo("MemTotal: 1 kB\n") == host_facts.Memory(1024, 0, 0, 0)
