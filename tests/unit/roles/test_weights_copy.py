"""The copy itself, both ends of it, over two rails on loopback: what it promises, and every way it may break."""

import contextlib
import os
import socket
import threading
import time

import pytest

from .weights_pair import COMMIT, HEAD, KIB, MINE, SIZES, TOTAL, flip


def cut(connection, send, count):
    send(count // 2)
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by the test")


def stall(connection, send, count):
    send(count // 2)
    time.sleep(1.5)
    raise TimeoutError("stalled by the test")


def test_everything_comes_verified_over_both_rails(pair):
    copy = pair.pull()
    assert pair.whole()
    assert copy["bytes"] == TOTAL
    assert set(copy["rails"]) == {"rail1", "rail2"}
    assert sum(copy["rails"].values()) == TOTAL
    assert {f["size"] for f in pair.state()["files"].values()} == set(SIZES.values())
    assert not list(pair.other.staging.iterdir())
    assert not (pair.folder / "other.secret").exists()


@pytest.mark.parametrize("fault", [cut, stall])
def test_a_connection_that_breaks_is_outlived_and_the_file_goes_on_where_it_was(pair, on_the_way, fault):
    size = SIZES["a"]
    on_the_way.faults[size] = fault
    copy = pair.pull()
    assert pair.whole()
    assert on_the_way.sent.count((0, size)) == 1
    ((first, count),) = [(first, count) for first, count in on_the_way.sent if first]
    assert first >= size // 2 - 1024 * KIB  # at most what one piece holds came in vain
    assert first + count == size
    assert copy["refetched"] == []


def test_a_part_is_hashed_before_the_rest_is_fetched_so_a_rotten_one_is_found(pair):
    entry = pair.entry("a")
    pair.other.staging.mkdir(parents=True)
    part = pair.other.staging / f"{entry.blob}.part"
    part.write_bytes(b"\0" * 1024 * KIB)
    copy = pair.pull()
    assert copy["refetched"] == ["a"]
    assert pair.whole()


@pytest.mark.parametrize("extra", [0, 1])
def test_a_part_as_long_as_its_file_is_hashed_and_a_longer_one_is_thrown_away(pair, on_the_way, extra):
    entry = pair.entry("a")
    pair.other.staging.mkdir(parents=True)
    content = (pair.head.blobs / entry.blob).read_bytes() + b"x" * extra
    (pair.other.staging / f"{entry.blob}.part").write_bytes(content)
    pair.pull()
    assert pair.whole()
    assert ((0, entry.size) in on_the_way.sent) == bool(extra)


def test_a_link_in_a_part_s_place_is_not_written_through(pair, tmp_path):
    private = tmp_path / "private"
    private.write_text("private")
    pair.other.staging.mkdir(parents=True)
    (pair.other.staging / f"{pair.entry('a').blob}.part").symlink_to(private)
    pair.pull()
    assert pair.whole()
    assert private.read_text() == "private"


def test_a_folder_in_a_part_s_place_is_named_with_its_fix(program, pair):
    part = pair.other.staging / f"{pair.entry('a').blob}.part"
    part.mkdir(parents=True)
    with pytest.raises(program("job").Failure, match=r"\.part is a folder.*Remove it"):
        pair.pull()


def test_a_dead_rail_s_work_moves_to_the_other_without_waiting_for_it(pair):
    pair.close(1)
    started = time.monotonic()
    copy = pair.pull()
    assert pair.whole()
    assert copy["rails"] == {"rail1": TOTAL, "rail2": 0}
    assert time.monotonic() - started < 5
    pair.servers.pop()


def test_no_rail_at_all_is_told_and_what_came_is_kept(program, pair, on_the_way):
    def last_words(connection, send, count):
        send(count // 2)
        pair.close()
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError("the head went away")

    on_the_way.faults[SIZES["a"]] = last_words
    with pytest.raises(program("job").Failure, match="files did not come: no rail carries them any more, last rail"):
        pair.pull(streams=1, mine=MINE[:1])
    pair.servers.clear()
    assert list(pair.other.staging.glob("*.part"))
    assert not pair.other.snapshot(COMMIT).exists()
    pair.serve()
    pair.pull()
    assert pair.whole()


def test_a_rail_that_is_plugged_in_again_ends_no_copy(pair, on_the_way):
    def unplug(connection, send, count):
        send(count // 2)
        pair.close(0)
        threading.Timer(1.5, pair.serve, kwargs={"rails": HEAD[:1]}).start()
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError("unplugged by the test")

    pair.close(1)
    pair.servers.pop()
    on_the_way.faults[SIZES["a"]] = unplug
    copy = pair.pull(streams=1, mine=MINE[:1], rail_patience=60)
    assert pair.whole()
    assert copy["rail_faults"]["rail1"]["times"] >= 1
    assert "127.0.0.1" in copy["rail_faults"]["rail1"]["last"]


def test_a_rail_that_comes_back_while_the_other_carries_takes_its_share(pair, on_the_way):
    def until_the_other_is_back(connection, send, count):
        time.sleep(1)
        pair.serve(rails=HEAD[1:])
        before, end = len(on_the_way.sent), time.monotonic() + 30
        while len(on_the_way.sent) == before and time.monotonic() < end:
            time.sleep(0.02)
        return send(count)

    pair.close(1)
    pair.servers.pop()
    on_the_way.faults[SIZES["a"]] = until_the_other_is_back
    copy = pair.pull(streams=1, stall_seconds=60)
    assert pair.whole()
    assert copy["rails"]["rail2"] > 0
    assert sum(copy["rails"].values()) == TOTAL
    assert set(copy["rail_faults"]) == {"rail2"}


def test_a_rail_that_refuses_the_secret_leaves_the_work_to_the_other(pair):
    pair.servers[1].secret = "another copy's"
    copy = pair.pull()
    assert pair.whole()
    assert copy["rails"] == {"rail1": TOTAL, "rail2": 0}
    assert copy["rail_faults"]["rail2"]["times"] <= 2  # once a stream: it is not asked again
    assert "does not know this copy's secret" in copy["rail_faults"]["rail2"]["last"]


GREETING = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Twinspark nonce="%s"\r\n' % (b"0" * 32)


IMPOSTORS = {  # what the first rail answers to a greeting, and to a question for a blob
    "greets with a body without end": (GREETING + b"Content-Length: 99999999999999999\r\n\r\n", b""),
    "hangs up on its greeting": (GREETING + b"Connection: close\r\nContent-Length: 0\r\n\r\n", b""),
    "is overloaded": (GREETING + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"),
    "is overloaded from the start": (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", b""),
    "trickles": (GREETING + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n"),
    "ends in the middle of its head": (GREETING + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 200 x\r\nX: y\r\n", None),
    "trickles its head": (GREETING + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 200 x\r\nX: "),
}


@pytest.mark.parametrize("answers", IMPOSTORS.values(), ids=IMPOSTORS)
def test_whatever_answers_on_one_rail_the_other_brings_the_copy_to_its_end(pair, answers):
    sizes = {f"/{entry.blob}": entry.size for entry in pair.manifest.entries}

    def talk(connection):
        with connection, contextlib.suppress(OSError, IndexError):  # as it hangs up on us
            for reply in answers:
                if reply is None:
                    return
                asked = connection.recv(65536).decode().split()[1]
                connection.sendall(reply % sizes[asked] if b"%d" in reply else reply)
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)

    def listen(server):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=server.accept()[:1], daemon=True).start()

    pair.close(0)
    del pair.servers[0]
    with socket.create_server((HEAD[0]["address"], pair.port)) as impostor:
        threading.Thread(target=listen, args=(impostor,), daemon=True).start()
        copy = pair.pull(streams=1)
        impostor.shutdown(socket.SHUT_RDWR)
    assert pair.whole()
    assert "rail1" in copy["rail_faults"]
    assert copy["rails"]["rail1"] < 64 * KIB  # and none of it was of use


def test_wrong_bytes_twice_are_an_error_and_never_have_the_name(program, pair):
    entry = pair.entry("b")
    flip(pair.head.blobs / entry.blob)
    with pytest.raises(program("job").Failure, match="b came twice with the wrong bytes"):
        pair.pull()
    assert entry.blob not in pair.there()
    assert not pair.other.snapshot(COMMIT).exists()


@pytest.mark.parametrize("length", [-1, 1, None])
def test_a_file_of_the_wrong_length_on_the_head_or_none_is_told_with_its_fix(program, pair, length):
    path = pair.head.blobs / pair.entry("b").blob
    content = path.read_bytes()
    path.unlink()
    if length:
        path.write_bytes(content[:length] if length < 0 else content + b"x")
    with pytest.raises(program("job").Failure, match=r"the head has no 2048000 bytes of .*hf_weights_rehash"):
        pair.pull()
    assert all(pair.there().values())


def test_a_wrong_secret_is_refused_with_its_fix(program, pair):
    with pytest.raises(program("job").Failure, match="does not know this copy's secret"):
        pair.pull(secret_file=pair.secret("third", "open"))
    assert pair.there() == {}


@pytest.mark.parametrize("rails", [1, 2])
def test_another_server_on_a_rail_s_port_is_told_as_such_and_the_other_rail_taken(program, pair, rails):
    pair.close()
    with socket.create_server((HEAD[0]["address"], pair.port)) as other:
        pair.serve()

        def greet():
            while True:
                connection, _ = other.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=greet, daemon=True).start()
        if rails == 1:
            words = "127.0.0.1 is not the head of this copy; see hf_weights_port"
            with pytest.raises(program("job").Failure, match=words):
                pair.pull(streams=1, mine=MINE[:1])
        else:
            assert pair.pull(streams=1)["rails"]["rail2"] == TOTAL
            assert pair.whole()


def test_a_second_pull_reads_no_byte_of_the_weights(program, pair, monkeypatch):
    pair.pull()
    for name in ("store", "pull"):
        monkeypatch.setattr(program(name), "Rail" if name == "pull" else "sums_of", lambda *a, **k: pytest.fail("read"))
    monkeypatch.setattr(program("hashing"), "read_through", lambda *a: pytest.fail("read"))
    before = pair.state()["copy"]
    assert pair.pull() == before


def test_a_second_pull_that_waited_for_the_first_needs_no_secret(pair):
    copy = pair.pull()
    assert pair.pull(secret_file=str(pair.folder / "gone")) == copy


def test_a_file_that_was_replaced_is_named_at_the_end_of_the_log_where_the_role_shows_it(pair, capsys):
    pair.pull()
    assert "replaced: " not in capsys.readouterr().out
    flip(pair.other.blobs / pair.entry("b").blob)
    assert pair.pull()["replaced"] == ["b"]
    assert capsys.readouterr().out.splitlines()[-2].startswith("replaced: b: ")
    pair.pull()
    assert "replaced: " not in capsys.readouterr().out


def test_a_full_disk_keeps_what_came_and_says_so(program, pair, monkeypatch, capsys):
    real, left = os.write, [1500 * KIB]

    def write(handle, piece):
        if len(piece) > 1 * KIB:
            if left[0] <= 0:
                raise OSError(28, "No space left on device")
            piece = piece[: left[0]]
            left[0] -= len(piece)
        return real(handle, piece)

    monkeypatch.setattr(program("hashing").os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        pair.pull(streams=1, mine=MINE[:1])
    assert all(pair.there().values())
    assert sum(p.stat().st_size for p in pair.other.staging.glob("*.part")) >= 1400 * KIB
    monkeypatch.undo()
    assert pair.pull()["bytes"] < TOTAL
    assert pair.whole()
