"""Published policies: what was put in force, by whom, why, and what is different."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas import limits
from schemas.contract import Contract, Count, Line, Name

FileName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\x00-\x1f]+$")]
FileText = Annotated[str, Field(max_length=limits.POLICY_BYTES)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PolicyV1(Contract):
    """A policy that is put in force for one partition of every stateful hop. ``occurred_at`` is when it was published."""

    event_type: ClassVar[str] = "tocsin.policy.v1"
    bytes_read: ClassVar[int] = limits.POLICY_BYTES

    partition: Count
    """The partition that this record is for; all partitions get the same policy."""
    sha256: Digest
    """Digest of the files: the same files are the same policy."""
    before: Digest | None = None
    """The policy that it replaces; None for the first that was published."""
    author: Name
    """Who published it."""
    reason: Annotated[Line, Field(min_length=1)]
    """Why."""
    files: Annotated[dict[FileName, FileText], Field(min_length=1, max_length=1_000)]
    """The YAML files, as they are written: ``${NAME}`` stands for what each worker has in its environment."""
    diff: FileText = ""
    """What is different, as a unified diff; cut where it is long."""

    @property
    def event_id(self) -> str:
        return f"{self.sha256[:16]}@{self.occurred_at.isoformat()}/{self.partition}"
