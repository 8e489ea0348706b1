"""The programs of the weights jobs and of the supervisor, as their roles lay them down on a host."""

import contextlib
import importlib
import shutil
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from .weights_pair import Pair

ROOT = Path(__file__).resolve().parents[3]


def laid_down(folder, files):
    """The folder of a program with the shared code beside it, as a role lays it down."""
    shutil.copytree(ROOT / "roles" / files, folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "module_utils", folder / "core", dirs_exist_ok=True)
    return folder


@contextlib.contextmanager
def importing(folder):
    """A function that imports a module of the program by its name, forgotten again at the end."""
    before, known = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A function that imports a module of the weights' program by its name."""
    with importing(laid_down(tmp_path_factory.mktemp("program"), "hf_weights/files/twinspark_weights")) as load:
        yield load


@pytest.fixture(scope="module")
def supervisor_folder(tmp_path_factory):
    """Where the supervisor's program lies."""
    return laid_down(tmp_path_factory.mktemp("supervisor"), "vllm_serve/files/twinspark_supervisor")


@pytest.fixture(scope="module")
def supervisor(supervisor_folder):
    """A function that imports a module of the supervisor's program by its name."""
    with importing(supervisor_folder) as load:
        yield load


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
