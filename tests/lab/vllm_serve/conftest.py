"""Faults of the served pair, on a lab with real vLLM over both hosts, after the role's scenario."""

import time

import pytest

from tests.lab.vllm_serve.pairlab import INVENTORY, Pair

TIMES: list[tuple[str, float, float]] = []


@pytest.fixture(scope="session")
def lab():
    if not INVENTORY:
        pytest.skip("TWINSPARK_INVENTORY names no lab")
    return Pair()


@pytest.fixture
def pair(lab):
    """The pair, serving, with no restart counted."""
    if lab.state()["kind"] in ("given_up", "stopped"):
        lab.twinspark("apply", "--stage", "serve")
    lab.until("serving", "busy")
    lab.forgive()
    lab.until("serving")
    return lab


@pytest.fixture
def timed(request):
    """timed(seconds): keep a time for the table."""
    return lambda seconds: TIMES.append((request.node.name, 0, seconds))


@pytest.fixture
def served_again(pair, request):
    """served_again(restarts): wait for the fault to be seen, then for tokens, and keep both times for the table."""

    def wait(restarts=1):
        began = time.monotonic()
        pair.until("stuck", "restarting", "starting", "given_up")
        seen = time.monotonic() - began
        state = pair.until("serving", "busy")
        TIMES.append((request.node.name, seen, time.monotonic() - began))
        assert state["restarts"] == restarts
        assert int(pair.ask(4)) == 4

    return wait


def pytest_terminal_summary(terminalreporter):
    for name, seen, served in TIMES:
        terminalreporter.write_line(f"{name}: seen after {seen:.0f} s, served again after {served:.0f} s")
