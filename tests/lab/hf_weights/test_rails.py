"""The way over the rails: who may take it, and what happens when it, or who uses it, goes away."""

import json
import shlex

import pytest

from tests.lab.hf_weights.faultlab import BASE, MIB, PORT, TOTAL, assert_nothing_unverified, assert_whole

pytestmark = pytest.mark.lab


def test_the_copy_takes_both_rails_and_is_verified(lab, served):
    code, log = lab.pull(served)
    assert code == 0, log
    assert_whole(lab, lab.other, served)
    copy = lab.info(lab.other, served)["copy"]
    assert set(copy["rails"]) == {"rail1", "rail2"}
    assert copy["bytes"] == TOTAL
    assert lab.run(lab.other, f"ls {BASE}/secret 2>/dev/null; true") == ""


def test_who_lacks_the_secret_or_comes_another_way_gets_nothing(lab, served):
    lab.run(lab.other, f"umask 077; cat > {BASE}/secret", stdin=b"wrong")
    code, log = lab.job(lab.other, "pull", lab.pull_spec(served))
    assert code == 1
    assert "does not know this copy's secret" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.other, served)
    ask = (
        "import sys,http.client as h\n"
        "c=h.HTTPConnection(sys.argv[1],int(sys.argv[2]),timeout=5)\n"
        "try: c.request('GET','/'); print(c.getresponse().status)\n"
        "except OSError as e: print(type(e).__name__)"
    )
    rail, management = lab.pair.fabric[0]["rails"][0]["address"], lab.pair.fabric[0]["management"]
    assert lab.python(lab.other, ask, rail, PORT).strip() == "401"
    assert lab.python(lab.other, ask, management, PORT).strip() == "ConnectionRefusedError"
    # The head itself has the rail's address, but is no peer.
    assert lab.python(lab.head, ask, rail, PORT).strip() in ("RemoteDisconnected", "ConnectionResetError")


@pytest.mark.parametrize("rail", [0, 1])
def test_a_rail_cut_in_the_middle_leaves_the_work_to_the_other(lab, slow, rail):
    interface = lab.pair.fabric[1]["rails"][rail]["interface"]
    cutter = lab.when_staged(slow, 10 * MIB, f"sudo ip link set {interface} down")
    try:
        code, log = lab.pull(slow)
        cutter.wait()
    finally:
        lab.plug(rail)
    assert code == 0, log
    assert f"rail{rail + 1}: " in log  # it was in the middle
    assert_whole(lab, lab.other, slow)


def test_no_rail_at_all_is_told_and_what_came_is_kept(lab, served):
    lab.stop_serving()
    code, log = lab.pull(served)
    assert code == 1
    assert "no rail carries them" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.other, served)


def test_a_receiver_killed_in_the_middle_goes_on_from_there(lab, slow):
    lab.secret()
    assert lab.kill_midway(lab.other, "pull", lab.pull_spec(slow), 10 * MIB) > 10 * MIB
    assert_nothing_unverified(lab, lab.other, slow)
    code, log = lab.pull(slow)
    assert code == 0, log
    assert_whole(lab, lab.other, slow)
    assert lab.info(lab.other, slow)["copy"]["bytes"] < TOTAL - 8 * MIB


def test_a_receiver_rebooted_in_the_middle_goes_on_from_there(lab, slow):
    lab.secret()
    unit = f"sudo systemd-run --quiet --collect --uid=spark python3 {BASE}/program pull"
    lab.run(lab.other, f"{unit} {shlex.quote(json.dumps(lab.pull_spec(slow)))}")
    lab.when_staged(slow, 10 * MIB, "true").wait()
    lab.shape("replace", "4mbit")  # the rest would take a minute, and a busy machine takes its time to go down
    lab.reboot(lab.other)
    assert_nothing_unverified(lab, lab.other, slow)
    code, log = lab.pull(slow)
    assert code == 0, log
    assert_whole(lab, lab.other, slow)
    assert lab.info(lab.other, slow)["copy"]["bytes"] < TOTAL - 8 * MIB


def test_wrong_bytes_from_the_head_are_found_on_the_receiver(lab, served):
    lab.flip(lab.head, f"{BASE}/good", "a.safetensors")
    try:
        code, log = lab.pull(served)
    finally:
        lab.flip(lab.head, f"{BASE}/good", "a.safetensors")
    assert code == 1
    assert "a.safetensors came twice with the wrong bytes" in log.splitlines()[-2]
    assert_nothing_unverified(lab, lab.other, served)
