"""The lab's Hub, asked over HTTP: answers, faults and the request log."""

import hashlib
import http.client
import importlib.util
import json
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support import cases

SERVICES = Path(__file__).resolve().parents[3] / "lab" / "services"
CASES = cases(Path(__file__).parent / "cases" / "hub.yaml")
COMMIT = "1234567890" * 4
WEIGHTS = bytes(range(250)) * 12


def load_hub():
    spec = importlib.util.spec_from_file_location("lab_hub", SERVICES / "hub.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_hub"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    data = tmp_path_factory.mktemp("hub")
    for repo in ("model", "gated"):
        snapshot = data / "org" / repo / COMMIT
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
        (snapshot / "weights.safetensors").write_bytes(WEIGHTS)
    (data / "org" / "gated" / "token").write_text("right\n")
    server = load_hub().Hub(("127.0.0.1", 0), data)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(hub, path, method="GET", token=None, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", hub.server_port, timeout=10)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path.replace("COMMIT", COMMIT), body=body, headers=headers)
    answer = connection.getresponse()
    try:
        content, short = answer.read(), False
    except http.client.IncompleteRead as error:
        content, short = error.partial, True
    connection.close()
    return answer.status, dict(answer.getheaders()), content, short


@pytest.mark.parametrize("case", CASES)
def test_answer(hub, case):
    ask(hub, "/_lab/faults", method="DELETE")
    if "fault" in case:
        ask(hub, "/_lab/faults", method="POST", body=json.dumps([case["fault"]]))
    request, expect = dict(case["request"]), case["expect"]
    headers = {"Range": request.pop("range")} if "range" in request else {}
    began = time.monotonic()
    status, got, content, short = ask(hub, **request, **headers)
    took = time.monotonic() - began

    assert status == expect["status"]
    assert short == expect.get("short", False)
    assert took >= expect.get("seconds", 0) * 0.9
    assert {name: got.get(name) for name in expect.get("headers", {})} == expect.get("headers", {})
    if "length" in expect:
        assert len(content) == expect["length"]
    if "error" in expect:
        assert expect["error"] in json.loads(content)["error"]
    if expect.get("lfs"):
        sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        assert got["ETag"] == got["X-Linked-Etag"] == f'"{sha256}"'
        assert (got["X-Linked-Size"], got["X-Repo-Commit"]) == ("3000", COMMIT)
    if "wrong_at" in expect:
        right = WEIGHTS[-len(content) :]
        assert [i for i, pair in enumerate(zip(content, right, strict=True)) if pair[0] != pair[1]] == expect[
            "wrong_at"
        ]


def test_a_fault_is_played_as_often_as_it_was_told(hub):
    ask(hub, "/_lab/faults", method="DELETE")
    ask(hub, "/_lab/faults", method="POST", body='[{"fault": "status", "status": 503, "count": 2}]')
    statuses = [ask(hub, "/org/model/resolve/main/config.json")[0] for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert json.loads(ask(hub, "/_lab/faults")[2]) == []


def test_tree_gives_the_sums_that_a_manifest_needs(hub):
    tree = json.loads(ask(hub, f"/api/models/org/model/tree/{COMMIT}?recursive=true")[2])
    small, large = tree
    assert small == {
        "type": "file",
        "path": "config.json",
        "size": 2,
        "oid": "9e26dfeeb6e641a33dae4961196235bdb965b21b",
    }
    assert large["lfs"]["oid"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert large["lfs"]["size"] == large["size"] == 3000
    assert not any("xetHash" in item for item in tree), "Xet would need a storage service of its own"


def test_info_and_refs_name_the_commit_of_main(hub):
    info = json.loads(ask(hub, "/api/models/org/model")[2])
    refs = json.loads(ask(hub, "/api/models/org/model/refs")[2])
    assert info["sha"] == refs["branches"][0]["targetCommit"] == COMMIT
    assert [x["rfilename"] for x in info["siblings"]] == ["config.json", "weights.safetensors"]


def test_paths_info_by_form_and_by_json(hub):
    for body, kind in (
        ("paths=config.json", "application/x-www-form-urlencoded"),
        ('{"paths": ["config.json"]}', "application/json"),
    ):
        content = ask(hub, "/api/models/org/model/paths-info/main", method="POST", body=body, **{"Content-Type": kind})[
            2
        ]
        assert [x["path"] for x in json.loads(content)] == ["config.json"]


def test_request_log_tells_what_was_asked_but_no_token(hub):
    ask(hub, "/_lab/requests", method="DELETE")
    ask(hub, "/org/gated/resolve/main/weights.safetensors", token="right", Range="bytes=0-9")
    content = ask(hub, "/_lab/requests")[2]
    (entry,) = json.loads(content)
    assert (entry["status"], entry["range"], entry["bytes"], entry["token"]) == (206, "bytes=0-9", 10, True)
    assert b"right" not in content
