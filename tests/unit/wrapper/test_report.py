"""The report: complete, honest about gaps, and self-contained."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from twinspark import report

from .conftest import Site

NOW = datetime(2026, 11, 23, 22, 40, tzinfo=UTC)
LINE = ("preflight", "network", "rdma", "weights", "image", "serve", "evaluate")
VOID = {"meta", "br", "link", "img"}


class Balanced(HTMLParser):
    """Fails on a tag that is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def made(folder: Path) -> tuple[dict, str]:
    document = report.build(folder, NOW, "ab" * 20)
    return document, report.page(document)


def test_without_any_proof_it_says_so(tmp_path: Path) -> None:
    document, page = made(tmp_path / "none")
    assert document["verdict"] == "incomplete"
    assert document["missing"][:2] == ["preflight", "network"]
    assert "No proof of: preflight, network" in page


def test_a_whole_line(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(
        tmp_path,
        *LINE,
        rdma={
            "simulated": ["ib_write_bw is a stand-in"],
            "measurements": [{"name": "write_bw", "subject": "rail1", "value": 107.3e9, "unit": "bit/s"}],
            "verdicts": [
                {
                    "name": "write_bw rail1",
                    "ok": True,
                    "measured": 107.3e9,
                    "required": {"operator": ">=", "value": 9e10, "unit": "bit/s"},
                    "unit": "bit/s",
                    "reason": None,
                }
            ],
        },
        weights={"inputs": {"repo": "lab/model", "revision": "cd" * 20}},
        evaluate={
            "measurements": [{"name": "score", "value": 0.886, "stderr": 0.02, "unit": "1"}],
            "evidence": {
                "comparison": [{"label": "high", "published": 0.874, "measured": 0.886, "source": "the card"}]
            },
        },
    )
    document, page = made(tmp_path)
    assert document["verdict"] == "proved"
    assert document["simulated"] == [{"stage": "rdma", "sentence": "ib_write_bw is a stand-in"}]
    assert {"stage": "weights", "name": "revision", "value": "cd" * 20} in document["identities"]
    assert "107.3 Gbit/s" in page
    assert "at least 90 Gbit/s" in page
    assert "0.886 ± 0.02" in page
    assert "the card" in page
    assert "Some of this was not measured on the real thing" in page
    assert f"git checkout {'ab' * 20}" in page


def test_an_override_is_said_loudly(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, "preflight", "network", "rdma", "weights", weights={"overrides": ["rdma"]})
    document, page = made(tmp_path)
    assert document["overrides"] == ["rdma"]
    assert "Overridden by the owner: rdma." in page


def test_a_failure_brings_reason_and_fix(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    bad = {
        "name": "write_bw",
        "ok": False,
        "measured": 13e9,
        "required": 9e10,
        "unit": "bit/s",
        "reason": "the 13 Gb/s fault",
    }
    proof_files(tmp_path, "preflight", "network", "rdma", rdma={"verdicts": [{**bad, "fix": "run `reboot` on both"}]})
    document, page = made(tmp_path)
    assert document["verdict"] == "failed"
    assert "13 Gbit/s" in page
    assert "<b>Fix:</b> run <code>reboot</code> on both" in page


def test_the_page_is_well_formed_and_asks_nobody(tmp_path: Path, proof_files: Callable[..., None]) -> None:
    proof_files(tmp_path, *LINE, preflight={"verdicts": [{"name": "<script>alert(1)</script>", "ok": True}]})
    _, page = made(tmp_path)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert "url(" not in page


@pytest.mark.parametrize("target", ["file", "/proc/x"])
def test_a_folder_that_can_not_be_written_is_told(site: Site, target: str) -> None:
    folder = site.project / target
    if target == "file":
        folder.write_text("mine")
    done = site.twinspark("report", "-o", str(folder))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"{folder} can't be written (" in done.stderr
    assert "name with -o a folder that is yours" in done.stderr


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("file", "TWINSPARK_STATE_DIR is {}, which is a file: name a folder, or unset it"),
        (
            "/proc/x",
            "can't be written (No such file or directory): make room and see whose it is, or set TWINSPARK_STATE",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["apply", "report"])
def test_a_state_folder_that_is_none_is_told(site: Site, verb: str, target: str, sentence: str) -> None:
    site.play("preflight", {"name": "Ping", "ansible.builtin.ping": {}})
    folder = site.project / target
    if target == "file":
        folder.write_text("mine")
    done = site.twinspark(verb, TWINSPARK_STATE_DIR=str(folder))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert sentence.format(folder) in done.stderr or "name with -o" in done.stderr
