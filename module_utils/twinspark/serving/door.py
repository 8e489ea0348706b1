"""The door before the engine: nginx, which knows the clients' keys and the few paths.

Pure. The role's templates write these values into nginx's files; the keys are in one of them only, and in no problem.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from ..inventory.fabric import Host
from ..proof.json_form import from_json

PREFIX = "expose_"
KEY_LENGTH = 24
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# Whatever else nginx's map, a header or a shell could take for something of its own is refused, not escaped.
KEY = re.compile(r"[!-~]+")
QUOTES = re.compile(r"[\"'`\\]")
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
NUMBERS = {
    "body_mib": "MiB",
    "connections": "requests",
    "connections_per_address": "requests",
    "requests_per_second": "requests",
    "timeout": "seconds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The role's settings vllm_serve_expose_NAME; exposed is vllm_serve_expose itself. Files are on the controller.

    keys: client to the file with its key. names: further names and addresses for the certificate made on the head.
    timeout in seconds, from one token to the next. connections: requests at once.
    """

    exposed: bool
    addresses: tuple[str, ...]
    port: int
    keys: Mapping[str, str]
    certificate_file: str
    certificate_key_file: str
    names: tuple[str, ...]
    paths: tuple[str, ...]
    body_mib: int
    connections: int
    connections_per_address: int
    requests_per_second: int
    timeout: int

    @classmethod
    def from_json(cls, given: Mapping[str, Any], where: str = "vllm_serve_expose") -> Self:
        """From the role's settings without their prefix. Raises ShapeError."""
        own = {name: given[PREFIX + name] for name in (field.name for field in fields(cls)) if PREFIX + name in given}
        return from_json(cls, {**own, "exposed": given.get("expose")}, where)


@dataclass(frozen=True, slots=True)
class Opening:
    """What follows from the settings. listen: as nginx has it. url: where the head finds it. names: of the certificate
    that is made on the head, as openssl has them. problems: what can't work; nothing is opened while there is one.
    """

    listen: list[str]
    url: str
    names: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What openssl says of a certificate. sha256: its fingerprint, empty where there is none yet."""

    sha256: str = ""
    names: tuple[str, ...] = ()


def opening(door: Door, head: Host, taken: Sequence[int], missing: Sequence[str], keys: Mapping[str, str]) -> Opening:
    """All of the door. taken: ports of the engine. missing: files that are not there. keys: client to key, read."""
    if not door.exposed:
        return Opening([], "", [], [])
    places = [ip(address) for address in door.addresses]
    found = [f"{where}:{door.port}" for where in map(in_url, door.addresses)]
    reached = next((str(place) for place in places if place and not place.is_unspecified), head.management)
    names = [*door.addresses, head.management, head.host, *door.names]
    return Opening(
        listen=found,
        url=f"https://{in_url(reached)}:{door.port}",
        names=[*dict.fromkeys(entry for entry in map(alternative, names) if entry)],
        problems=problems(door, taken, missing, keys),
    )


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A text as an address, None where it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def in_url(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def alternative(name: str) -> str:
    """A certificate's name as openssl has it, empty where no client could ask for it."""
    address = ip(name)
    if address is not None:
        return "" if address.is_unspecified else f"IP:{address.compressed}"
    return f"DNS:{name.lower()}" if HOST_NAME.fullmatch(name) else ""


def problems(door: Door, taken: Sequence[int], missing: Sequence[str], keys: Mapping[str, str]) -> list[str]:
    """What can't work, a clause each, with its fix."""
    found = [*bad_addresses(door, taken), *bad_clients(door, missing, keys), *bad_certificate(door, missing)]
    found += [
        f"vllm_serve_expose_paths: {path!r} is not a path such as /v1/models, without escapes, dots alone or a query: "
        "correct it"
        for path in door.paths
        if not PATH.fullmatch(path)
    ]
    if not door.paths:
        found.append("vllm_serve_expose_paths is empty: name a path, as /v1/chat/completions")
    for name, unit in NUMBERS.items():
        if getattr(door, name) < 1:
            found.append(f"vllm_serve_{PREFIX}{name} is {getattr(door, name)}: give at least 1, in {unit}")
    return found


