"""Names that look like a secret's. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

SECRET = re.compile(r"(?:token|pass|password|passwd|passphrase|secret|api_?key|private_key)$", re.IGNORECASE)
# A name with a value, in JSON, YAML, a list of NAME=VALUE, or a URL.
NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)[\"']?\s*[=:]")


def secret_names(names: Iterable[str]) -> list[str]:
    """Those that look like a secret's."""
    return [name for name in names if SECRET.search(name)]


def named_in(text: str) -> list[str]:
    """Secrets' names that a text gives a value to, however deep."""
    return secret_names(NAMED.findall(text))
