"""The canary: one question to the served model, judged by the tokens in `usage`, the time and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..inventory.fabric import Rail
from ..proof.json_form import from_json, to_json
from ..proof.values import Requirement, Verdict

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What makes a canary alive: at least so many tokens, within so many seconds, holding a word ("" for any)."""

    min_tokens: int = 1
    timeout: float = 120
    expect: str = ""


@dataclass(frozen=True, slots=True)
class Canary:
    """What came of the question. Figures are null where the engine was not asked, or gave no answer.

    finish: why the answer ended, in the engine's word. rails: by rail, bytes that crossed it meanwhile by counter.
    requests: that the engine held besides; counted: by how much its own counters of work rose meanwhile; null where it
    does not tell.
    """

    ok: bool
    error: str
    tokens: int | None = None
    prompt_tokens: int | None = None
    seconds: float | None = None
    tokens_per_second: float | None = None
    text: str = ""
    finish: str | None = None
    wanted: Wanted = Wanted()
    rails: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    requests: float | None = None
    counted: float | None = None

    @property
    def busy(self) -> bool:
        """Whether there was no answer in time, while the engine worked on others' requests."""
        return not self.ok and self.tokens is None and bool(self.requests) and bool(self.counted)

    def to_json(self) -> dict[str, Any]:
        """As the module returns it."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, given: object, where: str = "canary") -> Self:
        """Raises ShapeError."""
        return from_json(cls, given, where)

    def verdict(self, waiting: str, *, blocks: bool) -> Verdict:
        """The verdict on it, by the first of tokens, time and word that is not as wanted; `waiting` ends the reason."""
        required = Requirement(">=", self.wanted.min_tokens, "tokens")
        measured: float | str | None = self.tokens
        if not self.ok and required.holds(self.tokens):
            required = Requirement("<=", self.wanted.timeout, "s")
            measured = self.seconds
            if required.holds(self.seconds):
                required, measured = Requirement("contains", self.wanted.expect), self.text
        reason = f"{self.error}{waiting}"
        fix = "see what the supervisor says (`journalctl -u twinspark-serve`); /health is not to be believed"
        if not self.ok and required.holds(measured):  # it failed, and no figure says by what
            return Verdict("canary", False, self.text, Requirement("words", "an answer"), "", reason, fix, blocks)
        return Verdict.of("canary", measured, required, reason=reason, fix=fix, blocks=blocks)


def judge(answer: Mapping[str, Any], error: str, seconds: float, wanted: Wanted) -> Canary:
    """One canary. Tokens come from `usage`: counting chunks errs under speculation. `error`: of the request itself."""
    took = round(seconds, 2)  # what is shown is what is judged by
    if error:
        return Canary(False, error, seconds=took, wanted=wanted)
    usage = answer.get("usage") or {}
    tokens = int(usage.get("completion_tokens") or 0)
    choice = (answer.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    # A thinking model answers in another field until it has thought.
    text = "".join(str(message.get(k) or "") for k in ("reasoning_content", "reasoning", "content"))
    if tokens < wanted.min_tokens:
        error = f"the engine made {tokens} tokens"
    elif took > wanted.timeout:
        error = f"the answer took {took:g} s"
    elif wanted.expect.lower() not in text.lower():
        error = f"the answer does not hold {wanted.expect!r}: {text[:200]!r}"
    return Canary(
        ok=not error,
        error=error,
        tokens=tokens,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        seconds=took,
        tokens_per_second=round(tokens / seconds, 2) if seconds > 0 else None,
        text=text[:500],
        finish=choice.get("finish_reason"),
        wanted=wanted,
    )


def content(answer: Mapping[str, Any]) -> str:
    """What the model answered, without what it thought before; empty when it came to none."""
    choice = (answer.get("choices") or [{}])[0]
    return str((choice.get("message") or {}).get("content") or "").strip()


def counters(rail: Rail) -> dict[str, tuple[str, int]]:
    """Name to (sysfs file, bytes a unit) of one rail's counters: the netdev's and the RDMA device's."""
    net = f"/sys/class/net/{rail.interface}/statistics"
    device = f"/sys/class/infiniband/{rail.hca}/ports/1/counters"
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
