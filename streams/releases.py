"""
What is published of a policy: its files as they are written, and what is different from the one before.

The values of the environment are never in it: each worker puts in its own.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Final

import orjson

from schemas import limits
from schemas.policies import PolicyV1
from streams.errors import PolicyError
from streams.policy import Examined, Policy, put_together, refusal
from streams.policy_files import POLICY_MISSING, Problem, document_of, files_of, text_of

#: Bytes of the diff; the rest is told from the files.
DIFF_BYTES: Final = 200_000


@dataclass(frozen=True)
class Release:
    """Who puts a policy in force, when and why."""

    author: str
    reason: str
    at: datetime


def texts_of(path: Path) -> dict[str, str]:
    """
    Return the texts of the files of *path*, a folder or a file, by name.

    Raises:
        PolicyError: One cannot be read.
    """
    texts = {file.name: text_of(file, file.name, POLICY_MISSING) for file in files_of(path)}
    unread = [text for text in texts.values() if isinstance(text, Problem)]
    if unread:
        raise PolicyError(refusal(str(path), unread))
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def digest(files: Mapping[str, str]) -> str:
    """Return the digest of *files*: what makes two policies the same one."""
    return hashlib.sha256(orjson.dumps(sorted(files.items()))).hexdigest()


def examine_files(name: str, files: Mapping[str, str], environment: Mapping[str, str]) -> Examined:
    """Return the policy that *files* hold in an *environment*, and all that is to be said about it."""
    return put_together(
        name, [document_of(file, files[file], environment) for file in sorted(files)]
    )


def published_policy(message: PolicyV1, environment: Mapping[str, str]) -> Policy:
    """
    Return the policy that was published, with the values of an *environment*.

    Raises:
        PolicyError: It cannot be used there.
    """
    name = f"policy {message.sha256[:12]} by {message.author}"
    examined = examine_files(name, message.files, environment)
    if examined.policy is None:
        raise PolicyError(refusal(name, examined.problems))
    return examined.policy


def released(
    files: Mapping[str, str], before: PolicyV1 | None, release: Release, partitions: int
) -> list[PolicyV1]:
    """
    Return the records, one for each partition, that put *files* in force instead of *before*.

    Raises:
        PolicyError: They are too large to be published.
    """
    messages = [
        PolicyV1(
            occurred_at=release.at,
            partition=partition,
            sha256=digest(files),
            before=before.sha256 if before else None,
            author=release.author,
            reason=release.reason,
            files=dict(files),
            diff=difference(before.files if before else {}, files),
        )
        for partition in range(partitions)
    ]
    size = len(messages[0].to_wire())
    if size > limits.POLICY_BYTES:
        message = f"the policy has {size} bytes with its diff: at most {limits.POLICY_BYTES} can be published"
        raise PolicyError(message)
    return messages


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return what is different between two policies as a unified diff, file by file; cut where it is long."""
    lines: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        lines += unified_diff(
            old.splitlines(),
            new.splitlines(),
            f"before/{name}" if name in before else "nothing",
            f"after/{name}" if name in after else "nothing",
            lineterm="",
        )
    text = "\n".join([*lines, ""]) if lines else ""
    if len(text.encode()) <= DIFF_BYTES:
        return text
    kept = text.encode()[:DIFF_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n… cut after {DIFF_BYTES} bytes\n"


def changed_lines(diff: str) -> tuple[int, int]:
    """Return how many lines a diff adds and takes away."""
    lines = [line for line in diff.splitlines() if not line.startswith(("+++ ", "--- "))]
    return (
        sum(line.startswith("+") for line in lines),
        sum(line.startswith("-") for line in lines),
    )
