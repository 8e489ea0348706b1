"""What a host runs to get, copy, serve and hash weights: `python3 FOLDER fetch|pull|serve|verify SPEC`.

SPEC is JSON without secrets. Standard library only; the decisions are in `core/`, which the role installs beside this
file from the project's module_utils.
"""

from __future__ import annotations

import errno
import json
import signal
import sys

import fetch
import pull
import serve
import spec
import verify
from core.twinspark.proof.json_form import ShapeError, from_json
from job import Failure, say, stopped


def run(verb: str, given: object) -> None:
    """Do it. Raises ShapeError for a SPEC that is not the verb's, KeyError for a verb that there is none."""
    {
        "fetch": lambda: fetch.run(from_json(spec.Fetch, given, "spec")),
        "pull": lambda: pull.run(from_json(spec.Pull, given, "spec")),
        "serve": lambda: serve.run(from_json(spec.Serve, given, "spec")),
        "verify": lambda: verify.run(from_json(spec.Verify, given, "spec")),
    }[verb]()


def main(arguments: list[str]) -> int:
    """Exit code 0: all is as it should be. 1: the last line of output says what is not, and the fix."""
    verb, text = arguments
    signal.signal(signal.SIGTERM, stopped)
    try:
        run(verb, json.loads(text))
    except (Failure, ShapeError) as failure:
        say(f"{verb}: {failure}.")
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC:
            say(f"{verb}: the disk is full. Free some space, and run again: what came is kept.")
        else:
            say(f"{verb}: {error.filename or 'the host'}: {error.strerror or error}. Mend it, and run again.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
