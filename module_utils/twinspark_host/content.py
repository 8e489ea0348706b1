"""What roles and profiles there are, read from the content's own files, so that a new one needs no entry elsewhere.

For the controller only: it needs PyYAML, which ansible-core brings.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from ..twinspark.inventory.rules import RUNTIME, Known
from ..twinspark.inventory.settings import Spec

try:
    import yaml
except ImportError:  # told by the module: only a wrong interpreter lacks it
    yaml = None  # type: ignore[assignment]

# Ten times as fast, where PyYAML was built with it; each play reads the specs of all roles.
LOADER: Any = getattr(yaml, "CSafeLoader", None) or getattr(yaml, "SafeLoader", None)
# How roles read a profile, and what is there for people only.
READ = re.compile(r"\bprofile\.(\w+(?:\.\w+)*)")
FOR_PEOPLE = frozenset({"description"})


def mapping(path: Path) -> dict[str, Any]:
    """A YAML mapping; empty when the file is not there or is something else."""
    try:
        loaded = yaml.load(path.read_text(), Loader=LOADER)
    except FileNotFoundError:
        return {}
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def options(role: Path) -> dict[str, Any]:
    """Every option of every entry point in a role's argument specs, as written there."""
    entries = (mapping(role / "meta/argument_specs.yml").get("argument_specs") or {}).values()
    return {name: spec for entry in entries for name, spec in ((entry or {}).get("options") or {}).items()}


def roles_of(content: Path) -> list[Path]:
    """The folders of the roles."""
    return sorted(path for path in (content / "roles").glob("*") if path.is_dir())


@cache
def specs(content: Path) -> dict[str, Spec]:
    """The type of every setting of every role."""
    return {name: Spec.from_json(spec or {}) for role in roles_of(content) for name, spec in options(role).items()}


@cache
def known_names(content: Path, profiles: tuple[str, ...] = ()) -> Known:
    """What there is to choose from. profiles: folders of them."""
    roles = roles_of(content)
    variables = {*RUNTIME}
    for role in roles:
        variables.update(options(role), mapping(role / "defaults/main.yml"), mapping(role / "vars/main.yml"))
    return Known(
        variables=frozenset(variables),
        roles=frozenset(role.name for role in roles),
        profiles=tuple(sorted({path.stem for folder in profiles for path in Path(folder).glob("*.yml")})),
        profile_paths=profile_paths(content),
    )


def profile_paths(content: Path) -> frozenset[str]:
    """Keys of a profile that some role reads, as dotted paths."""
    files = [file for folder in ("defaults", "vars", "tasks") for file in content.glob(f"roles/*/{folder}/*.yml")]
    return FOR_PEOPLE.union(*(READ.findall(file.read_text()) for file in files))
