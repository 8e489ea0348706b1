"""The head's end of the copy: whom it serves, what it gives, and when it ends."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from .weights_pair import COMMIT, HEAD, MINE, TOTAL, flip


def asked(pair, path, *, source="127.0.1.1", method="GET", headers=None, nonce=None):
    """One question put by hand. Returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", pair.port, timeout=5, source_address=(source, 0))
    connection.request("GET", "/")
    first = connection.getresponse()
    first.read()
    nonce = nonce or pair.program("wire").nonce_of(first.headers["WWW-Authenticate"])
    given = {"Authorization": pair.program("wire").answer("sesame", nonce, "GET", path, 0), **(headers or {})}
    connection.request(method, path, headers=given)
    response = connection.getresponse()
    return response.status, dict(response.headers), response.read()


def test_who_is_no_peer_is_told_nothing(pair):
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        asked(pair, "/x", source="127.0.0.1")


def test_an_answer_is_good_for_its_connection_path_and_range_only(pair):
    blob = pair.entry("deep/c").blob
    assert asked(pair, f"/{blob}")[0] == 200
    assert asked(pair, f"/{blob}", nonce="0" * 32)[0] == 401
    assert asked(pair, f"/{blob}", headers={"Range": "bytes=5-"})[0] == 401
    other = pair.program("wire").answer("sesame", "0" * 32, "GET", "/other", 0)
    assert asked(pair, f"/{blob}", headers={"Authorization": other})[0] == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/../.twinspark/" + COMMIT + ".manifest.json", 404), ("/" + "0" * 64, 404), ("//etc/passwd", 401)],
)
def test_nothing_but_the_manifest_s_blobs_is_to_be_had(pair, path, status):
    (pair.head.blobs / ("0" * 64)).write_text("not in the manifest")
    assert asked(pair, path)[0] == status


def test_a_link_in_a_blob_s_place_is_not_followed(pair, tmp_path):
    (tmp_path / "private").write_text("private")
    blob = pair.head.blobs / pair.entry("deep/c").blob
    blob.unlink()
    blob.symlink_to(tmp_path / "private")
    assert asked(pair, f"/{blob.name}")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "HEAD"])
def test_it_is_read_only(pair, method):
    assert asked(pair, f"/{pair.entry('deep/c').blob}", method=method)[0] == 501


def test_the_secret_never_crosses_the_rail(pair, monkeypatch):
    crossed, real = [], socket.socket.sendall
    monkeypatch.setattr(
        socket.socket, "sendall", lambda self, data, *a: crossed.append(bytes(data)) or real(self, data, *a)
    )
    pair.pull()
    assert any(b"Authorization" in data for data in crossed)
    assert not any(b"sesame" in data for data in crossed)


def test_it_ends_by_itself_when_nobody_is_connected_and_leaves_no_secret(pair):
    pair.close()
    pair.servers.clear()
    pair.program("serve").run(pair.served(0.1))
    assert not (pair.folder / "head.secret").exists()
    socket.create_server(("127.0.0.1", pair.port)).close()


def test_who_does_not_know_the_secret_keeps_no_server_alive(pair):
    pair.close()
    pair.servers.clear()
    spec = pair.served(1)
    server = threading.Thread(target=pair.program("serve").run, args=(spec,), daemon=True)
    server.start()
    end = time.monotonic() + 20
    while server.is_alive() and time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", pair.port), 5, ("127.0.1.1", 0)) as door,
        ):
            door.sendall(b"GET / HTTP/1.1\r\n\r\n")
            door.recv(4096)
        time.sleep(0.05)
    assert not server.is_alive()


def test_a_host_that_only_hashes_keeps_the_server_waiting_for_it(program, pair, monkeypatch):
    pair.pull()
    pair.close()
    pair.servers.clear()
    flip(pair.other.blobs / pair.entry("b").blob)
    spec = pair.served(2)
    threading.Thread(target=program("serve").run, args=(spec,), daemon=True).start()
    hashing = program("store").sums_of

    def slow(*arguments, **more):
        time.sleep(6)
        return hashing(*arguments, **more)

    monkeypatch.setattr(program("store"), "sums_of", slow)
    monkeypatch.setattr(program("pull"), "KNOCK", 0.3)
    assert pair.pull(rail_patience=0)["replaced"] == ["b"]
    assert pair.whole()


def test_what_a_peer_sends_stands_in_the_log_as_text(pair, capsys):
    with socket.create_connection(("127.0.0.1", pair.port), 5, ("127.0.1.1", 0)) as door:
        door.sendall(b"GET /\x1b[2Jx\x9by HTTP/1.1\r\n\r\n")
        assert door.recv(4096).startswith(b"HTTP/1.1 401")
    log = capsys.readouterr().out
    assert r"GET /\x1b[2Jx\x9by HTTP/1.1" in log
    assert "\x1b" not in log


def test_a_port_in_use_is_told_with_its_fix(program, pair):
    with pytest.raises(program("job").Failure, match=r"at any rail, first rail1 \(127.0.0.1\): .*hf_weights_port"):
        program("serve").run(pair.served(9))


def test_a_rail_that_the_head_can_t_listen_on_leaves_the_work_to_the_other(pair):
    pair.close()
    with socket.create_server((HEAD[0]["address"], pair.port)):
        pair.serve()
        assert [server.server_address[0] for server in pair.servers] == [HEAD[1]["address"]]
        copy = pair.pull(mine=MINE[1:])
    assert copy["rails"] == {"rail2": TOTAL}
    assert pair.whole()


@pytest.mark.parametrize(
    ("header", "start"),
    [
        (None, 0),
        ("bytes=0-", 0),
        ("bytes=17-", 17),
        ("bytes=1-2", None),
        ("bytes=-5", None),
        ("bytes=1-,3-", None),
        ("x", None),
    ],
)
def test_a_range_is_the_rest_of_a_file_or_refused(program, header, start):
    assert program("wire").start_of(header) == start
