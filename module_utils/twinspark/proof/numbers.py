"""Numbers for people: 107.3 Gbit/s, not 107300000000.0 bit/s; in the report, in sentences and while a job runs."""

from __future__ import annotations

from typing import Any

DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY = ((1024.0**4, "Ti"), (1024.0**3, "Gi"), (1024.0**2, "Mi"))
THIN = "\u202f"  # a narrow space that breaks no line; sentences go without, since a log is searched
UNITS = {
    "bit/s": (DECIMAL, "bit/s"),
    "B/s": (DECIMAL, "B/s"),
    "byte/s": (DECIMAL, "B/s"),
    "bytes/s": (DECIMAL, "B/s"),
    "B": (BINARY, "B"),
    "byte": (BINARY, "B"),
    "bytes": (BINARY, "B"),
}


def figure(value: Any, unit: str = "", apart: str = THIN) -> str:
    """One value with its unit; anything but a number is shown as it is, None as a dash. Thousands stand `apart`."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return f"{', '.join(map(str, value))}" if isinstance(value, list | tuple) else str(value)
    size, shown = scale(value, unit)
    return f"{plain(value / size if size > 1 else value, apart)} {shown}".strip()


def scale(value: float, unit: str) -> tuple[float, str]:
    """What to divide by, and the unit to write then: bytes and rates in a readable multiple, all else as it is."""
    steps, base = UNITS.get(unit, ((), unit))
    for size, prefix in steps:
        if abs(value) >= size:
            return size, f"{prefix}{base}"
    return 1.0, "" if base == "1" else base


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


def plain(value: float, apart: str = THIN) -> str:
    """Four significant digits, whole numbers whole, their thousands `apart`."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}".replace(",", apart)
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """`12 s`, `3 min 20 s`, `5 h 02 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
