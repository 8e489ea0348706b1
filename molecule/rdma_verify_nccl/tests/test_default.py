"""The result on the head, and no job, port or container left behind."""

import json


def test_the_head_keeps_the_result_of_the_last_run(host):
    if host.backend.get_hostname() != "spark1":
        return
    result = json.loads(host.file("/var/lib/twinspark/nccl.json").content_string)
    failed = [verdict["name"] for verdict in result["verdicts"] if not verdict["ok"]]
    assert failed == ["NCCL network on spark2", "NCCL devices on spark2"]
    assert result["simulated"]
    assert result["measurements"][-1]["value"] == 21.875e9


def test_no_job_and_no_port_is_left(host):
    assert not host.run("systemctl list-units --all --no-legend 'twinspark-job-nccl*'").stdout
    assert not [socket for socket in host.socket.get_listening_sockets() if socket.endswith(":29517")]
