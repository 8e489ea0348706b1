"""What the supervisor is told, in one file on the head: which hosts, how to reach them, where the endpoint is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from core.twinspark.inventory.fabric import Host
from core.twinspark.network.rail_ssh import Identity
from core.twinspark.proof.json_form import ShapeError, from_json
from core.twinspark.serving.pair import Limits

NAME = "twinspark-vllm"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """hosts: in rank order, this host first. ssh: who logs in to the peers, with which key and known host keys.

    url: of the engine itself, on loopback. key_file: environment file with VLLM_API_KEY, or empty. folder: where the
    state is kept and the wish is read. runtime: for what need not outlive a boot. look_seconds: between two looks in
    service, launch_seconds: while the pair starts or stops. boot_id_path: where the kernel tells one boot from another.
    proofs_dir: where the serve proof is, which fails when the pair is given up; empty for none. textfile: folder of
    node_exporter's textfile collector, empty for none. given_up_hook: argv of a program that is run once then.
    """

    hosts: tuple[Host, ...]
    ssh: Identity
    url: str
    model: str
    prompt: str = "The capital of France is"
    key_file: str = ""
    limits: Limits = field(default_factory=Limits)
    ssh_port: int = 22
    folder: str = "/var/lib/twinspark/serve"
    runtime: str = "/run/twinspark-serve"
    look_seconds: float = 5
    launch_seconds: float = 2
    boot_id_path: str = BOOT_ID
    proofs_dir: str = ""
    textfile: str = ""
    given_up_hook: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.hosts:
            raise ValueError("hosts is empty")
        if not self.url.startswith("http://"):
            raise ValueError(f"url must begin with http://, not {self.url!r}: the engine listens on loopback")


def load(path: str) -> Settings:
    """From the file. Raises ShapeError, which says what is wrong with it."""
    try:
        given = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ShapeError(f"{path} can't be read: {error}") from error
    return from_json(Settings, given, path)
