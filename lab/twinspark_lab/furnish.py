"""What a lab host holds besides its packages: files put in by one tar stream over Docker."""

import io
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .hosts import exec_in
from .names import Lab, checkout
from .shell import run
from .sysfs import Link, Tree

AUTHORIZED_KEYS = "home/spark/.ssh/authorized_keys"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# A machine that reaches the package indexes in a way of its own says so in these; the lab hosts go the same way.
PASSED_ON = (
    "PIP_INDEX_URL", "UV_DEFAULT_INDEX",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class File:
    """A file to be put into a host; without content, a folder."""

    content: bytes | None
    mode: int = 0o644
    uid: int = 0


def certificates(pem: str) -> list[str]:
    """The PEM blocks in a bundle, in order."""
    return re.findall(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", pem, flags=re.DOTALL)


def extra_certificates(environment: Mapping[str, str], known: str) -> list[str]:
    """The certificates that this machine's environment names as trusted and the bundle *known* does not hold."""
    has = set(certificates(known))
    found: dict[str, None] = {}
    for variable in BUNDLE_VARIABLES:
        path = Path(environment.get(variable) or "/nonexistent")
        if path.is_file():
            found.update(dict.fromkeys(pem for pem in certificates(path.read_text(errors="replace")) if pem not in has))
    return list(found)


def environment_files(environment: Mapping[str, str], private_ca: bool) -> dict[str, File]:
    """/etc/environment for logins and systemd's defaults for units, with what must be passed on."""
    values = {name: environment[name] for name in PASSED_ON if environment.get(name)}
    if private_ca:
        # Python clients bring CA bundles of their own; these make them read the host's.
        values.update(dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"), BUNDLE))
    lines = "".join(f'{name}="{value}"\n' for name, value in sorted(values.items()))
    quoted = " ".join(f'"{name}={value}"' for name, value in sorted(values.items())).replace("%", "%%")
    return {
        "etc/environment": File(lines.encode()),
        "etc/systemd/system.conf.d/10-twinspark-lab.conf": File(f"[Manager]\nDefaultEnvironment={quoted}\n".encode()),
    }


def certificate_files(pems: Sequence[str]) -> dict[str, File]:
    folder = "usr/local/share/ca-certificates"
    return {f"{folder}/twinspark-lab-{number}.crt": File(pem.encode()) for number, pem in enumerate(pems)}


def standin_files(folder: Path) -> dict[str, File]:
    """The perftest stand-ins of lab/standins: first on the PATH, before the real ones in /usr/bin."""
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {
        f"usr/local/bin/{path.relative_to(folder)}": File(
            path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644
        )
        for path in files
        if path.suffix != ".md"
    }


def archive(files: Mapping[str, File], tree: Tree, below: str) -> bytes:
    """A tar of *files* and of *tree* below the folder *below*, parents included."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.uid, member.gid = file.mode, file.uid, file.uid
            if file.content is None:
                member.type = tarfile.DIRTYPE
            member.size = len(file.content or b"")
            tar.addfile(member, io.BytesIO(file.content or b""))
        for name, value in tree.items():
            member = tarfile.TarInfo(f"{below}/{name}")
            if isinstance(value, Link):
                member.type, member.linkname, content = tarfile.SYMTYPE, value.target, b""
            else:
                content = value.encode()
                member.size, member.mode = len(content), 0o444
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def put(lab: Lab, host: str, content: bytes) -> None:
    """Unpack the tar *content* at the host's root (running or not)."""
    run(["docker", "cp", "-", f"{lab.container(host)}:/"], stdin=content)


def login_files(public_key: str) -> dict[str, File]:
    """The login of a host that was made now; later the file belongs to the roles, too."""
    return {
        "home/spark/.ssh": File(None, 0o700, 1000),
        AUTHORIZED_KEYS: File(f"{public_key}\n".encode(), 0o600, 1000),
    }


def admit(lab: Lab, host: str, public_key: str) -> None:
    """Let the running host hold the lab's key among whatever keys it has."""
    script = 'grep -qxF "$1" "$2" || printf "%s\\n" "$1" >> "$2"'
    exec_in(lab, host, ["sh", "-c", script, "admit", public_key, f"/{AUTHORIZED_KEYS}"])


def host_files(pems: Sequence[str], environment: Mapping[str, str]) -> dict[str, File]:
    """What every `up` puts in anew, besides the sysfs tree: certificates, environment, stand-ins."""
    return {
        **environment_files(environment, bool(pems)),
        **certificate_files(pems),
        **standin_files(checkout() / "lab" / "standins"),
    }


def image_bundle(image: str) -> str:
    """The CA bundle as the image ships it."""
    argv = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "cat", image, BUNDLE]
    return run(argv).stdout.decode(errors="replace")


def trust(lab: Lab, host: str, pems: Sequence[str]) -> None:
    """Let the running host's CA bundle hold *pems*, whose files are there already."""
    if not set(pems) <= set(certificates(exec_in(lab, host, ["cat", BUNDLE]))):
        exec_in(lab, host, ["update-ca-certificates"])
