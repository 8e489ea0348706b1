"""After a measurement, a refused one and one full of faults, nothing of them is left on either host."""


def test_perftest_is_the_distribution_s(host):
    assert host.run("dpkg-query --search /usr/bin/ib_write_bw").stdout.startswith("perftest")
    assert not host.file("/usr/local/bin/ib_write_bw").exists


def test_nothing_is_left_in_systemd(host):
    units = host.run("systemctl list-units --all --plain --no-legend 'twinspark-*'").stdout.splitlines()
    assert not [unit for unit in units if not unit.startswith("twinspark-lab-")]


def test_nothing_is_left_in_ps(host):
    assert not [process for process in host.process.filter() if "ib_write" in process["args"]]


def test_no_port_is_held_by_tcp_nor_by_rdma_cm(host):
    assert ":185" not in host.run("ss --no-header --listening --tcp --numeric").stdout
    assert ":185" not in host.run("rdma resource show cm_id").stdout


def test_no_queue_pair_and_no_memory_is_held(host):
    assert "ib_write" not in host.run("rdma resource show qp").stdout
    assert "ib_write" not in host.run("rdma resource show mr").stdout


def test_nothing_is_left_in_tmp(host):
    assert "perftest" not in host.run("ls -A /tmp /dev/shm /run").stdout
