"""Beacons between hosts: who is heard on a socket, and on a real interface where the tests may open one."""

import selectors
import socket
import threading
import time

import pytest
from ansible.module_utils.twinspark.network import discovery

MAC = b"\x02\x00\x00\x00\x00\x01"


@pytest.fixture
def library(load_module):
    return load_module("twinspark_link_probe_info")


def test_beacons_of_others_are_heard_and_its_own_and_noise_are_not(library, monkeypatch):
    monkeypatch.setattr(library, "PAUSE", 0)
    here, wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard = {"a": set()}
    with here, wire, selectors.DefaultSelector() as selector:
        selector.register(here, selectors.EVENT_READ, "a")
        for frame in (discovery.beacon("spark2", "b", MAC), discovery.beacon("spark1", "a", MAC), b"noise"):
            wire.send(frame)
            library.listen(selector, heard, "spark1")
    assert heard == {"a": {("spark2", "b")}}


def test_a_wire_that_breaks_does_not_stop_the_others(library):
    here, wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    here.close()
    wire.close()
    library.send(wire, discovery.beacon("spark1", "a", MAC))


def test_a_link_that_is_not_there_hears_nothing(run_module):
    answer = run_module("twinspark_link_probe_info", host="a", interfaces=["nosuch0"], seconds=1)
    assert (answer["changed"], answer["heard"]) == (False, {"nosuch0": []})


def test_without_interfaces_it_ends_at_once(run_module):
    start = time.monotonic()
    assert run_module("twinspark_link_probe_info", check_mode=True, host="a", interfaces=[])["heard"] == {}
    assert time.monotonic() - start < 3


def test_another_host_on_a_real_link_is_heard(run_module):
    try:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(discovery.ETHERTYPE))
    except PermissionError:
        pytest.skip("raw sockets are not for this user")
    wire.bind(("lo", discovery.ETHERTYPE))
    ended = threading.Event()

    def speak():
        while not ended.wait(0.1):
            wire.send(discovery.beacon("spark2", "enp1s0f1np1", MAC))

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        heard = run_module("twinspark_link_probe_info", host="spark1", interfaces=["lo"], seconds=1)["heard"]
    finally:
        ended.set()
        speaker.join()
        wire.close()
    assert heard == {"lo": [["spark2", "enp1s0f1np1"]]}
