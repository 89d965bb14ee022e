"""
A mail server, and the mail program behind it, as strict as the standards.

RFC 5322 (sections 2.1.1, 2.2, 3.6), RFC 2045 to 2047 (parts, encodings, encoded words), RFC 2046, section 5.1.4 (the plainest alternative first),
RFC 3834, section 5 (mail of programs), RFC 5321, section 4.5.3.1.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import MessageDefect
from email.message import EmailMessage
from email.policy import SMTP

ONCE = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References")
NEEDED = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version")
ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,255}>")
ENCODED_WORD = re.compile(r"=\?[^? ]+\?[BbQq]\?[^? ]*\?=")
ADDRESS = re.compile(r"[^@\s<>,]{1,64}@[A-Za-z0-9.-]{1,255}")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def fault(raw: bytes, *, undisclosed: bool = False) -> str | None:
    """What is wrong with a mail as it came over the wire, whose receivers nobody is to see where they are *undisclosed*; None where nothing is."""
    return next(_faults(raw, undisclosed=undisclosed), None)


def _faults(raw: bytes, *, undisclosed: bool) -> Iterator[str]:
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator or not body:
        yield "it has no body"
    if re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", raw):
        yield "a line does not end with CR LF, or a byte is 0"
    if max(len(line) for line in raw.split(b"\r\n")) > 998:
        yield "a line has more than 998 bytes"
    if not head.isascii():
        yield "a header has bytes beyond ASCII"
    yield from _head(head.decode("ascii"))
    try:
        mail = message_from_bytes(raw, policy=SMTP.clone(raise_on_defect=True))
        assert isinstance(mail, EmailMessage)
        yield from _senders(mail)
        yield from _receivers(mail, undisclosed=undisclosed)
        yield from _thread(mail)
        yield from _alternatives(mail)
    except (MessageDefect, LookupError, UnicodeDecodeError, ValueError) as error:
        yield f"it cannot be read: {type(error).__name__}"


def _head(head: str) -> Iterator[str]:
    names = []
    for line in head.split("\r\n"):
        name, colon, value = line.partition(":")
        folded = line[:1] in {" ", "\t"}
        if folded and not line.strip():
            yield "a header is folded with an empty line"
        if not folded:
            names.append(name)
            # One that begins on the next line is shown with a space before it.
            if not colon or not re.fullmatch(r"[!-9;-~]+", name) or not value.startswith(" "):
                yield f"no header: {line[:60]}"
    if any(len(word) > 75 for word in ENCODED_WORD.findall(head)):
        yield "an encoded word has more than 75 characters"
    yield from (f"{name} stands more than once" for name in ONCE if names.count(name) > 1)
    yield from (f"{name} is missing" for name in NEEDED if name not in names)


def _senders(mail: EmailMessage) -> Iterator[str]:
    date = mail["Date"].datetime
    if date is None or date.tzinfo is None:
        yield "Date is none"
    if not _addressed(mail, "From"):
        yield "From has no address"
    if mail["Auto-Submitted"] != "auto-generated":
        yield "it does not say that a program wrote it"


def _receivers(mail: EmailMessage, *, undisclosed: bool) -> Iterator[str]:
    if mail["Bcc"] is not None:
        yield "everybody sees who else gets it"
    if undisclosed:
        # RFC 5322, section 3.4: a group with nobody in it.
        if [(each.display_name, each.addresses) for each in mail["To"].groups] != [
            ("undisclosed-recipients", ())
        ]:
            yield "To is no empty group"
    elif not _addressed(mail, "To"):
        yield "To has no address"


def _addressed(mail: EmailMessage, name: str) -> bool:
    addresses = [each.addr_spec for each in mail[name].addresses]
    return bool(addresses) and all(map(ADDRESS.fullmatch, addresses))


def _thread(mail: EmailMessage) -> Iterator[str]:
    own = str(mail["Message-ID"])
    if not ID.fullmatch(own):
        yield "Message-ID is none"
    if (mail["In-Reply-To"] is None) is not (mail["References"] is None):
        yield "a reply has In-Reply-To and References, and nothing else has"
    if mail["References"] is not None:
        earlier = str(mail["References"]).split()
        if not all(map(ID.fullmatch, earlier)) or own in earlier:
            yield "References has what is no earlier message"
        if str(mail["In-Reply-To"]) != earlier[-1]:
            yield "In-Reply-To is not the last of References"


def _alternatives(mail: EmailMessage) -> Iterator[str]:
    if mail.get_content_type() != "multipart/alternative":
        yield "it has no alternatives"
    boundary = mail.get_boundary() or ""
    if not 1 <= len(boundary) <= 70:
        yield "its boundary has more than 70 characters, or none"
    parts = list(mail.iter_parts())
    if [part.get_content_type() for part in parts] != ["text/plain", "text/html"]:
        yield "its parts are not a text and a page, in this order"
    for part in parts:
        if (part.get_content_charset() or "").lower() not in {"utf-8", "us-ascii"}:
            yield "a part has another charset than UTF-8"
        if part["Content-Transfer-Encoding"] not in {"7bit", "8bit", "quoted-printable", "base64"}:
            yield "a part has no encoding of a mail"
        content = part.get_content()
        if not content.strip() or CONTROLS.search(content):
            yield "a part is empty, or has characters that command"
        if boundary in content:
            yield "a part knows the boundary"
