"""Names that look like a secret's. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# `pass` and `key` are the end of many words, so they must be a word of their own there; a public key is none, nor is
# the key of a host. A model's own tokens are no secret either.
SECRET = re.compile(
    r"(?:(?<!stop[_.-])(?<!(?:eos|bos|pad|unk)[_.-])token|(?:^|[_.-])pass|password|passwd|passphrase|secret"
    r"|(?:api|access|private)key|(?<!public)(?<!host)[_.-]key)$",
    re.IGNORECASE,
)
# A name with a value, in JSON (also in a JSON text), YAML, a list of NAME=VALUE, or a URL.
# Each word is looked at once, from its first character on: a text of one word takes no longer than one of many.
NAMED = re.compile(r"(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]++)[\\\"']*+\s*+[=:]")


def secret_names(names: Iterable[str]) -> list[str]:
    """Those that look like a secret's."""
    return [name for name in names if SECRET.search(name)]


def named_in(text: str) -> list[str]:
    """Secrets' names that a text gives a value to, however deep."""
    return secret_names(word.lstrip("0123456789.-") for word in NAMED.findall(text))
