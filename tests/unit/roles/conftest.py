"""The program of the weights jobs, as the role lays it down on a host."""

import importlib
import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from .weights_pair import Pair

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A function that imports a module of the program by its name."""
    folder = tmp_path_factory.mktemp("program")
    shutil.copytree(ROOT / "roles/hf_weights/files/twinspark_weights", folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "module_utils", folder / "core", dirs_exist_ok=True)
    before, known = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def pair(program, tmp_path):
    pair = Pair(program, tmp_path)
    pair.serve()
    yield pair
    pair.close()


@pytest.fixture
def on_the_way(monkeypatch):
    """What the head sends: first byte and length of each time, and what happens to the first sending of a length."""
    real, way = socket.socket.sendfile, SimpleNamespace(sent=[], faults={})

    def sendfile(self, stream, offset=0, count=None):
        way.sent.append((offset, count))
        if play := way.faults.pop(count, None):
            return play(self, lambda n: real(self, stream, offset, n), count)
        return real(self, stream, offset, count)

    monkeypatch.setattr(socket.socket, "sendfile", sendfile)
    return way
