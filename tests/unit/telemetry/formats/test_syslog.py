"""Syslog messages: the grammar of RFC 5424, and what its examples do not show."""

import pytest

from schemas.contract import Unreadable
from schemas.topics import LOGS
from streams.telemetry.formats.syslog import Syslog
from streams.telemetry.payload import Payload
from streams.telemetry.reading import read_record
from tests.payloads import STAMPED


def read(text, settings=None, stamped=STAMPED):
    value = text if isinstance(text, bytes) else text.encode()
    (log,) = Syslog(**(settings or {})).read(Payload(LOGS, value, stamped=stamped))
    return log


@pytest.mark.parametrize("severity", range(8))
def test_the_severity_is_the_rest_of_pri(severity):
    assert (
        read(f"<{8 * 16 + severity}>1 - - - - - - x").severity_number
        == ((21, 19, 18, 17, 13, 10, 9, 5)[severity])
    )


def test_what_is_not_known_is_left_out():
    """Section 6.5, an example with all fields NIL; its time is the record's own."""
    log = read("<0>1 - - - - - -")
    assert (log.service, log.labels, log.body) == ("unknown", {}, "")
    assert log.attributes == {"syslog.facility": "0"}
    assert log.occurred_at.timestamp() * 1_000 == STAMPED
    with pytest.raises(Unreadable, match=r"^TIMESTAMP: is missing$"):
        read("<0>1 - - - - - -", stamped=None)


def test_escaped_characters_stand_for_themselves():
    log = read(r'<34>1 - h a - - [x@1 q="a \"b\" \\ \] c"][y z="1"] said [so]')
    assert log.attributes["x_1.q"] == r'a "b" \ ] c'
    assert log.attributes["y.z"] == "1"
    assert log.body == "said [so]"


def test_a_parameter_that_comes_several_times_keeps_all_its_values():
    """Section 7.2.1 has a host with two addresses."""
    log = read('<34>1 - h a - - [origin ip="192.0.2.1" ip="192.0.2.129"] x')
    assert log.attributes["origin.ip"] == "192.0.2.1,192.0.2.129"


def test_a_message_of_rfc_3164_is_told_what_to_be_without_any_mark():
    """Otherwise who sends it would only hear that it is not JSON."""
    with pytest.raises(Unreadable, match=r"^VERSION: is missing: RFC 3164 is not read"):
        read_record(LOGS, b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed")


def test_the_service_is_what_the_policy_says():
    text = '<34>1 - web-1 nginx 99 REQ [origin software="edge" x="1"] hello'
    assert read(text).service == "nginx"
    assert read(text.replace("nginx", "-")).service == "web-1"
    assert read(text, {"service": ["origin.software", "app_name"]}).service == "edge"
    assert read(text, {"service": ["msg_id"]}).service == "REQ"


def test_bytes_that_are_no_text_are_replaced():
    """MSG-ANY may be in any encoding (section 6.4)."""
    assert read(b"<34>1 - - a - - - caf\xe9\r\n").body == "caf\ufffd"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<192>1 - - - - - -", "PRI: must be a number from 0 to 191 in angle brackets"),
        ("<01>1 - - - - - -", "PRI: must be a number from 0 to 191 in angle brackets"),
        ("hunter2", "PRI: must be a number from 0 to 191 in angle brackets"),
        (
            "<34>Oct 11 22:14:15 mymachine su: BSD",
            "VERSION: is missing: RFC 3164 is not read, let the sender write RFC 5424",
        ),
        ("<34>2 - - - - - -", "VERSION: must be 1"),
        ("<34>1 soon - - - - -", "TIMESTAMP: is no RFC 3339 time"),
        ("<34>1 2003-10-11T22:14:15 - - - - -", "TIMESTAMP: has no time zone"),
        ("<34>1 -", "TIMESTAMP: must be 1 to 64 printable ASCII characters and a space"),
        (
            f"<34>1 - - {'a' * 49} - - -",
            "APP-NAME: must be 1 to 48 printable ASCII characters and a space",
        ),
        (
            "<34>1 - h\u00e9 a - - -",
            "HOSTNAME: must be 1 to 255 printable ASCII characters and a space",
        ),
        (
            "<34>1 - h a - - [x",
            'STRUCTURED-DATA: must be "-" or elements in square brackets, with quotes and brackets escaped',
        ),
        (
            '<34>1 - h a - - [x y="]"]',
            'STRUCTURED-DATA: must be "-" or elements in square brackets, with quotes and brackets escaped',
        ),
    ],
)
def test_what_is_no_syslog_is_refused_by_the_field(text, said):
    with pytest.raises(Unreadable) as refusal:
        read(text)
    assert str(refusal.value) == said


def test_a_message_made_to_take_long_does_not():
    """Otherwise a stranger could stop the worker with one line."""
    for hostile in ('[a b="' + '\\"' * 100_000, "[a" + ' b="c"' * 50_000, "[" * 100_000):
        with pytest.raises(Unreadable, match=r"^STRUCTURED-DATA"):
            read("<34>1 - h a - - " + hostile)
