"""Files that shall be so: content, mode or absence, compared with what is there."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from ..twinspark.network import netplan
from ..twinspark.network.state import Difference

# Path to (text and mode), or to None for a file that shall not be there.
Targets = dict[str, tuple[bytes, int] | None]


def content_of(path: str) -> bytes | None:
    """The file's bytes, None when it is not there."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def differing(targets: Targets) -> list[str]:
    """Paths whose content, mode or existence is not as it shall be."""
    found = []
    for path, target in targets.items():
        now = content_of(path)
        if target is None:
            same = now is None
        else:
            same = now == target[0] and stat.S_IMODE(Path(path).stat().st_mode) == target[1]
        if not same:
            found.append(path)
    return found


def diffs(targets: Targets, paths: Sequence[str], drift: Sequence[Difference]) -> list[dict[str, str]]:
    """The files' diffs, secrets masked, and the kernel's."""
    found = []
    for path in paths:
        target, now = targets[path], content_of(path)
        texts = ((now or b"").decode(errors="replace"), target[0].decode() if target else "")
        before, after = map(netplan.redact, texts)
        mode = f" (mode {target[1]:04o})" if target else " (absent)"
        found.append({"before_header": path, "after_header": path + mode, "before": before, "after": after})
        if target and now is not None and (had := stat.S_IMODE(Path(path).stat().st_mode)) != target[1]:
            header = f"{path} mode"
            sides = {"before": f"{had:04o}\n", "after": f"{target[1]:04o}\n"}
            found.append({"before_header": header, "after_header": header, **sides})
    if drift:
        sides = {
            "before": "".join(f"{entry.interface} {entry.what}: {entry.current}\n" for entry in drift),
            "after": "".join(f"{entry.interface} {entry.what}: {entry.desired}\n" for entry in drift),
        }
        found.append({"before_header": "kernel", "after_header": "kernel", **sides})
    return found
