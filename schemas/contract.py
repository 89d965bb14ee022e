"""
The base of every message, and the one way to write and read it.

A message is JSON in UTF-8. Times are RFC 3339 with an offset, durations are seconds as a number.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from schemas import limits

#: What is said of JSON that is not whole.
CUT_OFF = "is not JSON: it ends too soon"
#: More faults than this say nothing that the first ones do not.
_FAULTS_SAID = 8

ModelT = TypeVar("ModelT", bound=BaseModel)


class Unreadable(ValueError):
    """
    A payload is not the message that its topic carries.

    The text says which fields are wrong and how. It never quotes the payload: it ends in headers and logs,
    where a secret or a hostile text would otherwise follow.
    """


def _printable(text: str) -> str:
    if not text.isprintable():
        message = "must have no control characters"
        raise ValueError(message)
    return text


def _plausible(at: datetime) -> datetime:
    if not limits.EARLIEST <= at < limits.LATEST:
        message = f"must be between {limits.EARLIEST.year} and {limits.LATEST.year}"
        raise ValueError(message)
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.NAME_LENGTH, strip_whitespace=True),
    AfterValidator(_printable),
]
Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.ID_LENGTH),
    AfterValidator(_printable),
]
Line = Annotated[str, StringConstraints(max_length=limits.LINE_LENGTH)]
Text = Annotated[str, StringConstraints(max_length=limits.TEXT_LENGTH)]
LABEL_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_./-]*$"
LabelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.LABEL_NAME_LENGTH, pattern=LABEL_NAME),
]
LabelValue = Annotated[str, StringConstraints(max_length=limits.LABEL_VALUE_LENGTH)]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=limits.LABEL_COUNT)]
Severity = Annotated[int, Field(ge=1, le=4)]
_LONGEST = timedelta(days=36_525)
Seconds = Annotated[
    timedelta,
    Field(ge=timedelta(0), le=_LONGEST),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _LONGEST.total_seconds()}),
]
# Within what every JSON reader keeps exactly (RFC 8259, section 6).
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Ordinal = Annotated[int, Field(ge=1, le=2**53 - 1)]


class Part(BaseModel):
    """
    A piece of a message.

    Unknown fields are ignored, so a consumer one release behind keeps reading. Instances are frozen: a hop
    answers with a new message, it edits none.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_timedelta="float", use_attribute_docstrings=True
    )


class Contract(Part):
    """A message between two hops."""

    #: The CloudEvents ``type`` of this message: its meaning and its version.
    event_type: ClassVar[str]
    #: Bytes above which a payload is not read.
    bytes_read: ClassVar[int] = limits.MESSAGE_BYTES

    occurred_at: Moment
    """When it happened, by the clock of whoever saw it (event time)."""

    @property
    def event_id(self) -> str | None:
        """What makes two copies of this message the same message; None where the sender gave nothing."""
        return None

    def to_wire(self) -> bytes:
        """Return the message as JSON, without the fields that are None."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_wire(cls, payload: bytes | None) -> Self:
        """
        Read a message.

        Raises:
            Unreadable: The payload is missing, too large, not JSON or not this message.
        """
        return read(cls, payload, cls.bytes_read)


def read(model: type[ModelT], payload: bytes | None, at_most: int = limits.MESSAGE_BYTES) -> ModelT:
    """
    Read a payload as *model*.

    Raises:
        Unreadable: The payload is missing, too large, not JSON or not this message.
    """
    if not payload:
        message = "the value is empty: this topic carries no tombstones"
        raise Unreadable(message)
    if len(payload) > at_most:
        message = f"the value has {len(payload)} bytes: at most {at_most} are read"
        raise Unreadable(message)
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise Unreadable(faults(error, model)) from None


def faults(error: ValidationError, model: type[BaseModel]) -> str:
    """Say in one line what is wrong with a payload, naming fields and nothing that stood in them."""
    known = _field_names(model)
    said = []
    for fault in error.errors(include_input=False, include_url=False):
        # A mapping's key is the sender's text, so only declared names are repeated.
        place = ".".join(
            str(step) if isinstance(step, int) or step in known else "*" for step in fault["loc"]
        )
        said.append(f"{place or 'value'}: {_message(fault)}")
    return "; ".join(said[:_FAULTS_SAID]) + ("; and more" if len(said) > _FAULTS_SAID else "")


def _message(fault: Any) -> str:
    if fault["type"] == "json_invalid":
        # The parser's own message can repeat characters of the input.
        ended = fault["ctx"]["error"].startswith("EOF ")
        return CUT_OFF if ended else "is not JSON"
    if fault["type"] == "union_tag_invalid":
        # Pydantic's message repeats the tag that was sent.
        return f"must be one of {fault['ctx']['expected_tags']}"
    text = str(fault["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _field_names(model: type[BaseModel]) -> frozenset[str]:
    names: set[str] = set()
    waiting: list[Any] = [model]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= kind.model_fields.keys()
            waiting.extend(field.annotation for field in kind.model_fields.values())
        else:
            waiting.extend(getattr(kind, "__args__", ()))
    return frozenset(names)
