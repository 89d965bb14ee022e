"""The service catalogue of a policy."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract import Name
from streams.runbooks import Link


class Service(BaseModel):
    """One service of the policy's ``services``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"depends_on": ["database"], "owner": "shop", "tier": 1}]},
    )

    depends_on: tuple[Name, ...] = ()
    """The services that it cannot work without."""
    owner: Name | None = None
    """The team that owns it."""
    tier: Annotated[int, Field(ge=1, le=4)] = 3
    """How much depends on it: 1 most. Routes match it as ``tier``; of several causes that explain as much, the one of the lowest tier is blamed."""
    components: tuple[Name, ...] = ()
    """The components of the status page that show it."""
    runbook: Link | None = None
    """Link to what to do when it fails."""


def tiers_of(services: Mapping[str, Service]) -> dict[str, int]:
    """Return the tier of each of *services*."""
    return {name: service.tier for name, service in services.items()}
