"""One engine over both hosts: units, who listens where, and a completion whose tokens the engine counted."""

import json

import pytest

HEAD = "spark1"
UNIT = "twinspark-vllm"
ASK = """
import json, urllib.request
body = {"model": "lab-smollm2", "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "max_tokens": 16, "temperature": 0}
request = urllib.request.Request("http://127.0.0.1:8000/v1/chat/completions", json.dumps(body).encode(),
                                 {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=120).read().decode())
"""


@pytest.fixture(scope="module")
def is_head(host):
    return host.backend.get_hostname() == HEAD


def test_the_rank_runs_and_starts_at_boot(host):
    unit = host.service(UNIT)
    assert unit.is_running
    assert unit.is_enabled


def test_the_container_is_what_the_unit_says(host):
    with host.sudo():
        label = host.check_output(
            f"docker inspect --format '{{{{index .Config.Labels \"io.twinspark.engine\"}}}}' {UNIT}"
        )
    assert f"io.twinspark.engine={label}" in host.file(f"/etc/systemd/system/{UNIT}.service").content_string


def test_the_container_is_confined_and_runs_the_image_that_was_proved(host, is_head):
    with host.sudo():
        found = json.loads(host.check_output(f"docker inspect {UNIT}"))[0]
    assert found["Config"]["Image"] == found["Image"]
    confined = found["HostConfig"]
    # Docker's versions differ in whether they give it back with CAP_ before it.
    assert confined["CapDrop"] == ["ALL"]
    assert [capability.removeprefix("CAP_") for capability in confined["CapAdd"]] == ["DAC_OVERRIDE"]
    assert confined["SecurityOpt"] == ["no-new-privileges"]
    assert confined["OomScoreAdj"] == 500
    if is_head:
        proof = json.loads(host.file("/var/lib/twinspark/proofs/image.json").content_string)
        assert found["Image"] == proof["evidence"]["ids"][HEAD]


def test_systemd_finds_nothing_wrong_with_the_unit(host):
    checked = host.run(f"systemd-analyze verify /etc/systemd/system/{UNIT}.service")
    assert checked.rc == 0
    assert UNIT not in checked.stdout + checked.stderr
    assert host.check_output(f"systemctl show {UNIT} --property=NeedDaemonReload") == "NeedDaemonReload=no"


def test_the_tries_are_bounded(host):
    shown = host.check_output(f"systemctl show {UNIT} --property=StartLimitBurst --property=Restart")
    assert "StartLimitBurst=3" in shown
    assert "Restart=on-failure" in shown


def test_the_environment_is_for_root_only(host):
    with host.sudo():
        found = host.file("/etc/twinspark/vllm.env")
        assert (found.user, found.mode) == ("root", 0o600)
        assert "VLLM_HOST_IP=192.168.177.1" in found.content_string


def test_only_the_head_listens_and_only_on_loopback(host, is_head):
    with host.sudo():
        ports = host.check_output("ss --tcp --listening --numeric --no-header")
    listening = [line.split()[3] for line in ports.splitlines() if line.split()[3].endswith(":8000")]
    assert listening == (["127.0.0.1:8000"] if is_head else [])


def test_the_ranks_meet_on_a_rail_and_nowhere_else(host, is_head):
    if is_head:
        with host.sudo():
            assert "dport 29501" in host.check_output("nft list table inet twinspark_vllm")
        return
    management = host.backend.ansible_runner.get_variables(HEAD)["ansible_host"]
    for address, meets in ((management, False), ("192.168.177.11", True)):
        knock = host.run(f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/29501'")
        assert (knock.rc == 0) == meets, address
        assert meets or "refused" in knock.stderr


def test_the_head_answers(host, is_head):
    if not is_head:
        return
    answer = json.loads(host.check_output("python3 -c %s", ASK))
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0


def test_the_proof_shows_a_rank_on_each_host(host, is_head):
    path = host.file("/var/lib/twinspark/proofs/serve.json")
    assert path.exists == is_head
    if not is_head:
        return
    proof = json.loads(path.content_string)
    assert proof["verdict"] == "pass"
    assert proof["simulated"]
    ranks = proof["evidence"]["ranks"]
    assert [ranks[name]["ranks"][0]["rank"] for name in ("spark1", "spark2")] == [0, 1]
    assert proof["evidence"]["canary"]["rails"]["rail1"]["received"] > 10**5
