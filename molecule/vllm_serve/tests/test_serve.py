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


def test_the_rank_runs_and_is_started_by_nothing_but_the_supervisor(host):
    unit = host.service(UNIT)
    assert unit.is_running
    shown = host.check_output(f"systemctl show {UNIT} --property=Restart --property=UnitFileState").splitlines()
    assert sorted(shown) == ["Restart=no", "UnitFileState=static"]


def test_the_supervisor_is_at_work_on_the_head_and_starts_at_boot(host, is_head):
    unit = host.service("twinspark-serve")
    assert unit.exists == is_head
    if is_head:
        assert unit.is_running
        assert unit.is_enabled
        # For everybody who may log in: it tells no secret.
        state = json.loads(host.file("/var/lib/twinspark/serve/state.json").content_string)["state"]
        assert state["kind"] in ("serving", "busy")


def test_the_supervisor_s_key_lies_on_the_head_only_and_is_root_s(host, is_head):
    with host.sudo():
        key = host.file("/etc/twinspark/supervisor/ed25519")
        assert key.exists == is_head
        if is_head:
            assert (key.user, key.mode) == ("root", 0o600)
            assert host.file("/etc/twinspark/supervisor").mode == 0o700


def test_the_supervisor_s_user_can_do_four_things_to_this_rank_and_no_other(host, is_head):
    with host.sudo():
        hand = host.user("twinspark-serve")
        assert hand.exists != is_head
        if is_head:
            return
        allowed = host.check_output("sudo -l -U twinspark-serve").partition("NOPASSWD:")[2]
        commands = [line.strip(" ,\\") for line in allowed.replace(", ", "\n").splitlines() if line.strip(" ,\\")]
        assert [command.split()[-1] for command in commands] == ["look", "log", "start", "stop"], allowed
        assert all(" rank --boot-id " in command for command in commands)
        keys = host.file(f"{hand.home}/.ssh/authorized_keys")
        assert (keys.user, host.file(hand.home).user) == ("root", "root")
        line = keys.content_string.splitlines()[-1]
        assert line.startswith('from="192.168.177.11,192.168.178.11",restrict,command="sudo -n ')


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
