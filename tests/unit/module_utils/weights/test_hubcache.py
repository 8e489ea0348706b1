"""The standard Hub cache: links, and what pruning frees."""

from pathlib import Path

from ansible.module_utils.twinspark.weights import hubcache


def test_links_are_relative_from_any_depth():
    layout = hubcache.Layout("/h", "o/n")
    for path in ("w", "a/w", "a/b/w"):
        link = layout.snapshot("1" * 40) / path
        resolved = Path(str(link.parent / hubcache.link_target(path, "SUM"))).resolve()
        assert resolved == layout.blobs / "SUM"


def test_pruning_frees_what_nothing_else_links_to():
    snapshots = {"old": ["a", "b"], "new": ["b", "c"]}
    sizes = {"a": 1, "b": 2, "c": 4, "stray": 8}
    assert hubcache.freed_by(snapshots, sizes, ["old"]) == {"a": 1}
    assert hubcache.freed_by(snapshots, sizes, ["old", "new"]) == {"a": 1, "b": 2, "c": 4}
    assert hubcache.freed_by(snapshots, sizes, ["unknown"]) == {}
