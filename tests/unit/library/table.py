"""Plays the programs that a module of `library/` drives, from a table: `cases/<module>.yaml`.

A case is

    name: what it shows
    origin: where the programs' output was recorded
    input: {the module's arguments}
    check_mode: true                 # false when it is left out
    missing: [programs that are not installed; all others are]
    files: {path: its text before the module runs, or [text, mode]}
    commands:                        # every program, in order; the first that differs fails the test
      - argv: [exactly, these, words]
        environ: {what the module adds to the environment}
        cwd: folder
        data: what it writes to the program's standard input
        rc: 0                        # or `timeout`
        out: standard output         # or `out_of`, a file below tests/unit that holds it
        err: standard error
        makes: {path: the text of a file that the program writes, null for one that it removes}
    result: {what the module has to answer, at least; a list has to be whole (but `warnings`), a dict may hold more}
    after: {path: its text when the module has ended, null where there shall be no file}

`$TMP` stands for a folder of the test's own, `$USER` for the user that runs the tests, wherever text is.
"""

import getpass
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

CASE_KEYS = {"name", "origin", "input", "check_mode", "missing", "files", "commands", "result", "after"}
COMMAND_KEYS = {"argv", "environ", "cwd", "data", "rc", "out", "out_of", "err", "makes"}
UNIT = Path(__file__).resolve().parents[1]
# What `subprocess` is asked for and has no bearing on what the program does.
CAPTURING = {"capture_output", "text", "check", "timeout", "stdout", "stderr", "stdin"}


class Programs:
    """The programs of one case, which a module meets in the place of the real ones."""

    def __init__(self, commands: list[dict[str, Any]], missing: list[str]) -> None:
        self.left = list(commands)
        self.missing = set(missing)

    def take(self, argv: list[str], **given: Any) -> dict[str, Any]:
        """The next command of the table, which has to be this one."""
        assert self.left, f"unexpected command {argv}"
        expected = self.left.pop(0)
        assert set(expected) <= COMMAND_KEYS, f"unknown key in {expected}"
        got = {"argv": argv, **{key: value for key, value in given.items() if value}}
        assert got == {key: expected[key] for key in ("argv", "environ", "cwd", "data") if expected.get(key)}
        lay(expected.get("makes", {}))
        out = (UNIT / expected["out_of"]).read_text() if "out_of" in expected else expected.get("out", "")
        return {"rc": expected.get("rc", 0), "out": out, "err": expected.get("err", "")}

    def which(self, name: str, *_: Any, **__: Any) -> str | None:
        """shutil.which: where a program is."""
        return None if name in self.missing else f"/usr/bin/{name}"

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Put the played programs in the place of the real ones, by every way that a module has to them."""

        def run_command(module: AnsibleModule, argv: list[str], check_rc: bool = False, **more: Any) -> tuple[Any, ...]:
            environ = {**module.run_command_environ_update, **(more.get("environ_update") or {})}
            played = self.take(argv, environ=environ, cwd=more.get("cwd"), data=more.get("data"))
            if check_rc and played["rc"]:
                module.fail_json(msg=played["err"].rstrip(), rc=played["rc"], stdout=played["out"], cmd=argv)
            return played["rc"], played["out"], played["err"]

        def get_bin_path(module: AnsibleModule, name: str, required: bool = False, **_: Any) -> str | None:
            found = self.which(name)
            if required and not found:
                module.fail_json(msg=f"Failed to find required executable {name!r}")
            return found

        def run(argv: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
            told = {key: value for key, value in more.items() if key not in CAPTURING}
            played = self.take(argv, environ=told.pop("env", None), data=told.pop("input", None), **told)
            if played["rc"] == "timeout":
                raise subprocess.TimeoutExpired(argv, more["timeout"])
            return subprocess.CompletedProcess(argv, played["rc"], played["out"], played["err"])

        class Popen:
            def __init__(self, argv: list[str], **more: Any) -> None:
                assert set(more) <= CAPTURING
                self.played = programs.take(argv)
                self.returncode = self.played["rc"]

            def communicate(self) -> tuple[bytes, bytes]:
                return self.played["out"].encode(), self.played["err"].encode()

        programs = self
        patch.setattr(AnsibleModule, "run_command", run_command)
        patch.setattr(AnsibleModule, "get_bin_path", get_bin_path)
        patch.setattr(shutil, "which", self.which)
        patch.setattr(subprocess, "run", run)
        patch.setattr(subprocess, "Popen", Popen)


def lay(files: dict[str, Any]) -> None:
    """Write these files (see above), and remove those that shall not be there."""
    for name, content in files.items():
        path = Path(name)
        text, mode = content if isinstance(content, list) else (content, "0644")
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
            path.chmod(int(mode, 8))


def filled(value: Any, folder: str) -> Any:
    """The value with `$TMP` and `$USER` replaced, in keys, too."""
    if isinstance(value, str):
        return value.replace("$TMP", folder).replace("$USER", getpass.getuser())
    if isinstance(value, list):
        return [filled(entry, folder) for entry in value]
    if isinstance(value, dict):
        return {filled(key, folder): filled(entry, folder) for key, entry in value.items()}
    return value


def differences(wanted: Any, got: Any, where: str = "result") -> list[str]:
    """What of the wanted answer is not so. A dict may hold more than is wanted, a list may not."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        rows = [differences(value, got.get(key, "(missing)"), f"{where}.{key}") for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        rows = [
            differences(one, other, f"{where}[{n}]") for n, (one, other) in enumerate(zip(wanted, got, strict=True))
        ]
    else:
        rows = [[] if wanted == got else [f"{where}: wanted {wanted!r}, got {got!r}"]]
    return [line for row in rows for line in row]


def check(
    run_module: Callable[..., dict[str, Any]],
    patch: pytest.MonkeyPatch,
    folder: Path,
    module: str | ModuleType,
    case: dict[str, Any],
) -> dict[str, Any]:
    """Run one case of a table; the module's whole answer."""
    case = filled(case, str(folder))
    assert set(case) <= CASE_KEYS, f"unknown key in the case {case['name']!r}: {sorted(set(case) - CASE_KEYS)}"
    lay(case.get("files", {}))
    programs = Programs(case.get("commands", []), case.get("missing", []))
    with patch.context() as inner:
        programs.patch(inner)
        answer = run_module(module, check_mode=case.get("check_mode", False), **case["input"])
    assert not programs.left, f"never run: {[command['argv'] for command in programs.left]}"
    wanted = {"failed": False, **case["result"]}
    # Ansible keeps the warnings of a process, so those of earlier tests are here, too.
    for warning in wanted.pop("warnings", []):
        assert warning in str(answer.get("warnings"))
    assert not differences(wanted, {"failed": False, **answer})
    for path, text in case.get("after", {}).items():
        assert (Path(path).read_text() if Path(path).exists() else None) == text, path
    return answer
