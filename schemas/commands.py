"""Commands: what people ask of incidents. One class for each action, told apart by ``action``."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from schemas import limits
from schemas.contract import (
    Contract,
    Identifier,
    Labels,
    Line,
    Moment,
    Name,
    Part,
    Severity,
    Text,
    read,
)
from schemas.lifecycle import IncidentId, Status
from schemas.public import Components, PublicImpact, PublicLine, PublicStatus, PublicText


class CommandSource(StrEnum):
    """Through what a command came."""

    CLI = "cli"
    BOARD = "board"
    CHAT = "chat"
    API = "api"


class Command(Contract):
    """What all commands have. ``occurred_at`` is when the person gave it."""

    event_type: ClassVar[str] = "tocsin.incident.command.v1"

    command_id: Identifier
    """Chosen by the sender, unique: the same id twice is one command."""
    tenant: Name = "default"
    """The tenant of the incident."""
    author: Name
    """Who gives it."""
    source: CommandSource = CommandSource.API
    """Through what it came."""

    @property
    def event_id(self) -> str:
        return self.command_id


class IncidentCommand(Command):
    """A command about an incident that exists."""

    incident_id: IncidentId
    """The incident it is about."""


class Acknowledge(IncidentCommand):
    """Somebody takes the incident."""

    action: Literal["acknowledge"] = "acknowledge"


class Unacknowledge(IncidentCommand):
    """Whoever took the incident gives it back."""

    action: Literal["unacknowledge"] = "unacknowledge"
    reason: Line = ""
    """Why."""


class Assign(IncidentCommand):
    """The incident gets a person who works on it."""

    action: Literal["assign"] = "assign"
    assignee: Name
    """Who works on it."""
    role: Literal["commander", "responder"] = "commander"
    """What for."""


class Note(IncidentCommand):
    """Something worth keeping in the timeline."""

    action: Literal["note"] = "note"
    text: Annotated[Text, Field(min_length=1)]
    """The note."""


class SetStatus(IncidentCommand):
    """The incident moves to another status."""

    action: Literal["status"] = "status"
    status: Literal[Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING]
    """The status it gets."""
    text: Text = ""
    """What the update says."""


class SetSeverity(IncidentCommand):
    """The incident gets another severity; only this lowers it."""

    action: Literal["severity"] = "severity"
    severity: Severity
    """The severity it gets."""
    reason: Annotated[Line, Field(min_length=1)]
    """Why."""


class Mitigate(IncidentCommand):
    """Users no longer suffer, the cause may remain."""

    action: Literal["mitigate"] = "mitigate"
    text: Text = ""
    """What was done."""


class Resolve(IncidentCommand):
    """It is over."""

    action: Literal["resolve"] = "resolve"
    root_cause: Text = ""
    """Why it happened."""
    resolution: Text = ""
    """What ended it."""


class Reopen(IncidentCommand):
    """It is not over after all."""

    action: Literal["reopen"] = "reopen"
    reason: Annotated[Line, Field(min_length=1)]
    """Why."""


class Close(IncidentCommand):
    """Nothing more will be done about it."""

    action: Literal["close"] = "close"


class Merge(IncidentCommand):
    """The incident is part of another one."""

    action: Literal["merge"] = "merge"
    into: IncidentId
    """The incident that takes it over."""


class Split(IncidentCommand):
    """Some alerts of the incident are another incident."""

    action: Literal["split"] = "split"
    fingerprints: Annotated[
        tuple[Identifier, ...], Field(min_length=1, max_length=limits.ALERTS_LISTED)
    ]
    """The alerts that leave."""


class Correct(IncidentCommand):
    """One of the incident's times was recorded wrongly."""

    action: Literal["correct"] = "correct"
    milestone: Literal["started", "detected", "acknowledged", "mitigated", "resolved"]
    """Which time."""
    moment: Moment
    """What it was in truth."""
    reason: Annotated[Line, Field(min_length=1)]
    """How that is known."""


class Publish(IncidentCommand):
    """People outside are told something; what is left out stays as it was."""

    action: Literal["publish"] = "publish"
    title: PublicLine | None = None
    """What the incident is called outside; the first time it must be said."""
    status: PublicStatus | None = None
    """Where it stands; ``investigating`` the first time."""
    impact: PublicImpact | None = None
    """How much of it people notice; by the severity the first time."""
    components: Components | None = None
    """What they notice it in; the components of the affected services the first time."""
    impact_text: Line | None = None
    """Who notices what, in words for people outside."""
    expected_at: Moment | None = None
    """When it is expected to be over."""
    message: PublicText
    """What they are told."""


class CheckOff(IncidentCommand):
    """An item of the checklist is done, or not done after all."""

    action: Literal["checklist"] = "checklist"
    item: Name
    """The item's name."""
    done: bool = True
    """Whether it is done."""


class RunbookOutcome(IncidentCommand):
    """A runbook's step ended."""

    action: Literal["runbook"] = "runbook"
    runbook: Name
    """The runbook's name in the policy."""
    step: Name
    """The step's name."""
    succeeded: bool
    """Whether it did what it should."""
    output: Text = ""
    """What it printed."""


class Postmortem(IncidentCommand):
    """The post-mortem document changed."""

    action: Literal["postmortem"] = "postmortem"
    text: Annotated[Text, Field(min_length=1)]
    """The document, in Markdown."""


class ActionItem(IncidentCommand):
    """Something to do so that it does not happen again."""

    action: Literal["action_item"] = "action_item"
    item_id: Identifier
    """Identity of the item; a repeat changes it."""
    text: Annotated[Line, Field(min_length=1)]
    """What to do."""
    owner: Name
    """Who does it."""
    due_at: Moment | None = None
    """Until when."""
    status: Literal["open", "done", "dropped"] = "open"
    """How far it is."""


class Report(Part):
    """A person's report of an incident, part by part."""

    summary: Annotated[Line, Field(min_length=1)]
    """Brief description of the incident and its impact."""
    symptoms: Text = ""
    """Symptoms observed: messages, behaviours, complaints."""
    impact: Text = ""
    """Impact assessment: users, business functions, money."""
    actions_taken: Text = ""
    """Initial actions taken."""
    next_steps: Text = ""
    """Next steps: plan, people, timeline."""


class Declare(Command):
    """A person reports an incident; ``author`` is the reporter."""

    action: Literal["declare"] = "declare"
    severity: Severity
    """How bad it is."""
    service: Name
    """The service it is about."""
    environment: Name = "production"
    """Deployment environment."""
    labels: Labels = {}
    """What else is known."""
    report: Report
    """The report."""
    drill: bool = False
    """Whether it is an exercise: it is told as one, and counts in no report."""


AnyCommand = Annotated[
    Acknowledge
    | Unacknowledge
    | Assign
    | Note
    | SetStatus
    | SetSeverity
    | Mitigate
    | Resolve
    | Reopen
    | Close
    | Merge
    | Split
    | Correct
    | Publish
    | CheckOff
    | RunbookOutcome
    | Postmortem
    | ActionItem
    | Declare,
    Field(discriminator="action"),
]


class CommandV1(RootModel[AnyCommand]):
    """Any command, as the topic carries it."""

    event_type: ClassVar[str] = Command.event_type

    @classmethod
    def from_wire(cls, payload: bytes | None) -> AnyCommand:
        """
        Read a command as the class of its action.

        Raises:
            Unreadable: As ``Contract.from_wire`` says.
        """
        return read(cls, payload).root
