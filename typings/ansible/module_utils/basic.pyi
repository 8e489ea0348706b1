from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

class AnsibleModule:
    # Ansible has converted each to the type that the argument spec names; a module gives it that type when it reads it.
    params: dict[str, Any]
    check_mode: bool
    _diff: bool
    run_command_environ_update: dict[str, str]

    def __init__(
        self,
        argument_spec: Mapping[str, Mapping[str, Any]],
        *,
        supports_check_mode: bool = False,
        mutually_exclusive: Sequence[Sequence[str]] | None = None,
        required_if: Sequence[Sequence[Any]] | None = None,
        required_one_of: Sequence[Sequence[str]] | None = None,
        required_together: Sequence[Sequence[str]] | None = None,
    ) -> None: ...
    def exit_json(self, **kwargs: Any) -> NoReturn: ...
    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn: ...
    def warn(self, warning: str) -> None: ...
    def get_bin_path(self, arg: str, required: bool = False, opt_dirs: Sequence[str] | None = None) -> str | None: ...
    def run_command(
        self,
        args: str | Sequence[str],
        check_rc: bool = False,
        data: str | None = None,
        binary_data: bool = False,
        cwd: str | None = None,
        environ_update: Mapping[str, str] | None = None,
        errors: str = "surrogate_or_strict",
        handle_exceptions: bool = True,
    ) -> tuple[int, str, str]: ...

def missing_required_lib(library: str, reason: str | None = None, url: str | None = None) -> str: ...
