#!/usr/bin/env python3
"""Copy an image to other hosts: `docker save`, without the layers that a host already has, over ssh to `docker load`.

Runs on the head as a long job, by itself: it needs the standard library, and progress.py beside it.

A Docker with the classic store takes an archive in which a layer is missing if it has that layer, under the same
parents, already. Where the archive is refused (older archives, the containerd store), all of it is sent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

from progress import Progress

CHUNK = 1 << 20
BLOBS = "blobs/sha256/"


class CopyError(RuntimeError):
    """A copy that did not arrive; the message says where it stopped and what to do."""


class Peer(NamedTuple):
    """One receiving host: its inventory name, the ssh argv up to the command, and its way to call Docker."""

    name: str
    ssh: list[str]
    docker: list[str]


def shared_layers(wanted: Sequence[str], theirs: Iterable[Sequence[str]]) -> set[str]:
    """Diff IDs that needn't be sent: the longest chain of first layers that one of the peer's images has as well.

    A layer is known to Docker by all its parents, so only a common beginning counts; a layer that comes again after
    that beginning has other parents there, and is sent.
    """
    longest = 0
    for chain in theirs:
        common = 0
        for mine, other in zip(wanted, chain, strict=False):
            if mine != other:
                break
            common += 1
        longest = max(longest, common)
    return set(wanted[:longest]) - set(wanted[longest:])


def slim(source: IO[bytes], sink: IO[bytes], without: set[str], count: Callable[[int], None]) -> int:
    """Copy a `docker save` stream, leaving out the layers named by diff ID in `without`. Returns the bytes left out."""
    skipped = 0
    names = {BLOBS + layer.removeprefix("sha256:") for layer in without}
    with (
        tarfile.open(fileobj=source, mode="r|", bufsize=CHUNK) as archive,
        tarfile.open(fileobj=sink, mode="w|", bufsize=CHUNK, format=tarfile.PAX_FORMAT) as out,
    ):
        for member in archive:
            if member.name in names:
                skipped += member.size
                continue
            content = archive.extractfile(member) if member.isreg() else None
            out.addfile(member, content)
            count(member.size)
    # Whatever pads the archive must be read too, or `docker save` ends with a broken pipe.
    while source.read(CHUNK):
        pass
    return skipped


def pump(source: IO[bytes], sink: IO[bytes], count: Callable[[int], None]) -> int:
    """Copy a stream as it is. Returns 0, the bytes left out."""
    while chunk := source.read(CHUNK):
        sink.write(chunk)
        count(len(chunk))
    return 0


def output(argv: Sequence[str]) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CopyError(f"{' '.join(argv[-4:])}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def remote(peer: Peer, *command: str) -> str:
    """Standard output of a Docker command on a peer."""
    return output([*peer.ssh, *peer.docker, *command])


def reach(name: str, ssh: list[str], ways: Sequence[list[str]]) -> Peer:
    """The peer with the first way of calling its Docker that works for the ssh user."""
    heard = []
    for docker in ways:
        done = subprocess.run([*ssh, *docker, "version", "--format", "x"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Peer(name, ssh, docker)
        heard.append(f"{' '.join(docker)}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    raise CopyError(
        f"{name}: its Docker can't be reached from the head ({'; '.join(heard)}). "
        "Fix: `twinspark apply --stage network` if ssh failed, else add the user to the group docker on that host"
    )


def peer_state(peer: Peer, image: str) -> tuple[str | None, list[list[str]]]:
    """The ID that the peer has under the image's name, and the layers of each of its images."""
    ids = sorted({line for line in remote(peer, "image", "ls", "--all", "--quiet", "--no-trunc").split() if line})
    told = remote(peer, "image", "inspect", *ids) if ids else "[]"
    try:
        found = json.loads(told)
        mine = next((i["Id"] for i in found if image in (i.get("RepoTags") or [])), None)
        return mine, [(i.get("RootFS") or {}).get("Layers") or [] for i in found]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        why = str(error)[:100]
        raise CopyError(f"{peer.name}: what its Docker says of its images can't be read ({why})") from error


def send(peer: Peer, image: str, without: set[str], count: Callable[[int], None]) -> int:
    """Save here, load there. Returns the bytes left out; raises CopyError when either end fails."""
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as save,
        subprocess.Popen(
            [*peer.ssh, *peer.docker, "load", "--quiet"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as load,
    ):
        if save.stdout is None or load.stdin is None or load.stderr is None:
            raise CopyError("no pipe")
        heard: list[bytes] = []
        listener = threading.Thread(target=lambda: heard.append(load.stderr.read()), daemon=True)  # type: ignore[union-attr]
        listener.start()
        skipped = 0
        broken = ""
        try:
            copy = slim(save.stdout, load.stdin, without, count) if without else pump(save.stdout, load.stdin, count)
            skipped = copy
            load.stdin.close()
        except (OSError, tarfile.TarError) as error:
            broken = str(error)
            save.kill()
        codes = load.wait(), save.wait()
        listener.join()
    if any(codes) or broken:
        said = b"".join(heard).decode(errors="replace").strip()
        raise CopyError(f"{peer.name}: {said or broken or f'docker save ended with {codes[1]}'}")
    return skipped


def deliver(peer: Peer, image: str, local: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Bring one peer to the head's image ID. Nothing is sent when it has it."""
    began = time.monotonic()
    theirs, chains = peer_state(peer, image)
    report: dict[str, Any] = {"host": peer.name, "id": theirs, "sent_bytes": 0, "left_out_bytes": 0, "way": "none"}
    if theirs == local["Id"]:
        return report
    sent = 0

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        progress.add(size)

    shared = shared_layers((local.get("RootFS") or {}).get("Layers") or [], chains)
    for way, without in (("new layers", shared), ("whole", set[str]())):
        if way == "new layers" and not without:
            continue
        try:
            left_out = send(peer, image, without, count)
        except CopyError as error:
            if way == "whole":
                raise
            print(f"{peer.name}: its Docker does not take an archive without layers ({error}); sending all of it")
            continue
        report |= {"id": peer_state(peer, image)[0], "way": way, "left_out_bytes": left_out}
        if report["id"] == local["Id"]:
            break
    report |= {"sent_bytes": sent, "seconds": round(time.monotonic() - began, 2)}
    if report["id"] != local["Id"]:
        raise CopyError(f"{peer.name}: has {report['id']} after the copy, not {local['Id']}")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Deliver to all peers at once; the report goes to --report as JSON, its lines to the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", help="JSON file: image, report, docker (list of argv), peers [{name, ssh}]")
    spec = json.loads(Path(parser.parse_args(arguments).spec).read_text())
    try:
        local = json.loads(output(["docker", "image", "inspect", spec["image"]]))[0]
        peers = [reach(peer["name"], peer["ssh"], spec["docker"]) for peer in spec["peers"]]
        total = local.get("Size", 0) * len(peers)
        with Progress(total, "B", "image") as progress, ThreadPoolExecutor(max_workers=max(1, len(peers))) as pool:
            reports = list(pool.map(lambda peer: deliver(peer, spec["image"], local, progress), peers))
    except (CopyError, OSError) as error:
        print(f"image copy failed: {error}", file=sys.stderr)
        return 1
    Path(spec["report"]).write_text(json.dumps(reports, indent=2) + "\n")
    for report in reports:
        print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
