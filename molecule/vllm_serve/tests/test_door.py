"""The door of the head: nginx alone is to be found there from another host, and lets in who has a key."""

import json
import os
from pathlib import Path

import pytest

HEAD = "spark1"
DOOR = "twinspark-door"
PORT = "8443"
# Every TCP port of an address, by connecting to it: whatever answers with more than a refusal is open.
SCAN = """
import asyncio, sys
gate = asyncio.Semaphore(500)
async def knock(port):
    async with gate:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), 5)
        except (OSError, asyncio.TimeoutError):
            return None
        writer.close()
        return port
async def main():
    print(*[port for port in await asyncio.gather(*map(knock, range(1, 65536))) if port])
asyncio.run(main())
"""
# The key comes by standard input, so that no process list has it.
ASK = """
import json, ssl, sys, urllib.error, urllib.request
key, url, body = sys.stdin.read().splitlines()
request = urllib.request.Request(url, body.encode() or None, {"Content-Type": "application/json"})
if key:
    request.add_header("Authorization", "Bearer " + key)
try:
    answer = urllib.request.urlopen(request, timeout=120, context=ssl.create_default_context(cafile="/tmp/door.pem"))
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""
QUESTION = {
    "model": "lab-smollm2",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "max_tokens": 16,
    "temperature": 0,
}


@pytest.fixture(scope="module")
def is_head(host):
    return host.backend.get_hostname() == HEAD


@pytest.fixture(scope="module")
def management(host):
    return host.backend.ansible_runner.get_variables(HEAD)["ansible_host"]


def key_of(client):
    return (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / f"{client}.key").read_text().strip()


@pytest.fixture(scope="module")
def ask(host, management):
    """ask(path, key, body): what the door answers this host, which has its certificate."""
    # As an owner would fetch it, and compare its fingerprint with the proof's.
    host.check_output(
        "openssl s_client -connect %s:%s </dev/null 2>/dev/null | openssl x509 >/tmp/door.pem", management, PORT
    )

    def asked(path, key="", body=None):
        told = "\n".join([key, f"https://{management}:{PORT}{path}", json.dumps(body) if body else ""]) + "\n"
        done = host.run("printf %%s %s | python3 -c %s", told, ASK)
        assert done.rc == 0, done.stderr
        status, _, text = done.stdout.partition(" ")
        return int(status), json.loads(text)

    return asked


def test_the_door_is_a_service_of_its_own_on_the_head(host, is_head):
    assert (host.run(f"systemctl is-active {DOOR}").stdout.strip() == "active") == is_head
    assert (host.run(f"systemctl is-enabled {DOOR}").stdout.strip() == "enabled") == is_head
    if is_head:
        checked = host.run(f"systemd-analyze verify /etc/systemd/system/{DOOR}.service")
        assert DOOR not in checked.stdout + checked.stderr


def test_the_distributions_own_server_never_starts(host, is_head):
    assert host.run("systemctl is-active nginx").stdout.strip() != "active"
    assert (host.run("systemctl is-enabled nginx").stdout.strip() == "masked") == is_head
    assert host.package("nginx").is_installed == is_head


def test_the_keys_are_for_root_only_and_on_the_head_only(host, is_head):
    with host.sudo():
        keys = host.file("/etc/twinspark/door/keys.conf")
        assert keys.exists == is_head
        if is_head:
            assert (keys.user, keys.mode) == ("root", 0o600)
            assert host.file("/etc/twinspark/door/house.key").mode == 0o600


def test_from_another_host_there_is_the_door_and_nothing_of_the_engine(host, is_head, management):
    if is_head:
        return
    found = set(map(int, host.check_output("python3 -c %s %s", SCAN, management).split()))
    assert found == {22, int(PORT)}


def test_who_has_a_key_gets_an_answer(ask):
    status, told = ask("/v1/chat/completions", key_of("alice"), QUESTION)
    assert status == 200
    assert "Paris" in told["choices"][0]["message"]["content"]
    assert ask("/v1/models", key_of("alice"))[1]["data"][0]["id"] == "lab-smollm2"


def test_who_has_none_any_more_or_never_had_does_not(ask):
    for key in ("", key_of("bob"), key_of("alice").swapcase()):
        status, told = ask("/v1/chat/completions", key, QUESTION)
        assert (status, told["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", ["/invocations", "/pause", "/metrics", "/docs", "/health", "/v1/../pause", "//pause"])
def test_the_engines_other_paths_are_not_there(ask, path):
    assert ask(path, key_of("alice"), QUESTION)[0] == 404


def test_the_journal_names_the_client_and_no_key(host, is_head, ask):
    if not is_head:
        return
    ask("/v1/models?note=question", key_of("alice"))
    with host.sudo():
        log = host.check_output(f"journalctl --no-pager --unit {DOOR}")
        lines = host.check_output("ps -e -o args")
    assert ' alice "GET /v1/models" 200 ' in log
    for secret in (key_of("alice"), key_of("bob"), "note=question"):
        assert secret not in log
        assert secret not in lines


def test_the_proof_shows_the_fingerprint_that_a_client_sees(host, is_head, ask):
    if not is_head:
        return
    shown = host.check_output("openssl x509 -noout -fingerprint -sha256 -in /tmp/door.pem").partition("=")[2]
    evidence = json.loads(host.file("/var/lib/twinspark/proofs/serve.json").content_string)["evidence"]["door"]
    assert evidence["certificate_sha256"] == shown
    assert evidence["clients"] == ["alice"]
