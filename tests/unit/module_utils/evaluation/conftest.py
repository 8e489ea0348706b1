"""What the tests of an evaluation share."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def raw() -> dict:
    """A log of Inspect 0.3.285 as its reader printed it: the lab's eight questions, twice, to vLLM 0.32 for CPU."""
    return json.loads((Path(__file__).parent / "recorded/inspect_lab.json").read_text())
