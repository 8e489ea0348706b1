"""What the tests of the modules share."""

import pytest

pytest.register_assert_rewrite("tests.unit.library.table")  # so that a failing case shows what differs

from tests.unit.library import table  # noqa: E402


@pytest.fixture
def play(run_module, monkeypatch, tmp_path):
    """Run one case of a module's table, with every program that it drives played; see table.py.

    The module is named, or given as it was loaded, so that a test can first move its folders into its own.
    """

    def play(module, case: dict) -> dict:
        return table.check(run_module, monkeypatch, tmp_path, module, case)

    return play
