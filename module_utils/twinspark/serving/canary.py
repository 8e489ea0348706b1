"""The canary: one question to the served model, judged by the tokens in `usage`, the time and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# port_xmit_data and port_rcv_data count lanes of four bytes (Linux, Documentation/ABI sysfs-class-infiniband).
LANE = 4


def request(model: str, prompt: str, max_tokens: int) -> dict[str, Any]:
    """The body of the chat completion. Greedy, so that two canaries of one engine can be compared."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": False,
    }


@dataclass(frozen=True)
class Wanted:
    """What makes a canary alive: at least so many tokens, within so many seconds, holding a word ("" for any)."""

    min_tokens: int
    timeout: float
    expect: str = ""


def judge(answer: Mapping[str, Any], error: str, seconds: float, wanted: Wanted) -> dict[str, Any]:
    """ok, error and the figures of one canary. Tokens come from `usage`: counting chunks errs under speculation."""
    tokens = int((answer.get("usage") or {}).get("completion_tokens") or 0)
    choice = (answer.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    # A thinking model answers in another field until it has thought.
    text = "".join(str(message.get(k) or "") for k in ("reasoning_content", "reasoning", "content"))
    if not error and tokens < wanted.min_tokens:
        error = f"the engine made {tokens} tokens"
    elif not error and seconds > wanted.timeout:
        error = f"the answer took {seconds:.0f} s"
    elif not error and wanted.expect and wanted.expect.lower() not in text.lower():
        error = f"the answer does not hold {wanted.expect!r}: {text[:200]!r}"
    return {
        "ok": not error,
        "error": error,
        "tokens": tokens,
        "min_tokens": wanted.min_tokens,
        "prompt_tokens": int((answer.get("usage") or {}).get("prompt_tokens") or 0),
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds, 2) if seconds > 0 else 0.0,
        "text": text[:500],
        "finish": choice.get("finish_reason"),
    }


def content(answer: Mapping[str, Any]) -> str:
    """What the model answered, without what it thought before; empty when it came to none."""
    choice = (answer.get("choices") or [{}])[0]
    return str((choice.get("message") or {}).get("content") or "").strip()


def counters(rail: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Name to (sysfs file, bytes a unit) of one rail's counters: the netdev's and the RDMA device's."""
    net = f"/sys/class/net/{rail['interface']}/statistics"
    device = f"/sys/class/infiniband/{rail['hca']}/ports/1/counters"
    return {
        "received": (f"{net}/rx_bytes", 1),
        "sent": (f"{net}/tx_bytes", 1),
        "rdma_received": (f"{device}/port_rcv_data", LANE),
        "rdma_sent": (f"{device}/port_xmit_data", LANE),
    }


def moved(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Bytes that crossed each rail between two readings; a counter that was not read both times is left out."""
    return {
        rail: {name: after[rail][name] - value for name, value in found.items() if name in after.get(rail, {})}
        for rail, found in before.items()
    }
