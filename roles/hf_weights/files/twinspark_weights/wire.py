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
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

from core.twinspark.weights.weights import Way
from spec import Pull

SCHEME = "Twinspark"
CONNECT_SECONDS = 5  # a rail is one cable long: who has not answered by then is not there
LEAST = 64 * 1024  # bytes that must come while a stream waits for as long as a stall may last: a trickle is a stall too
FRESH = 20  # seconds after which a connection is made anew: the head hangs up on who asks nothing for a minute
NONCE = re.compile(rf'{SCHEME} nonce="([0-9a-f]{{32}})"\Z')
RANGE = re.compile(r"bytes=([0-9]{1,18})-\Z")


class BrokenRailError(Exception):
    """The bytes stopped; they may come by another try or another rail."""


class BarredRailError(Exception):
    """This rail won't do, however often it is tried; another may. The message has the fix, without a full stop."""


class RefusedError(Exception):
    """No other try or rail will do better; the message has the fix, without a full stop."""


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
def broken_when_silent(rail: Way, patience: float) -> Iterator[None]:
    """Whatever a connection can die of, in words."""
    try:
        yield
    except TimeoutError as error:
        raise BrokenRailError(f"{rail.address} sent nothing for {patience} s") from error
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BrokenRailError(f"{rail.address}: {words}") from error


class Rail:
    """One connection over one rail, from this host's address on it to the head's.

    `carried`: bytes of blobs so far. `useful`: whether that was a whole answer, or enough of one to be more than a
    trickle. `since`: when it last had a byte, or began to wait for one.
    """

    def __init__(self, spec: Pull, rail: Way, secret: str) -> None:
        self._rail, self._secret, self._patience = rail, secret, float(spec.stall_seconds)
        self.name, self.carried, self.useful, self.since = rail.name, 0, False, time.monotonic()
        self._broken: BrokenRailError | None = None
        self._connection = http.client.HTTPConnection(
            rail.address, spec.port, timeout=CONNECT_SECONDS, source_address=(rail.local, 0)
        )

    def connect(self) -> None:
        """Be given the number to answer with."""
        self.since = time.monotonic()
        address = self._rail.address
        with self._answered_within(CONNECT_SECONDS):
            self._connection.request("GET", "/")
            response = self._connection.getresponse()
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BrokenRailError(f"{address} answers {response.status}")
        self._nonce = nonce_of(response.headers.get("WWW-Authenticate"))
        # The head greets without a body, which is not read here however long it claims to be, and stays connected.
        if not self._nonce or response.length != 0 or self._connection.sock is None:
            raise BarredRailError(f"what answers on {address} is not the head of this copy; see hf_weights_port")
        response.close()
        self.since = time.monotonic()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def knock(self) -> None:
        """Show the head that this copy is still wanted, and want nothing now."""
        self.connect()
        self._question("/", 0)

    def ask(self, blob: str, start: int, size: int) -> None:
        """Ask for a blob of `size` bytes, from byte `start` to its end."""
        if self._connection.sock is None or time.monotonic() - self.since > FRESH:
            self.close()
            self.connect()
        self._response = self._question(f"/{blob}", start)
        status, length = self._response.status, self._response.length
        if status != (HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK) or length != size - start:
            raise RefusedError(
                f"the head has no {size} bytes of {blob} ({status}, {length} bytes). "
                "Check it: twinspark apply --stage weights -e hf_weights_rehash=true"
            )
        self._left, self._waited, self._came = size - start, 0.0, 0

    def read_into(self, buffer: memoryview) -> int:
        """Bytes of the blob; how many. It fills the buffer while there are so many; never 0."""
        if self._broken:
            raise self._broken
        filled = 0
        try:
            with broken_when_silent(self._rail, self._patience):
                while filled < len(buffer):
                    filled += self._some(buffer[filled:])
        except BrokenRailError as error:
            if not filled:
                raise
            self._broken = error  # what came before it is as good as any
        self.carried += filled
        self._left -= filled
        self.useful = self.useful or self.carried >= LEAST or not self._left
        if not self._left:
            self._response.close()
        return filled

    def _some(self, buffer: memoryview) -> int:
        """What one look at the rail gives, at least a byte. Only time that is spent waiting here counts as a stall."""
        began = time.monotonic()
        got = self._response.fp.readinto1(buffer)
        if not got:
            raise BrokenRailError(f"{self._rail.address} closed the connection in the middle of a file")
        self.since = time.monotonic()
        self._waited += self.since - began
        self._came += got
        if self._waited > self._patience:
            if self._came < LEAST:
                words = f"sent {self._came} bytes in {self._waited:.0f} s"
                raise BrokenRailError(f"{self._rail.address} {words}")
            self._waited, self._came = 0.0, 0
        return got

    def _question(self, path: str, start: int) -> http.client.HTTPResponse:
        """Put a question that shows that we know the secret. The answer's body is not read yet."""
        headers = {"Authorization": answer(self._secret, self._nonce, "GET", path, start)}
        if start:
            headers["Range"] = f"bytes={start}-"
        self.since = time.monotonic()
        with self._answered_within(self._patience):
            self._connection.sock.settimeout(self._patience)
            self._connection.request("GET", path, headers=headers)
            response = self._connection.getresponse()
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise BarredRailError(
                "the head does not know this copy's secret. Run the stage again, which exchanges a new one"
            )
        # Half an answer tells no length, and looks like a whole one to the library.
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.length is None:
            raise BrokenRailError(f"{self._rail.address} answers {response.status}, no file")
        return response

    @contextlib.contextmanager
    def _answered_within(self, seconds: float) -> Iterator[None]:
        """Broken when no byte comes for so long, or the answer takes more than twice as long, however it trickles."""
        self._late = False
        timer = threading.Timer(2 * seconds, self._cut)
        timer.daemon = True
        timer.start()
        failure: BrokenRailError | None = None
        try:
            with broken_when_silent(self._rail, seconds):
                yield
        except BrokenRailError as error:
            failure = error
        finally:
            timer.cancel()
        if self._late:
            raise BrokenRailError(f"{self._rail.address} took longer than {2 * seconds:g} s to answer") from failure
        if failure:
            raise failure

    def _cut(self) -> None:
        """Let whoever waits for the connection find it ended."""
        self._late = True
        sock = self._connection.sock
        if sock:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
