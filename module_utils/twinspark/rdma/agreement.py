"""Whether the figures of one row of perftest's agree with each other. Pure.

perftest works them all out from the same time stamps. Where they disagree none is believed: not the one that suits.
"""

from __future__ import annotations

from collections.abc import Mapping

RATES = (
    "peak_bit_s",
    "average_bit_s",
    "messages_s",
    "port1_bit_s",
    "port1_messages_s",
    "port2_bit_s",
    "port2_messages_s",
)
TIMES = ("min_us", "max_us", "typical_us", "average_us", "stdev_us", "p99_us", "p999_us", "transactions_s")
TOLERANCE = 0.02  # two figures that are each rounded to two decimals
DECIMALS = 0.01  # of the unit that is printed
MESSAGE_DECIMALS = 1.0  # messages a second: the last of the six decimals of Mpps
A_SECOND = 1e6  # microseconds; cycles under a heading of microseconds look like it
# Each pair in its order, from the quickest message to the slowest.
_ORDER = (
    ("min_us", "typical_us"), ("min_us", "average_us"), ("typical_us", "max_us"), ("average_us", "max_us"),
    ("typical_us", "p99_us"), ("p99_us", "p999_us"), ("p999_us", "max_us"),
)  # fmt: skip

Fields = Mapping[str, float]


def moves(average: float, size: float, messages: float, unit: float) -> bool:
    """Whether that many messages of `size` bytes a second are the average in bit/s. unit: bit/s of one as printed."""
    moved = size * 8 * messages
    return abs(average - moved) <= TOLERANCE * moved + size * 8 * MESSAGE_DECIMALS + DECIMALS * unit


def rates(fields: Fields, unit: float) -> str:
    """Why none of the rates is a measurement; empty where they agree. unit: bit/s of one as printed."""
    average, peak, messages = (fields.get(name) for name in ("average_bit_s", "peak_bit_s", "messages_s"))
    if average is None:
        return ""
    if peak is not None and average > peak * (1 + TOLERANCE) + DECIMALS * unit:
        return "the average is above the peak"
    if messages is not None and not moves(average, fields["bytes"], messages, unit):
        return "the average is not what the message rate comes to"
    ports = [fields[name] for name in ("port1_bit_s", "port2_bit_s") if name in fields]
    if len(ports) > 1 and abs(sum(ports) - average) > TOLERANCE * average + 2 * DECIMALS * unit:
        return "the two ports don't add up to the average"
    return ""


def times(fields: Fields) -> str:
    """Why none of the times is a measurement; empty where they agree."""
    usual = [fields[name] for name in ("typical_us", "average_us") if name in fields]
    if any(time >= A_SECOND for time in usual):
        return "a second or more is no latency, but may be CPU cycles (-C)"
    for lower, higher in _ORDER:
        if lower in fields and higher in fields and fields[lower] > fields[higher] * (1 + TOLERANCE) + DECIMALS:
            return f"{lower} and {higher} are in the wrong order"
    if "average_us" in fields and "transactions_s" in fields:
        busy = fields["average_us"] * fields["transactions_s"] / A_SECOND
        # A round trip is one latency of a read, and two of a write or a send.
        if not any(abs(busy - share) <= 2 * TOLERANCE * share for share in (0.5, 1.0)):
            return "the average is not what the transactions a second come to"
    return ""
