"""Where a policy says what to do: a link, or a file beside the policy that people read under a link of its own."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

_LENGTH: Final = 1_000
_SHAPES: Final = "write a link such as https://wiki.example.org/database, or a file beside the policy such as runbooks/database.md"


def is_file(runbook: str) -> bool:
    """Whether *runbook* is a file beside the policy, and no link."""
    return ":" not in runbook


def linked(runbook: str | None, base: str | None) -> str | None:
    """Return *runbook* as a link, where files are read below *base*."""
    if runbook is None or base is None or not is_file(runbook):
        return runbook
    return f"{base.rstrip('/')}/{runbook}"


def files_beside(folder: Path) -> list[str]:
    """Return the files below *folder* that could be runbooks, as a policy names them."""
    return sorted(
        each.relative_to(folder).as_posix()
        for each in folder.rglob("*")
        if each.is_file() and each.suffix not in {".yaml", ".yml"}
    )


def _link(written: str) -> str:
    try:
        parts = urlsplit(written)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not written.isprintable() or " " in written:
        message = f"is no link that can be followed; {_SHAPES}"
        raise ValueError(message)
    return written


def _runbook(written: str) -> str:
    if not is_file(written):
        return _link(written)
    path = PurePosixPath(written)
    outside = path.is_absolute() or ".." in path.parts or "\\" in written
    if outside or not written.isprintable() or not path.suffix or "?" in written or "#" in written:
        message = f"is neither a link nor a file beside the policy; {_SHAPES}"
        raise ValueError(message)
    return written


#: A link that people can follow.
Link = Annotated[str, Field(max_length=_LENGTH), AfterValidator(_link)]
#: A link, or a file beside the policy.
Runbook = Annotated[str, Field(max_length=_LENGTH), AfterValidator(_runbook)]
