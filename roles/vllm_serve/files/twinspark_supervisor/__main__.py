"""Runs `command`: mypy knows one module of the name __main__ only, and it is the weights program's."""

import sys

from command import main

sys.exit(main(sys.argv[1:]))
