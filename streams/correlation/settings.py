"""How alerts become incidents, as far as a policy may say."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract import LabelName, Name
from streams.durations import Duration
from streams.matchers import Matchers


class Inhibition(BaseModel):
    """One rule of ``inhibit``: while a source fires, its targets are muted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "the database is the cause",
                    "source": {"rule": "database-down"},
                    "target": ["rule=slow-responses"],
                    "equal": ["environment"],
                }
            ]
        },
    )

    name: Name
    """What the rule is called where it is given as a reason."""
    source: Annotated[Matchers, Field(min_length=1)]
    """The alerts that mute others while they fire."""
    target: Annotated[Matchers, Field(min_length=1)]
    """The alerts that are muted; one that is a source as well is not."""
    equal: tuple[LabelName, ...] = ("environment",)
    """What a source and its targets must have in common: labels, ``service``, ``environment``, ``rule``."""


class Flapping(BaseModel):
    """When an alert that comes and goes is one flapping alert."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    more_than: Annotated[int, Field(ge=2, le=50)] = 8
    """Beginnings and ends within the time above which it flaps."""
    within: Duration = timedelta(minutes=10)
    """That time; it has to be quiet for as long before it is believed again."""


class Sharing(BaseModel):
    """Attributes that tie alerts to one incident."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    labels: tuple[LabelName, ...] = (
        "trace_id",
        "deployment",
        "k8s.deployment.name",
        "host",
        "host.name",
    )
    """Labels whose value says that two alerts have one cause, the surest first; ``region`` only where a region fails as a whole."""
    within: Duration = timedelta(minutes=5)
    """How long after the last alert that has the value."""


class Demand(BaseModel):
    """One of ``demands``: how many alerts must fire before some of them open an incident."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"match": ["rule=slow-responses"], "demand": 3}]},
    )

    match: Annotated[Matchers, Field(min_length=1)]
    """The alerts it is about."""
    demand: Annotated[int, Field(ge=1, le=1_000)]
    """How many distinct alerts of one incident must fire at once before it opens."""


class CorrelationSettings(BaseModel):
    """The ``correlation:`` part of a policy."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"demand": 2}]},
    )

    demand: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How many distinct alerts of one incident must fire at once before it opens."""
    demands: tuple[Demand, ...] = ()
    """
    Other demands, for alerts for which their matchers hold; the first counts. Of several alerts, the one that demands least decides.
    """
    distance: Annotated[int, Field(ge=0, le=32)] = 8
    """Over how many dependencies a failure is followed; 0 where the service catalogue ties nothing."""
    shared: Sharing = Sharing()
    """What alerts of one incident have in common."""
    flapping: Flapping = Flapping()
    """When an alert flaps."""
    inhibit: tuple[Inhibition, ...] = ()
    """Which alerts are muted while their cause fires."""
    warn_before: Duration = timedelta(minutes=15)
    """How long before a silence ends it is said that alerts still match it."""
