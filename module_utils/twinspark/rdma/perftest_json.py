"""perftest's --out_json as the same typed result as its text.

The file names no unit: 107.34 can be Gb/s or MiB/s, depending on --report_gbits. It is found by the file's own message
rate (average = size x rate), and where that is too coarse the caller has to say it. Builds before 24.01.0-0.38 write
keys without quotes, and --output=... leaves a trailing comma: neither is JSON, and neither is guessed at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..proof.foreign import ForeignError, json_of, mapping
from ..proof.json_form import shown
from .agreement import moves
from .perftest import MIB, VERBS, PerftestError, Result, Row, build_row, parse_all

_UNITS = {"Gb/sec": 10**9, "MiB/sec": 8 * MIB}
_BARE_NAN = re.compile(r"(:\s*)-?(?:nan|inf)\b")  # as C prints it, which is no JSON
_FIELDS = {
    "MsgSize": ("bytes", ""), "n_iterations": ("iterations", ""), "sl": ("service_level", ""),
    "BW_peak": ("peak_bit_s", "BW"), "BW_average": ("average_bit_s", "BW"), "MsgRate": ("messages_s", "Mpps"),
    "t_min": ("min_us", "usec"), "t_max": ("max_us", "usec"), "t_typical": ("typical_us", "usec"),
    "t_avg": ("average_us", "usec"), "t_stdev": ("stdev_us", "usec"), "percentile_99": ("p99_us", "usec"),
    "percentile_99.9": ("p999_us", "usec"), "tps_average": ("transactions_s", ""), "CPU_util": ("cpu_percent", "%"),
}  # fmt: skip


def parse_any(text: str, *, cycles: bool = False, gbits: bool | None = None) -> list[Result]:
    """Every run in a text of either kind. `gbits`: whether --report_gbits was given, for JSON that can't tell."""
    if text.lstrip()[:1] == "{":
        return [parse_json(text, cycles=cycles, gbits=gbits)]
    return parse_all(text, cycles=cycles)


def parse_json(text: str, *, cycles: bool = False, gbits: bool | None = None) -> Result:
    """The run in one --out_json file. Raises PerftestError when it is no JSON, or not perftest's."""
    try:
        data = json_of(_BARE_NAN.sub(r"\1NaN", text))
    except ForeignError as error:
        raise PerftestError(
            f"this is not valid JSON ({str(error)[:80]}); perftest before 24.01.0-0.38 writes it broken, "
            "and so does --output=...: keep the text output instead"
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("results"), dict):
        raise PerftestError("this JSON is not perftest's: it has no 'results'")
    info = {key: value for key, value in mapping(data.get("test_info")).items() if not isinstance(value, dict | list)}
    numbers = {key: _number(key, value) for key, value in data["results"].items() if key in _FIELDS}
    warnings = [str(info[key])[:200] for key in ("WARNING1", "WARNING2") if key in info]
    row = _row(numbers, cycles, gbits, warnings)
    return Result(
        test=_test(str(info.get("test", ""))),
        device=str(info["Device"])[:80] if "Device" in info else None,
        rows=(row,) if row else (),
        warnings=tuple(dict.fromkeys(warnings)),
        settings={str(k)[:40]: str(v)[:80] for k, v in info.items()},
    )


def _row(numbers: Mapping[str, float], cycles: bool, gbits: bool | None, warnings: list[str]) -> Row | None:
    unit = ("Gb/sec" if gbits else "MiB/sec") if gbits is not None else _unit(numbers)
    if unit is None and math.isfinite(numbers.get("BW_average", 0.0)) and numbers.get("BW_average", 0.0) > 0:
        raise PerftestError("the unit can't be told from this JSON: say whether it was run with --report_gbits")
    values = (
        (_FIELDS[key][0], (unit or "Gb/sec") if _FIELDS[key][1] == "BW" else _FIELDS[key][1], number)
        for key, number in numbers.items()
    )
    return build_row(values, warnings.append, cycles=cycles)


def _unit(numbers: Mapping[str, float]) -> str | None:
    """The unit under which average = size x message rate, None when neither or both would do."""
    average, size, rate = (numbers.get(key, 0.0) for key in ("BW_average", "MsgSize", "MsgRate"))
    fits = [
        unit for unit, scale in _UNITS.items() if rate > 0 < size and moves(average * scale, size, rate * 10**6, scale)
    ]
    return fits[0] if len(fits) == 1 else None


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PerftestError(f"{key} is {shown(value)}, not a number")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _test(title: str) -> str | None:
    """`RDMA_Write_BW_Test` as `write_bw`."""
    verb = max((name for name in VERBS if title.startswith(name)), key=len, default=None)
    return f"{VERBS[verb]}_{'lat' if 'Latency' in title else 'bw'}" if verb else None
