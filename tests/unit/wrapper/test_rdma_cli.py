"""twinspark rdma parse: JSON for an owner with a saved output."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from twinspark.rdma_cli import app

CASES = Path(__file__).parents[1] / "module_utils/rdma/cases"
ARTICLE = {case["name"]: case["text"] for case in yaml.safe_load((CASES / "perftest_text.yaml").read_text())}
KEYS = {"file", "test", "device", "rows", "errors", "warnings", "settings", "valid"}


@pytest.fixture
def parse(tmp_path):
    def run(*texts, options=()):
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.txt")
            files[-1].write_text(text)
        result = CliRunner().invoke(app, ["parse", *options, *map(str, files)])
        return result.exit_code, json.loads(result.stdout)

    return run


def test_one_run_is_one_object(parse):
    code, document = parse(ARTICLE["the article's bandwidth"])
    assert (code, set(document)) == (0, KEYS)
    assert (document["test"], document["device"]) == ("write_bw", "rocep1s0f1")
    (row,) = document["rows"]
    assert (row["average_bit_s"], row["peak_bit_s"], row["typical_us"]) == (107.34e9, 111.57e9, None)


def test_several_files_are_a_list_in_their_order(parse):
    code, documents = parse(ARTICLE["the article's latency"], ARTICLE["the article's bandwidth"])
    assert (code, [document["test"] for document in documents]) == (0, ["write_lat", "write_bw"])


def test_two_runs_in_one_file_are_a_list(parse):
    code, documents = parse(ARTICLE["the article's bandwidth"] + ARTICLE["the article's latency"])
    assert (code, [document["test"] for document in documents]) == (0, ["write_bw", "write_lat"])


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("IB device rocep9 not found\n", "device_not_found"),
        ("noise\n", "not_perftest"),
        ("", "not_perftest"),
        ('{"results": 1', "not_perftest"),
    ],
)
def test_a_file_without_a_measurement_ends_with_1_and_its_cause(parse, text, cause):
    code, document = parse(text)
    assert (code, document["rows"], document["errors"][0]["name"]) == (1, [], cause)


def test_one_bad_file_among_good_ones_ends_with_1(parse):
    code, documents = parse(ARTICLE["the article's bandwidth"], "noise\n")
    assert (code, [document["valid"] for document in documents]) == (1, [True, False])


def test_cycles_told_by_the_caller_are_no_measurement(parse):
    code, document = parse(ARTICLE["the article's latency"], options=["--cycles"])
    assert (code, document["rows"][0]["typical_us"]) == (1, None)


def test_a_file_that_is_not_there_is_named():
    result = CliRunner().invoke(app, ["parse", "/nonexistent/file"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["errors"][0]["name"] == "unreadable"
