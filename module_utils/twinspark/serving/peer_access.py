"""The supervisor's way into its peers: one key, one forced command, four words. Texts only.

It logs in as a user of its own, for root's login is switched off on many hosts. That user may run four command lines as
root, each of them whole: what else is asked for over ssh is refused by sudo, and by the program.
"""

from __future__ import annotations

from collections.abc import Sequence

PROGRAM = "/usr/local/lib/twinspark/supervisor"
USER = "twinspark-serve"
VERBS = ("look", "log", "start", "stop")
HEADER = "# Managed by twinspark: the supervisor of the served pair, from the head's rails, and nobody else.\n"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def rank_argv(verb: str, boot_id_path: str = BOOT_ID) -> list[str]:
    """What is run on a host as root. Raises ValueError for a path that sudo or the shell would read otherwise."""
    if not all(c.isalnum() or c in "/._-" for c in boot_id_path) or not boot_id_path.startswith("/"):
        raise ValueError(f"{boot_id_path!r} can't be in a rule of sudo: letters, digits and /._- only")
    return ["/usr/bin/python3", "-I", PROGRAM, "rank", "--boot-id", boot_id_path, verb]


def sudoers(user: str = USER, boot_id_path: str = BOOT_ID) -> str:
    """The file below /etc/sudoers.d. An argument that is not written there is not allowed."""
    commands = ", \\\n    ".join(" ".join(rank_argv(verb, boot_id_path)) for verb in VERBS)
    # It comes every few seconds, and the supervisor's own journal tells what came of it.
    quiet = f"Defaults:{user} !requiretty, !use_pty, !log_allowed, !pam_session\n"
    return f"{HEADER}{quiet}{user} ALL=(root) NOPASSWD: {commands}\n"


def authorized_key(public_key: str, sources: Sequence[str], boot_id_path: str = BOOT_ID) -> str:
    """The user's authorized_keys: the head's key, from its rail addresses only, for the forced command only.

    The shell puts in what was asked for, as one argument; it does not read it. A key that is not made yet (check mode
    on a new head) is announced by a comment.
    """
    if not public_key:
        return f"{HEADER}# the key that the head is going to make\n"
    command = " ".join(["sudo", "-n", *rank_argv("", boot_id_path)[:-1]])
    kind, key, *_ = public_key.split()
    return f'{HEADER}from="{",".join(sources)}",restrict,command="{command} \\"$SSH_ORIGINAL_COMMAND\\"" {kind} {key}\n'