def bad_addresses(door: Door, taken: Sequence[int]) -> list[str]:
    """Where it can't listen."""
    found = []
    if not door.addresses:
        found.append(
            "vllm_serve_expose is on without an address to listen on: set vllm_serve_expose_addresses to one of the "
            "head, as [192.168.1.20]"
        )
    for address in door.addresses:
        if ip(address) is None or "%" in address:
            found.append(f"vllm_serve_expose_addresses: {address!r} is not an IP address: write it in figures")
    for name in door.names:
        if not alternative(name):
            found.append(f"vllm_serve_expose_names: {name!r} is neither a host's name nor an address: correct it")
    if not 1 <= door.port <= 65535:
        found.append(f"vllm_serve_expose_port is {door.port}: give a port from 1 to 65535")
    elif door.port in taken:
        found.append(f"vllm_serve_expose_port is {door.port}, which the engine has: choose another, as 8443")
    return found


def bad_clients(door: Door, missing: Sequence[str], keys: Mapping[str, str]) -> list[str]:
    """Clients and keys that can't be; a key is told by its file, never by itself."""
    found = []
    if not door.keys:
        found.append(
            "vllm_serve_expose is on without a client: set vllm_serve_expose_keys to a name for each, with the "
            "path of a file that has its key (`openssl rand -hex 32` makes one)"
        )
    owners: dict[str, str] = {}
    for client, path in door.keys.items():
        where = f"{path}, the key of the client {client} (vllm_serve_expose_keys)"
        if not NAME.fullmatch(client):
            found.append(
                f"vllm_serve_expose_keys: {client!r} is no name for a client: write letters, figures, dots, dashes"
            )
        if bad := bad_file(path, missing):
            found.append(f"{where}, {bad}")
        elif client in keys:
            key = keys[client]
            if bad := bad_key(key):
                found.append(f"{where}, {bad}")
            elif key in owners:
                found.append(f"{where}, is also the key of {owners[key]}: give each client a key of its own")
            owners.setdefault(key, client)
    return found


def bad_file(path: str, missing: Sequence[str]) -> str:
    """What is wrong with a file of the controller, a clause; empty where it can be read."""
    if not path.startswith(("/", "~")):
        return "is not a whole path: begin it with / or ~"
    return "does not exist on the controller: create it, or correct the path" if path in missing else ""


def bad_key(key: str) -> str:
    """What is wrong with a key, a clause without the key."""
    if len(key) < KEY_LENGTH:
        return f"is shorter than {KEY_LENGTH} characters: make one with `openssl rand -hex 32`"
    if not KEY.fullmatch(key) or QUOTES.search(key):
        return "has a blank, a line break, a quote, a backslash or a letter beyond ASCII: make another"
    return ""


def bad_certificate(door: Door, missing: Sequence[str]) -> list[str]:
    """A certificate without its key, or files that are not there."""
    files = {"certificate_file": door.certificate_file, "certificate_key_file": door.certificate_key_file}
    if len({bool(path) for path in files.values()}) == 2:
        return ["vllm_serve_expose_certificate_file and vllm_serve_expose_certificate_key_file go together: set both"]
    told = {f"{path} (vllm_serve_{PREFIX}{name})": bad_file(path, missing) for name, path in files.items() if path}
    return [f"{where} {bad}" for where, bad in told.items() if bad]


def pattern(key: str) -> str:
    """A key as a regular expression of nginx: its maps compare plain texts without regard to upper and lower case."""
    return re.sub(r"([^A-Za-z0-9_])", r"\\\1", key)


def certificate(text: str) -> Certificate:
    """From `openssl x509 -noout -fingerprint -sha256 -ext subjectAltName`."""
    sha256 = re.search(r"^sha256 Fingerprint=([0-9A-F:]+)$", text, re.MULTILINE | re.IGNORECASE)
    names = re.findall(r"(DNS|IP Address):([^,\s]+)", text)
    return Certificate(sha256[1] if sha256 else "", tuple(filter(None, (alternative(name) for _, name in names))))


def unnamed(wanted: Sequence[str], made: Certificate) -> list[str]:
    """Names that the door has and its certificate lacks; none where there is no certificate yet."""
    return [name.partition(":")[2] for name in wanted if made.sha256 and name not in made.names]
