"""How a blob crosses a rail: HTTP, by the standard library on both ends, with a challenge so that no secret is sent.

The head answers a connection's first question with 401 and a number used once. Every further question on it carries
HMAC-SHA256, under the secret of this copy, of that number, the method, the path and the byte that it wants to start at.
The bytes themselves need no seal: the manifest came another way, and every byte is hashed against it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

SCHEME = "Twinspark"
CONNECT_SECONDS = 5  # a rail is one cable long: who has not answered by then is not there
NONCE = re.compile(rf'{SCHEME} nonce="([0-9a-f]{{32}})"\Z')
RANGE = re.compile(r"bytes=([0-9]{1,18})-\Z")


class BrokenRailError(Exception):
    """The bytes stopped; they may come by another try or another rail."""


class RefusedError(Exception):
    """No other try or rail will do better; the message has the cure, without a full stop."""


def challenge(nonce: str) -> str:
    """What the head sends with its 401, for the header WWW-Authenticate."""
    return f'{SCHEME} nonce="{nonce}"'


def nonce_of(header: str | None) -> str:
    """The number in such a header, empty when it is none."""
    found = NONCE.match(header or "")
    return found[1] if found else ""


def answer(secret: str, nonce: str, method: str, path: str, start: int) -> str:
    """What shows that the asker knows the secret, for the header Authorization."""
    text = "\n".join((nonce, method, path, str(start)))
    return f"{SCHEME} {hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


def start_of(header: str | None) -> int | None:
    """First byte that a Range header asks for, 0 without one, None for any other form of it."""
    if header is None:
        return 0
    found = RANGE.match(header)
    return int(found[1]) if found else None


@contextlib.contextmanager
def broken_when_silent(rail: Mapping[str, str], patience: float) -> Iterator[None]:
    """Whatever a connection can die of, in words."""
    try:
        yield
    except TimeoutError as error:
        raise BrokenRailError(f"{rail['address']} sent no byte for {patience} s") from error
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BrokenRailError(f"{rail['address']}: {words}") from error


class Rail:
    """One connection over one rail, from this host's address on it to the head's. `carried`: bytes of blobs so far."""

    def __init__(self, spec: Mapping[str, Any], rail: Mapping[str, str], secret: str) -> None:
        self._rail, self._secret, self._patience = rail, secret, float(spec["stall_seconds"])
        self.name, self.carried = rail["name"], 0
        self._connection = http.client.HTTPConnection(
            rail["address"], spec["port"], timeout=CONNECT_SECONDS, source_address=(rail["local"], 0)
        )

    def connect(self) -> None:
        """Be given the number to answer with."""
        with broken_when_silent(self._rail, CONNECT_SECONDS):
            self._connection.request("GET", "/")
            response = self._connection.getresponse()
            response.read()
        self._nonce = nonce_of(response.headers.get("WWW-Authenticate"))
        if not self._nonce:
            address = self._rail["address"]
            raise BrokenRailError(f"what answers on {address} is not the head of this copy; see hf_weights_port")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(self, blob: str, start: int, size: int) -> None:
        """Ask for a blob of `size` bytes, from byte `start` to its end."""
        path = f"/{blob}"
        headers = {"Authorization": answer(self._secret, self._nonce, "GET", path, start)}
        if start:
            headers["Range"] = f"bytes={start}-"
        with broken_when_silent(self._rail, self._patience):
            self._connection.sock.settimeout(self._patience)
            self._connection.request("GET", path, headers=headers)
            self._response = self._connection.getresponse()
        status, length = self._response.status, self._response.headers.get("Content-Length")
        if status == HTTPStatus.UNAUTHORIZED:
            raise RefusedError(
                "the head does not know this copy's secret. Run the stage again, which exchanges a new one"
            )
        if status != (HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK) or length != str(size - start):
            raise RefusedError(
                f"the head has no {size} bytes of {blob} ({status}, {length} bytes). "
                "Check it: twinspark apply --stage weights -e hf_weights_rehash=true"
            )

    def read_into(self, buffer: memoryview) -> int:
        """Bytes of the blob; how many. It fills the buffer while there are so many; never 0."""
        with broken_when_silent(self._rail, self._patience):
            got = self._response.readinto(buffer)
        if not got:
            raise BrokenRailError(f"{self._rail['address']} ended the connection in the middle of a file")
        self.carried += got
        return got
