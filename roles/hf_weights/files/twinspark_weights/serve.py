"""`serve`, on the head: an rsync daemon for the peers only, on each rail's address only, that ends by itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.files import write_atomically
from core.weights import rails_to_serve
from job import Failure, say
from rsync import MODULE, USER

POLL = 1.0
ESTABLISHED = "01"


def configuration(spec: Mapping[str, Any], rail: Mapping[str, Any], log: Path) -> str:
    """rsyncd.conf for one rail: read only, one folder, the peers on this rail, a secret, no names looked up."""
    return f"""\
address = {rail["address"]}
port = {spec["port"]}
log file = {log}
use chroot = yes
uid = {spec["owner"]}
gid = *
reverse lookup = no
forward lookup = no

[{MODULE}]
path = {spec["folder"]}
read only = yes
list = no
auth users = {USER}
secrets file = {spec["secrets_file"]}
strict modes = yes
hosts allow = {" ".join(rail["peers"])}
hosts deny = *
timeout = 60
"""


def connections(tables: Sequence[str], port: int) -> int:
    """Established connections to a local port, from the text of /proc/net/tcp and tcp6."""
    wanted = f":{port:04X}"
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sum(1 for row in rows if len(row) > 3 and row[1].endswith(wanted) and row[3] == ESTABLISHED)


def tables() -> list[str]:
    """The kernel's tables of TCP connections."""
    paths = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    return [path.read_text() for path in paths if path.exists()]


def watch(daemons: Sequence[subprocess.Popen[bytes]], spec: Mapping[str, Any]) -> None:
    """Return when nobody was connected for `idle_seconds`."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < spec["idle_seconds"]:
        time.sleep(POLL)
        dead = [d for d in daemons if d.poll() is not None]
        if dead:
            raise Failure(
                f"rsync's daemon ended with {dead[0].returncode}. Is port {spec['port']} in use on the rails? Set "
                "hf_weights_port, and see that the rails have their addresses (twinspark apply --stage network)"
            )
        if connections(tables(), spec["port"]):
            quiet_since = time.monotonic()
    say(f"nobody was connected for {spec['idle_seconds']} s")


def run(spec: Mapping[str, Any]) -> None:
    """Serve until told to stop or idle; leave no daemon, no secret and no configuration behind."""
    folder = Path(spec["run_dir"])
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for rail in rails_to_serve(spec["fabric"]):
            path = folder / f"rsyncd-{rail['name']}.conf"
            write_atomically(path, configuration(spec, rail, folder / f"rsyncd-{rail['name']}.log"), 0o600)
            daemons.append(subprocess.Popen(["rsync", "--daemon", "--no-detach", f"--config={path}"]))
        watch(daemons, spec)
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)
