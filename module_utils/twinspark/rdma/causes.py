"""What perftest's error lines mean: a name for each, one sentence, and the fix.

The literal texts are perftest's own (src/perftest_{communication,resources,parameters}.c, 4.5 to 26.04).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A named cause. `line` is the text it was read from, empty when nothing was printed (a timeout)."""

    name: str
    meaning: str
    fix: str
    line: str = ""


# With -R the two ends talk over one connection and then make a second one for the queue pairs, without agreeing on
# when: a client that is early is refused, and up to 25.x it crashes when it tries again. Seen 3 times in 40 on the
# lab's VM hosts.
QUEUE_PAIRS_REFUSED = "queue_pairs_refused"
# perftest counts the processor's clock against the time of day for some milliseconds, and gives no figure where the two
# don't run in proportion: r^2 was 0.69 and 0.20 on the lab's VM hosts with a load of 8, where 0.9 is asked for.
CLOCK_UNSTEADY = "clock_unsteady"
# What perftest loses by itself. It says nothing of the path, so that a spare takes the place of the attempt.
LOST = (QUEUE_PAIRS_REFUSED, CLOCK_UNSTEADY)
# What may stand beside a good figure. A client makes up to ten attempts at connecting and prints what became of each
# (retry_rdma_connect); the figure shows that one succeeded. The limit of -w is the caller's.
HARMLESS = ("no_server", "no_route", "cm_rejected", QUEUE_PAIRS_REFUSED, "below_limit")

