"""Numbers for people: 107.3 Gbit/s rather than 107300000000.0 bit/s."""

from __future__ import annotations

from typing import Any

DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY = ((1024.0**4, "Ti"), (1024.0**3, "Gi"), (1024.0**2, "Mi"))
UNITS = {
    "bit/s": (DECIMAL, "bit/s"),
    "B/s": (DECIMAL, "B/s"),
    "byte/s": (DECIMAL, "B/s"),
    "bytes/s": (DECIMAL, "B/s"),
    "B": (BINARY, "B"),
    "byte": (BINARY, "B"),
    "bytes": (BINARY, "B"),
}


def figure(value: Any, unit: str = "") -> str:
    """One value with its unit; anything but a number is shown as it is, None as a dash."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return f"{', '.join(map(str, value))}" if isinstance(value, list | tuple) else str(value)
    steps, base = UNITS.get(unit, ((), unit))
    for size, prefix in steps:
        if abs(value) >= size:
            return f"{plain(value / size)} {prefix}{base}"
    return f"{plain(value)} {'' if base == '1' else base}".strip()


def figures(entry: dict[str, Any]) -> str:
    """A measurement: value, and its standard error or its spread over repeats where it has one."""
    unit = str(entry.get("unit") or "")
    text = figure(entry.get("value"), unit)
    if entry.get("stderr") is not None:
        text += f" ± {figure(entry['stderr'], unit)}"
    if entry.get("lowest") is not None and entry.get("highest") is not None:
        text += f" ({figure(entry['lowest'], unit)} to {figure(entry['highest'], unit)}"
        text += f" in {entry['repeats']} runs)" if entry.get("repeats") else ")"
    return text


def plain(value: float) -> str:
    """Four significant digits, whole numbers whole, thousands apart."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.4g}"
