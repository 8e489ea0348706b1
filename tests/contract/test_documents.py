"""Every file and every heading that a document names is there, and the pages of docs/ need nothing from elsewhere.

`mkdocs build --strict` (scripts/lint) checks the links inside docs/. This checks the documents outside it as well, and
the paths that they all name as code.
"""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "lab/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
]
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(text: str) -> Iterator[Token]:
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or []


def anchors(text: str) -> set[str]:
    """The anchors that a forge makes of a document's headings."""
    parsed = MARKDOWN.parse(text)
    found: set[str] = set()
    for opening, inline in itertools.pairwise(parsed):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or []).lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            repeats = itertools.chain([slug], (f"{slug}-{n}" for n in itertools.count(1)))
            found.add(next(name for name in repeats if name not in found))
    return found


def links(document: Path, text: str) -> Iterator[str]:
    """A sentence for each link to a file or a heading that is not there. Other hosts are not asked."""
    for target in (str(token.attrs["href"]) for token in tokens(text) if token.type == "link_open"):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document
        if name.startswith("/") or not file.exists():
            yield f"no file {target}"
        elif anchor and anchor not in anchors(file.read_text()):
            yield f"no heading {target}"


def patterns(word: str) -> Iterator[str]:
    """A path as the documents write it, as globs: `{a,b}` is both, `ROLE` and `<role>` any name."""
    braces = re.search(r"\{([^{}]*)\}", word)
    if braces:
        for choice in braces[1].split(","):
            yield from patterns(word[: braces.start()] + choice + word[braces.end() :])
        return
    yield "/".join(re.sub(r"<\w+>|\b[A-Z]{3,}\b", "*", part) for part in word.strip("/").split("/"))


def paths(text: str) -> Iterator[str]:
    """A sentence for each path of the project that is named as code and is not there."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for token in tokens(text):
        if token.type not in {"code_inline", "code_block", "fence"}:
            continue
        for word in re.findall(r"(?<![\w./~$\"-])[\w.][\w.*{},/<>-]*/[\w.*{},/<>-]*", token.content):
            if word.split("/")[0] in folders and not all(any(ROOT.glob(glob)) for glob in patterns(word.rstrip(".,"))):
                yield f"no path {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_files_and_headings_that_are_there(document):
    text = document.read_text()
    # The changelog's paths are those of its releases.
    assert [*links(document, text), *(paths(text) if document.name != "CHANGELOG.md" else [])] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](other.md#the-second-one) [b](#here)\n\n# Here", []),
        ("[a](missing.md)", ["no file missing.md"]),
        ("[a](/other.md)", ["no file /other.md"]),
        ("[a](other.md#third)", ["no heading other.md#third"]),
        ("[a](#there)\n\n# Here", ["no heading #there"]),
        ("`[a](missing.md)` and <https://example.org/x>", []),
        ("`roles/ROLE/tasks/*.yml` and `docs/{index,network}.md`", []),
        ("`roles/missing/` and `docs/missing.md`", ["no path roles/missing/", "no path docs/missing.md"]),
        ("`docs/{index,missing}.md`", ["no path docs/{index,missing}.md"]),
        ("    pytest tests/unit/missing.py", ["no path tests/unit/missing.py"]),
        ("`~/docs/missing` and `/docs/missing` and `other/missing`", []),
    ],
)
def test_a_broken_reference_is_found(tmp_path, text, found):
    (tmp_path / "other.md").write_text("# The second *one*\n")
    document = tmp_path / "document.md"
    document.write_text(text)
    assert [*links(document, text), *paths(text)] == found


def test_the_pages_build_and_load_nothing_from_elsewhere(tmp_path):
    # Not --quiet: it hides the warnings from --strict, too.
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pages = sorted(tmp_path.glob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    for page in pages:
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"([^\"]*)\"", page.read_text())
        assert loaded
        assert not [address for address in loaded if "//" in address]


def test_every_folder_of_python_is_in_the_table_of_the_architecture():
    listed = subprocess.run(["git", "ls-files", "*.py", "*.pyi"], cwd=ROOT, capture_output=True, text=True, check=True)
    folders = {path.split("/")[0] for path in listed.stdout.splitlines() if "/" in path}
    table = (ROOT / "docs/architecture.md").read_text()
    assert "typings" in folders
    assert [folder for folder in sorted(folders) if f"`{folder}/" not in table] == []
