"""What the tests of the modules share."""

import getpass
import importlib.util
import sys
import threading
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.unit.library.table")  # so that a failing case shows what differs

from tests.unit.library import table  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "1" * 40


@pytest.fixture
def play(run_module, monkeypatch, tmp_path):
    """Run one case of a module's table, with every program that it drives played; see table.py.

    The module is named, or given as it was loaded, so that a test can first move its folders into its own.
    """

    def play(module, case: dict) -> dict:
        return table.check(run_module, monkeypatch, tmp_path, module, case)

    return play


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The lab's own Hub with one small repository, on a port of its own; gives its URL and the server."""
    data = tmp_path_factory.mktemp("hub")
    folder = data / "o/n" / COMMIT
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}\n")
    (folder / "w.safetensors").write_bytes(b"x" * 1000)
    sys.path.insert(0, str(ROOT / "lab/services"))
    spec = importlib.util.spec_from_file_location("lab_hub", ROOT / "lab/services/hub.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Hub(("127.0.0.1", 0), data)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    sys.path.remove(str(ROOT / "lab/services"))


@pytest.fixture
def arguments(hub, tmp_path):
    return {
        "repo": "o/n", "commit": COMMIT, "endpoint": hub, "home": str(tmp_path / "home"), "owner": getpass.getuser(),
    }  # fmt: skip


@pytest.fixture
def two_commits(tmp_path):
    """A cache with an old commit of its own blob and a shared one; returns its root."""
    root = tmp_path / "home/hub/models--o--n"
    (root / "blobs").mkdir(parents=True)
    for commit, blobs in (("2" * 40, {"w": "old", "t": "both"}), (COMMIT, {"w": "new", "t": "both"})):
        (root / "snapshots" / commit).mkdir(parents=True)
        for path, blob in blobs.items():
            (root / "blobs" / blob).write_text(blob * 100)
            (root / "snapshots" / commit / path).symlink_to(f"../../blobs/{blob}")
    return root
