"""The ranks' meeting place, closed to all but the rails: an nftables table of the project's own.

PyTorch's store listens on every address of rank 0, asks nobody for a key, and has no option for an address; whoever
reaches it can talk to the ranks. All other ports of the engine listen on a rail or on loopback.
"""

from __future__ import annotations

from collections.abc import Sequence

NFT = "/usr/sbin/nft"


def rules_text(table: str, port: int, interfaces: Sequence[str]) -> str:
    """What `nft --file` makes *table* of, whether it was there or not: TCP to *port* by *interfaces* and lo only.

    Raises ValueError for an interface name that nft would not take as one word.
    """
    for name in interfaces:
        if not name or any(c in name for c in '"\\ \t\n'):
            raise ValueError(f"{name!r} is no name of an interface")
    allowed = ", ".join(f'"{name}"' for name in ("lo", *interfaces))
    return f"""# Managed by twinspark; changes are overwritten by the next `twinspark apply --stage serve`.
table inet {table}
delete table inet {table}
table inet {table} {{
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname != {{ {allowed} }} tcp dport {port} reject with tcp reset
  }}
}}
"""
