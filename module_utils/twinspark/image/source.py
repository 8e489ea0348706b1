"""One pinned commit of a Git repository: the commands that bring it, and in which words Git fails."""

from __future__ import annotations


def steps(repo: str, commit: str, dest: str, *, present: bool) -> list[list[str]]:
    """Git's argv lists, in order. `present`: the commit is there, and only changed files have to be undone."""
    git = ["git", "-C", dest]
    checkout = [*git, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", commit]
    if present:
        return [checkout]
    return [
        ["git", "init", "--quiet", dest],
        # By URL and not by remote: a repository that moved needs no second command.
        [*git, "fetch", "--quiet", "--depth", "1", "--no-tags", repo, commit],
        checkout,
    ]


def fetch_problem(repo: str, commit: str, error: str) -> str:
    """Git's failure as one sentence with its fix."""
    said = " ".join(error.split())
    if "not our ref" in said or "unadvertised object" in said or "remote error: upload-pack" in said:
        return (
            f"{repo} no longer has the commit {commit}. "
            "Fix: set vllm_image_source_repo to a repository that has it, or twinspark_image_commit to another commit."
        )
    if "Authentication failed" in said or "could not read Username" in said or "Repository not found" in said:
        return f"{repo} does not exist or is private. Fix: correct vllm_image_source_repo."
    if "Could not resolve host" in said or "Connection refused" in said or "unable to connect" in said:
        return f"{repo} can't be reached from this host. Fix: check its network and DNS, then run again."
    return f"The commit {commit} could not be fetched from {repo}: {said or 'git gave no reason'}."
