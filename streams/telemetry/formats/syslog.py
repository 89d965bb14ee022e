"""
Syslog messages as RFC 5424 defines them, one for each record.

Severities become OpenTelemetry severity numbers, and fields the attributes that OpenTelemetry's Logs Data Model, appendix A,
gives them.
"""

import re
from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import LogV1, Signal
from schemas.topics import LOGS, TopicDeclaration
from streams.telemetry.documents import made
from streams.telemetry.external import first_of
from streams.telemetry.format import Names, Translated
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload
from streams.telemetry.severities import SYSLOG

_START: Final = re.compile(rb"<\d{1,3}>")
#: Section 6.2, in its order: names and their longest values.
_FIELDS: Final = (
    ("TIMESTAMP", 64),
    ("HOSTNAME", 255),
    ("APP-NAME", 48),
    ("PROCID", 128),
    ("MSGID", 32),
)
_NIL: Final = "-"
_PRI: Final = re.compile(r"<(0|[1-9]\d{0,2})>")
_HIGHEST_PRI: Final = 191
_ELEMENT: Final = re.compile(
    r'\[([^\s="\]]{1,32})((?: [^\s="\]]{1,32}="(?:[^"\\\]]|\\.)*")*)\]', re.DOTALL
)
_PARAMETER: Final = re.compile(r' ([^\s="\]]+)="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
_BOM: Final = "\ufeff"


class Syslog(Translated):
    """Reads one message; its application is the service, its host a label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"topics": ["telemetry.logs"], "service": ["origin.software", "app_name"]}]
        }
    )

    becomes: ClassVar[TopicDeclaration | None] = LOGS

    kind: Literal["syslog"] = "syslog"
    service: Names = ("app_name", "hostname")
    """What names the service, the first that is there: ``app_name``, ``hostname``, ``proc_id``, ``msg_id`` or a parameter of structured data, such as ``origin.software``."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* begins as a syslog message does, also as one of RFC 3164, which is told what to be instead."""
        return payload.value is not None and _START.match(payload.value) is not None

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the log record of *payload*.

        Raises:
            Unreadable: It is no message of RFC 5424; the text names the field.
        """
        # A message may be in any encoding where it does not begin with a byte order mark (section 6.4).
        text = payload.body.decode(errors="replace").rstrip("\r\n\0")
        pri = _PRI.match(text)
        if pri is None or int(pri[1]) > _HIGHEST_PRI:
            raise Unreadable("PRI: must be a number from 0 to 191 in angle brackets")
        version, _, rest = text[pri.end() :].partition(" ")
        if not version.isdecimal():
            raise Unreadable(
                "VERSION: is missing: RFC 3164 is not read, let the sender write RFC 5424"
            )
        if version != "1":
            raise Unreadable("VERSION: must be 1")
        fields = {}
        for name, longest in _FIELDS:
            value, space, rest = rest.partition(" ")
            if not value or not space or len(value) > longest or not value.isascii():
                raise Unreadable(
                    f"{name}: must be 1 to {longest} printable ASCII characters and a space"
                )
            fields[name] = "" if value == _NIL else value
        parameters, message = _structured(rest)
        stamp = fields["TIMESTAMP"]
        at = from_text(stamp, "TIMESTAMP") if stamp else None
        named = {
            "hostname": fields["HOSTNAME"],
            "app_name": fields["APP-NAME"],
            "proc_id": fields["PROCID"],
            "msg_id": fields["MSGID"],
        }
        service, environment, _ = self.placed(named | parameters)
        number = int(pri[1])
        facility, severity = divmod(number, len(SYSLOG))
        attributes = (
            ("syslog.facility", str(facility)),
            ("syslog.procid", fields["PROCID"]),
            ("syslog.msgid", fields["MSGID"]),
        )
        return (
            made(
                LogV1,
                "message",
                occurred_at=first_of(at, payload.arrived, place="TIMESTAMP"),
                tenant=self.tenant,
                service=service,
                environment=environment,
                labels=fitting([("host.name", fields["HOSTNAME"])] if fields["HOSTNAME"] else []),
                severity_number=SYSLOG[severity],
                body=message.removeprefix(_BOM)[: limits.TEXT_LENGTH],
                attributes=fitting((pair for pair in attributes if pair[1]), parameters.items()),
            ),
        )


def _structured(text: str) -> tuple[dict[str, str], str]:
    """Return the parameters of the structured data that *text* begins with, and the message after it."""
    if text == _NIL or text.startswith("- "):
        return {}, text[2:]
    end = 0
    elements = []
    while found := _ELEMENT.match(text, end):
        elements.append(found)
        end = found.end()
    if not elements or text[end : end + 1] not in {"", " "}:
        message = 'STRUCTURED-DATA: must be "-" or elements in square brackets, with quotes and brackets escaped'
        raise Unreadable(message)
    parameters: dict[str, str] = {}
    for element in elements:
        for parameter in _PARAMETER.finditer(element[2]):
            name, value = f"{element[1]}.{parameter[1]}", _ESCAPED.sub(r"\1", parameter[2])
            # One name can come several times in an element: the addresses of a host, for one (section 7.2.1).
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters, text[end + 1 :]
