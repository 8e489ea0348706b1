"""The verdicts on the weights of every host, and what the stage's proof is made of. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..proof.json_form import to_json
from ..proof.values import Findings, Measurement, Requirement, Verdict
from .state import Found, Transfer
from .weights import Judgement, complaint

GIB = 1024**3


def space_verdict(host: str, needed: int, free: int, folder: str, reserve_gib: float) -> Verdict:
    """Whether `needed` bytes and a reserve for the rest of the host fit into `free`."""
    wanted = needed / GIB + reserve_gib if needed else 0
    return Verdict.of(
        f"space on {host}",
        free / GIB,
        # Up to the next hundredth, so that the figure that is shown is the one that is judged by, and never less.
        Requirement(">=", math.ceil(round(wanted * 100, 6)) / 100, "GiB"),
        digits=2,
        reason=f"{folder} must hold {needed / GIB:.2f} GiB more, and {reserve_gib} GiB is kept free",
        fix="free some space (twinspark_weights_info names old commits), or set twinspark_hub_home to a larger disk",
    )


def snapshot_verdict(host: str, commit: str, judgement: Judgement | None) -> Verdict:
    """Whether a host holds the commit, every byte hashed."""
    return Verdict.of(
        f"weights on {host}",
        judgement.state if judgement else "missing",
        Requirement("==", "verified"),
        reason=complaint(judgement) if judgement else f"no manifest of {commit}",
        fix="twinspark apply --stage weights",
    )


def parity(sums: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Paths whose sha256 is not one and the same on every host. `sums`: host to path to sha256."""
    paths = sorted({path for files in sums.values() for path in files})
    return [path for path in paths if len({files.get(path, "") for files in sums.values()}) != 1]


def mended(found: Found) -> str:
    """Files that the last download or copy found wrong on a host and replaced, in words for its verdict."""
    paths = [path for figures in (found.download, found.copy) if figures for path in figures.replaced]
    return f"found wrong and replaced by the last copy: {', '.join(paths)}" if paths else ""


def parity_verdict(sums: Mapping[str, Mapping[str, str]]) -> Verdict:
    """Whether every host has the same bytes. Hosts of which no file is known prove nothing."""
    differing = parity(sums)
    return Verdict.of(
        "the same bytes on every host",
        len(differing) if all(sums.values()) else None,
        Requirement("==", 0, "files that differ"),
        reason=", ".join(differing[:5]) or "no file is known",
        fix="twinspark apply --stage weights -e hf_weights_rehash=true",
    )


def moved(what: str, host: str, figures: Transfer | None) -> list[Measurement]:
    """Bytes and rate of a host's last download or copy."""
    if not figures or not figures.bytes or not figures.seconds:
        return []
    subject = f"{what} to {host}"
    return [
        Measurement(f"weights_{what}_bytes", figures.bytes, "B", subject),
        Measurement(f"weights_{what}_rate", round(figures.bytes / figures.seconds), "B/s", subject),
    ]


@dataclass(frozen=True, slots=True)
class FileEverywhere:
    """A file of the commit, with its sum by host."""

    size: int
    sha256: dict[str, str]


def planned(host: str, found: Found) -> Verdict:
    """What check mode can say of a host that lacks bytes: they were not fetched, and would be."""
    bytes_ = f"{found.fetch_bytes / GIB:.2f} GiB" if found.fetch_bytes else "the weights"
    return Verdict.told(
        f"weights on {host}", True, f"{found.state}: {bytes_} would be fetched", "verified", blocks=False
    )


def evidence(hosts: Mapping[str, Found], check_mode: bool = False) -> Findings:
    """What the proof is made of, from what `twinspark_weights_info` says of every host."""
    if check_mode and not all(found.verdict.ok for found in hosts.values()):
        return Findings(tuple(f.verdict if f.verdict.ok else planned(host, f) for host, f in hosts.items()))
    sums = {host: {file.path: file.sha256 for file in found.files} for host, found in hosts.items()}
    verdicts = [
        dataclasses.replace(found.verdict, reason=found.verdict.reason or mended(found)) for found in hosts.values()
    ]
    measurements = [
        figure
        for host, found in hosts.items()
        for figure in (*moved("download", host, found.download), *moved("copy", host, found.copy))
    ]
    files: dict[str, FileEverywhere] = {}
    for host, found in hosts.items():
        for file in found.files:
            files.setdefault(file.path, FileEverywhere(file.size, {})).sha256[host] = file.sha256
    first = next(iter(hosts.values()))
    keys = ("snapshot", "verified", "manifest_digest", "used_bytes", "download", "copy", "old_commits")
    shown = {host: {key: getattr(found, key) for key in keys} for host, found in hosts.items()}
    return Findings(
        verdicts=(*verdicts, parity_verdict(sums)),
        measurements=tuple(measurements),
        evidence=to_json({"commit": first.commit, "total_bytes": first.total_bytes, "files": files, "hosts": shown}),
    )
