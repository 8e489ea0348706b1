"""The supervisor of the served pair, and the hand that it has on every host.

    python3 FOLDER supervise [SETTINGS]                on the head, as a service
    python3 FOLDER rank [--boot-id PATH] [VERB]        look, log, start or stop, on any host; JSON on stdout

Without a VERB, `rank` takes it from SSH_ORIGINAL_COMMAND: it is the forced command of the supervisor's key. Standard
library only; the decisions are in `core/`, which the role installs beside this file from the project's module_utils.
"""

from __future__ import annotations

import argparse
import json
import os

import local
import settings
from core.twinspark.proof.json_form import ShapeError

VERBS = ("look", "log", "start", "stop")
SETTINGS = "/etc/twinspark/serve.json"


def say(text: str) -> None:
    """A line for the journal, at once, with systemd's level before it. What is not text in it is spelt out."""
    print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text), flush=True)


def rank(verb: str, boot_id: str) -> int:
    """One verb of this host's rank. Any other word is refused."""
    if verb not in VERBS:
        print(json.dumps({"ok": False, "error": f"{verb[:40]!r} is none of {', '.join(VERBS)}"}))
        return 2
    try:
        told, code = local.answer(verb, boot_id)
    except (OSError, ValueError, KeyError) as error:
        told, code = {"ok": False, "error": f"{verb}: {error}"}, 1
    print(json.dumps(told))
    return code


def supervise(path: str) -> int:
    """Supervise until told to end."""
    import watch  # not for `rank`, which is run every few seconds

    try:
        watch.Supervisor(settings.load(path), say).run()
    except (ShapeError, watch.Busy) as error:
        say(f"<3>{error}.")
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Exit code 0: done. 1: the last line says what is not. 2: not understood."""
    parser = argparse.ArgumentParser(prog="twinspark-supervisor")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("supervise").add_argument("settings", nargs="?", default=SETTINGS)
    one = commands.add_parser("rank")
    one.add_argument("--boot-id", default=settings.BOOT_ID)
    one.add_argument("verb", nargs="?")
    given = parser.parse_args(arguments)
    if given.command == "supervise":
        return supervise(given.settings)
    return rank(given.verb or os.environ.get("SSH_ORIGINAL_COMMAND", ""), given.boot_id)
