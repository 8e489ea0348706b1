"""The copy of an image: which layers stay behind, and that the rest arrives as it was."""

import io
import json
import sys
import tarfile

import pytest

from tests.support import load_file

stream = load_file("roles/vllm_image/files/image_stream.py")


@pytest.mark.parametrize(
    ("wanted", "theirs", "shared"),
    [
        (["a", "b", "c"], [["a", "b"]], {"a", "b"}),
        (["a", "b", "c"], [["b", "c"]], set()),
        (["a", "b"], [], set()),
        (["a", "b", "a"], [["a", "b"]], {"b"}),
        (["a", "b", "c"], [["a"], ["a", "b", "x"]], {"a", "b"}),
    ],
)
def test_only_a_common_beginning_stays_behind(wanted, theirs, shared):
    assert stream.shared_layers(wanted, theirs) == shared


def archive(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue() + b"\0" * 4096  # `docker save` pads


def test_a_layer_that_the_peer_has_is_left_out():
    source = io.BytesIO(archive({"blobs/sha256/aa": b"x" * 5000, "blobs/sha256/bb": b"new", "manifest.json": b"[]"}))
    sink, sent = io.BytesIO(), []
    assert stream.slim(source, sink, {"sha256:aa"}, sent.append) == 5000
    assert source.read() == b""
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue())) as tar:
        assert tar.getnames() == ["blobs/sha256/bb", "manifest.json"]
        assert tar.extractfile("blobs/sha256/bb").read() == b"new"
    assert sum(sent) == 5


def fake_docker(tmp_path, monkeypatch, script):
    """A `docker` first on PATH whose state is a folder: the script decides."""
    tool = tmp_path / "docker"
    tool.write_text(f"#!{sys.executable}\nimport sys, json, pathlib\nstate = pathlib.Path({str(tmp_path)!r})\n{script}")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


DOCKER = """
argv = sys.argv[1:]
mine = {"Id": "sha256:new", "RepoTags": ["e:1"], "Size": 7, "RootFS": {"Layers": ["sha256:aa", "sha256:bb"]}}
old = {"Id": "sha256:old", "RepoTags": ["base:1"], "RootFS": {"Layers": ["sha256:aa"]}}
loaded = state / "loaded"
remote = argv[0] == "remote"
argv = argv[1:] if remote else argv
if argv[0] == "version": print("x")
elif argv[:2] == ["image", "ls"]: print("sha256:new" if loaded.exists() else "sha256:old")
elif argv[:2] == ["image", "inspect"]: print(json.dumps([mine if not remote or loaded.exists() else old]))
elif argv[0] == "save": sys.stdout.buffer.write((state / "archive").read_bytes())
elif argv[0] == "load":
    data = sys.stdin.buffer.read()
    if (state / "picky").exists() and b"blobs/sha256/aa" not in data:
        sys.exit("open blobs/sha256/aa: no such file or directory")
    loaded.write_bytes(data)
"""


@pytest.mark.parametrize(("picky", "way"), [(False, "new layers"), (True, "whole")])
def test_a_refused_archive_is_sent_whole(tmp_path, monkeypatch, capfd, picky, way):
    fake_docker(tmp_path, monkeypatch, DOCKER)
    (tmp_path / "archive").write_bytes(archive({"blobs/sha256/aa": b"x" * 999, "blobs/sha256/bb": b"new"}))
    if picky:
        (tmp_path / "picky").touch()
    spec = tmp_path / "spec.json"
    peer = {"name": "spark2", "ssh": ["env"]}
    spec.write_text(
        json.dumps({"image": "e:1", "report": str(tmp_path / "r"), "docker": [["docker", "remote"]], "peers": [peer]})
    )
    assert stream.main([str(spec)]) == 0
    (report,) = json.loads((tmp_path / "r").read_text())
    assert (report["way"], report["id"]) == (way, "sha256:new")
    assert report["left_out_bytes"] == (0 if picky else 999)
    assert stream.main([str(spec)]) == 0  # again: nothing is sent
    assert json.loads((tmp_path / "r").read_text())[0]["way"] == "none"
    assert '"way": "none"' in capfd.readouterr().out


def test_a_peer_that_can_not_be_reached_is_named(tmp_path, monkeypatch, capsys):
    fake_docker(tmp_path, monkeypatch, "print(json.dumps([{'Id': 'x'}]))")
    spec = tmp_path / "spec.json"
    peer = {"name": "spark2", "ssh": ["false"]}
    spec.write_text(json.dumps({"image": "e:1", "report": "/none", "docker": [["docker"]], "peers": [peer]}))
    assert stream.main([str(spec)]) == 1
    assert "spark2: its Docker can't be reached" in capsys.readouterr().err
