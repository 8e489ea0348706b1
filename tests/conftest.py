"""Makes `ansible.module_utils.twinspark` importable, as Ansible itself does for the modules in `library/`."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import ansible.module_utils
import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

# A run in the background of a shell has it ignored, and so would have what the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
# The tools that the tests start are those beside this interpreter, whether or not its environment is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def load_module():
    """Import a module of `library/` by its name."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"library.{name}", ROOT / "library" / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def run_module(load_module, capsys):
    """Run a module of `library/` as Ansible would, in this process, and return what it answered.

    A failing module answers with `failed: True`; nothing is mocked but the channel of its arguments.
    It is loaded by its name, unless a test has loaded it to change something in it.
    """

    def run(name: str | ModuleType, /, check_mode: bool = False, **arguments) -> dict:
        module = load_module(name) if isinstance(name, str) else name
        # A module is a process of its own, and has no warnings of the one before.
        warnings._global_warnings.clear()
        told = patch_module_args({**arguments, "_ansible_check_mode": check_mode, "_ansible_diff": True})
        with told, pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run
