"""One pinned commit: Git's commands, and the words in which Git fails."""

import pytest
from ansible.module_utils.twinspark.image import source

COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("fatal: remote error: upload-pack: not our ref aaaa", "no longer has the commit"),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", "private"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "can't be reached"),
        ("fatal: something else", "something else"),
    ],
)
def test_git_failures_have_a_fix(error, words):
    assert words in source.fetch_problem("https://x", COMMIT, error)


def test_the_commit_itself_is_fetched():
    assert source.steps("R", COMMIT, "/d", present=False)[1][-3:] == ["--no-tags", "R", COMMIT]
    assert len(source.steps("R", COMMIT, "/d", present=True)) == 1
