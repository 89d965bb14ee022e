"""Changes: what somebody did to a service, kept as suspects for the incidents that follow."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from schemas.contract import Contract, Identifier, Labels, Line, Name


class ChangeKind(StrEnum):
    """What sort of change it was."""

    DEPLOYMENT = "deployment"
    FEATURE_FLAG = "feature_flag"
    CONFIGURATION = "configuration"
    INFRASTRUCTURE = "infrastructure"


class ChangeV1(Contract):
    """A deployment, a feature flag, a configuration change."""

    event_type: ClassVar[str] = "tocsin.change.v1"

    change_id: Identifier
    """The deploying system's id of the change; a repeat is the same change."""
    tenant: Name = "default"
    """The scope inside which incidents look for suspects."""
    service: Name
    """The service that was changed."""
    environment: Name = "production"
    """Deployment environment."""
    kind: ChangeKind
    """What sort of change."""
    summary: Line
    """What was changed, in one line."""
    version: Annotated[str, Field(max_length=200)] | None = None
    """Version or commit that is in force afterwards."""
    author: Name | None = None
    """Who made it."""
    url: Annotated[str, Field(max_length=2_000)] | None = None
    """Where a person can look at it."""
    labels: Labels = {}
    """What else is known of it."""

    @property
    def event_id(self) -> str:
        return self.change_id
