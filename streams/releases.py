"""
What is published of a policy: its files as they are written, and what is different from the one before.

The values of the environment are never in it: each worker puts in its own.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Final

import orjson
from pydantic import ValidationError

from schemas import limits
from schemas.contract import faults
from schemas.policies import PolicyV1
from streams.errors import PolicyError
from streams.policy import Examined, Policy, put_together, refusal
from streams.policy_faults import meant
from streams.policy_files import POLICY_MISSING, Problem, document_of, files_of, text_of

#: Bytes of the diff; the rest is told from the files.
_SHORT: Final = 12
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
    name = f"policy {short(message.sha256)} by {message.author}"
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
        PolicyError: They are too large or too many to be published, or the release says too little.
    """
    try:
        first = PolicyV1(
            occurred_at=release.at,
            partition=0,
            sha256=digest(files),
            before=before.sha256 if before else None,
            author=release.author,
            reason=release.reason,
            files=dict(files),
            diff=difference(before.files if before else {}, files),
        )
    except ValidationError as error:
        message = f"the policy cannot be published: {faults(error, PolicyV1)}"
        raise PolicyError(message) from None
    messages = [first.model_copy(update={"partition": number}) for number in range(partitions)]
    size = len(messages[0].to_wire())
    if size > limits.POLICY_BYTES:
        message = f"the policy has {size} bytes with its diff: at most {limits.POLICY_BYTES} can be published"
        raise PolicyError(message)
    return messages


def short(sha256: str) -> str:
    """Return a digest as it is shown: as much of it as tells policies apart."""
    return sha256[:_SHORT]


def earlier(releases: Sequence[PolicyV1], named: str | None) -> PolicyV1:
    """
    Return the one of *releases*, the oldest first, whose digest begins as *named*; without a name the one before the last.

    Raises:
        PolicyError: There is none.
    """
    if not releases:
        message = "no policy was published yet"
        raise PolicyError(message)
    if named is None:
        before = releases[-1].before
        found = [each for each in releases if each.sha256 == before]
        if not found:
            message = (
                f"there is none before {short(releases[-1].sha256)}, or the log has it no longer"
            )
            raise PolicyError(message)
        return found[-1]
    found = [each for each in releases if each.sha256.startswith(named)]
    digests = sorted({short(each.sha256) for each in found or releases})
    if not found:
        message = (
            f"no policy was published whose digest begins with {named!r}; {meant(named, digests)}"
        )
        raise PolicyError(message)
    if len(digests) > 1:
        message = f"several digests begin with {named!r}: {', '.join(digests)}"
        raise PolicyError(message)
    return found[-1]


def overtaken(ends: Iterable[Sequence[PolicyV1]], ours: PolicyV1) -> str | None:
    """
    Return what happened beside the publishing of *ours*, where somebody else published meanwhile; None where nobody did.

    *ends* are the policies of each partition as they stand afterwards, the oldest first.
    """
    others = [each for each in ends if each]
    last = next((each[-1] for each in others if each[-1].sha256 != ours.sha256), None)
    if last is not None:
        return (
            f"{last.author} published {short(last.sha256)} at the same time ({last.reason}), and it is in force where it came last: "
            "agree, and publish again"
        )
    before = next(
        (each[-2] for each in others if len(each) > 1 and each[-2].sha256 != ours.before), None
    )
    if before is None or before.sha256 == ours.sha256:
        return None
    return (
        f"{before.author} had just published {short(before.sha256)} ({before.reason}), which this one replaces without knowing it: "
        "`tocsin policy log --diff` shows what it changed"
    )


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