LONGEST = 300  # characters of a line that are quoted
# Name, meaning, fix. The order is the order of precision: where one output has several, the first one is the cause
# and the later ones are what followed from it.
KNOWN: dict[str, tuple[str, str]] = {
    "no_tool": ("perftest is not installed", "Install the package perftest: apt install perftest"),
    "killed": (
        "the test's process was killed from outside",
        "See who stopped it (journalctl, dmesg), then measure again",
    ),
    "crashed": (
        "the test's program crashed",
        "Use the same perftest on both hosts, a newer one if there is one; dmesg has the place",
    ),
    "server_gone": (
        "the server's process ended before the test did",
        "See journalctl on the server's host, then measure again",
    ),
    "device_not_found": (
        "this host has no RDMA device of that name",
        "Compare twinspark_rails with ibdev2netdev on the host; a missing device can be bound to another driver",
    ),
    "no_devices": (
        "this host has no RDMA device at all",
        "Check that mlx5_core and mlx5_ib are loaded and that the NIC is seen by lspci",
    ),
    "port_down": (
        "the device's port has no link",
        "Check that the cable is in the right cage on both hosts and that the interface is up (ip link)",
    ),
    "port_busy": (
        "the TCP port is taken",
        "Stop what listens there (ss -ltnp), or set rdma_verify_ports to a free range",
    ),
    "no_path": (
        "the peer's rail address does not answer a ping",
        "Check the cable, the interface and its address on both hosts: run the network stage again",
    ),
    "no_server": (
        "no server answered at that address and port",
        "Check that the server runs and that no firewall drops the port on the rail",
    ),
    "no_route": (
        "rdma_cm found no route from this device to that address",
        "Check that the rail's address is on the device's own interface and that ping works on that rail",
    ),
    "gid_mismatch": (
        "the two ends use GIDs of different types",
        "Give both ends an IPv4 address on the rail, leave the GID index unset, or the same RoCE v2 index on both",
    ),
    "gid_unusable": (
        "the queue pair could not reach the peer's GID",
        "Check that both ends have a RoCE v2 GID for their rail address (show_gids), and that ping works on that rail",
    ),
    "memlock": (
        "memory could not be registered: the limit of locked memory is too small",
        "Set memlock to unlimited (ulimit -l, /etc/security/limits.conf, LimitMEMLOCK=infinity)",
    ),
    "retry_exceeded": (
        "the peer stopped acknowledging: packets are lost on the way",
        "Check the link (ip -s link, ethtool) and the MTU of both ends, then ping: a cold ARP looks the same",
    ),
    "rnr_retry_exceeded": (
        "the peer had no receive buffer posted for too long",
        "Measure again; if it stays, the peer's process hangs or the NIC's flow control is off",
    ),
    "torn_down": (
        "the queue pair was taken down in the middle: its link or its peer went away",
        "Check the link (ip -s link, dmesg) and the peer's output, then measure again",
    ),
    "remote_access": ("the peer refused the memory access", "Use the same perftest version on both hosts"),
    "completion_error": (
        "a work request completed with an error",
        "Look up the status in ibv_wc_status and at dmesg of both hosts",
    ),
    QUEUE_PAIRS_REFUSED: (
        "the client asked for its queue pairs before its server listened for them, a fault of perftest before 26.04",
        "Measure again; perftest 26.04 and later try again by themselves",
    ),
    CLOCK_UNSTEADY: (
        "perftest could not read its host's clock steadily, so it has no figure: the host was too busy",
        "Measure again when the host is less busy",
    ),
    "cm_rejected": (
        "the peer's rdma_cm refused the connection",
        "Use the same test, the same options and the same perftest version on both ends",
    ),
    "incompatible": (
        "the two perftest versions don't understand each other",
        "Install the same perftest on both hosts",
    ),
    "below_limit": (
        "the result is below the limit given with -w",
        "See the rail's verdict; the limit was the caller's",
    ),
    "bad_options": (
        "this perftest does not know an option",
        "Compare the options with ib_write_bw --help on that host",
    ),
    "stalled": ("no message came for 120 seconds", "Check the link and the peer's process"),
    "timeout": (
        "the test did not end in time",
        "Check the link and the peer's output; raise rdma_verify_timeout if it is slow",
    ),
    "peer_gone": ("the other end closed the connection", "Read the other end's output: it knows why"),
    "no_context": (
        "the device could not be opened",
        "Run as root, or check /dev/infiniband/uverbs* and the rdma-core packages",
    ),
    "no_connection": ("the two ends could not connect", "Read the lines before it, and the other end's output"),
    "invalid": (
        "what was printed is not a measurement",
        "Measure again; if it stays, run the printed command by hand on both hosts",
    ),
    "unfinished": (
        "the test did not come to its end, whatever it printed besides",
        "Read the lines before it, and the other end's output; then measure again",
    ),
    "no_output": ("the test ended without a result", "Run the printed command by hand on both hosts"),
}

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("device_not_found", r"IB device .{0,80} not found"),
    ("no_devices", r"No IB devices found|Did not detect devices"),
    ("device_not_found", r"Unable to find the Infiniband/RoCE device"),
    ("port_down", r"Port number \d+ state is \w*"),
    (
        "port_busy",
        r"Couldn't listen to port|rdma_bind_addr failed|Failed to bind socket|Address already in use"
        r"|rdma_listen failed",
    ),
    ("no_server", r"Couldn't connect to |Connection refused|Unable to connect \(retries"),
    (
        "no_route",
        r"Received \d+ times ADDR_ERROR|rdma_resolve_(?:addr|route) failed|RDMA_CM_EVENT_(?:ADDR|ROUTE)_ERROR"
        r"|Failed to resolve RDMA CM (?:address|route)|Problem in resolving basic address",
    ),
    # Reject reason 8 is "invalid service ID": nothing listens at that port. Event 8 is the rejection itself, of the
    # first connection: nobody is there at all.
    (QUEUE_PAIRS_REFUSED, r"RDMA_CM_EVENT_REJECTED; error: 8\b"),
    (CLOCK_UNSTEADY, r"Correlation coefficient r\^2: \S+ <"),
    ("no_server", r"Unexpected CM event bl blka 8\b"),
    ("cm_rejected", r"RDMA_CM_EVENT_REJECTED|RDMA_CM_EVENT_CONNECT_ERROR"),
    ("no_server", r"RDMA_CM_EVENT_UNREACHABLE|Failed to connect RDMA CM client"),
    ("gid_mismatch", r"Found Incompatibility issue with GID types"),
    ("gid_unusable", r"Failed to modify QP(?: \d+)? to RTR|Unable to Connect the HCA's through the link"),
    ("memlock", r"Couldn't allocate MR|[Ff]ailed to create (?:mr|MR)\b|Cannot allocate memory"),
    ("retry_exceeded", r"Failed status 12\b"),
    ("rnr_retry_exceeded", r"Failed status 13\b"),
    ("remote_access", r"Failed status (?:10|9)\b"),
    ("torn_down", r"Failed status 5\b"),  # IBV_WC_WR_FLUSH_ERR
    ("completion_error", r"Completion with error at (?:client|server)|Failed status \d+"),
    ("incompatible", r"not compatible with versions older|Versions mismatch"),
    ("below_limit", r"BW result is below bw limit|Msg rate +is below msg_rate limit"),
    ("bad_options", r"Parser function exited with Error|unrecognized option|invalid option --"),
    ("stalled", r"Did not get Message for 120 Seconds"),
    (
        "peer_gone",
        r"Unable to (?:read|write) (?:to|from) socket|Couldn't read remote address"
        r"|Failed to exchange (?:data|.{1,20} data)"
        r"|Couldn't write to socket|Failed to sync between",
    ),
    ("no_context", r"Couldn't get context for the device|Couldn't allocate context"),
    (
        "no_connection",
        r"Unable to init the socket connection|Unable to open file descriptor for socket|Unable to set up socket"
        r"|Failed to create RDMA CM connection|Unable to perform rdma_(?:client|server) function"
        r"|Couldn't create IB resources|accept\(\) failed",
    ),
    ("unfinished", r"Failed to complete run_iter_\w+ function|poll CQ failed|Bad wc status"),
)
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in _PATTERNS)
_ANY = re.compile("|".join(f"(?:{pattern})" for _, pattern in _PATTERNS))


def named(name: str, line: str = "") -> Cause:
    """The cause of that name; KeyError for a name that is not in KNOWN."""
    meaning, fix = KNOWN[name]
    return Cause(name, meaning, fix, line.strip()[:LONGEST])


def of_line(line: str) -> Cause | None:
    """The cause that one line of output names, None when it names none."""
    if line.upper() == line.lower() or not _ANY.search(line):  # a row of numbers is no error: the quick way out
        return None
    return next(named(name, line) for name, pattern in _COMPILED if pattern.search(line))


def of_lines(lines: Iterable[str]) -> tuple[Cause, ...]:
    """Every distinct cause in the output, the most precise first."""
    found: dict[str, Cause] = {}
    for line in lines:
        cause = of_line(line)
        if cause:
            found.setdefault(cause.name, cause)
    if found.keys() & {"retry_exceeded", "rnr_retry_exceeded", "torn_down", "remote_access"}:
        found.pop("completion_error", None)  # the headline of the "Failed status N" line that follows it
    if len(found) > 1:
        found.pop("unfinished", None)  # it says nothing that the others don't
    return by_precision(found.values())


def by_precision(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The causes in KNOWN's order: what happened first, then what followed from it."""
    rank = {name: index for index, name in enumerate(KNOWN)}
    return tuple(sorted(causes, key=lambda cause: rank[cause.name]))
