"""Reports as a mail: their tables as text, their pages with charts attached, since mail programs show no drawings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from streams.warehouse.page import page
from streams.warehouse.report import Account, Report
from streams.warehouse.terminal import as_text


@dataclass(frozen=True)
class Told:
    """A report and what it told."""

    asked: Report
    account: Account


def subject_of(told: Told) -> str:
    """Return the subject of a mail with one report."""
    since, until = told.asked.window
    return f"{told.asked.title}: {since:%Y-%m-%d} to {until:%Y-%m-%d}"


def key_of(told: Told) -> str:
    """Return what tells a mail with one report from any other: the report, its settings and its days."""
    asked = told.asked
    since, until = asked.window
    what = asked.model_dump_json(exclude={"since", "until"})
    return f"{asked.name} {since.date()} {until.date()} {what}"


def mail_of(  # noqa: PLR0913 - a mail is made of these
    parts: Sequence[Told], *, subject: str, key: str, sender: str, to: Sequence[str], at: datetime
) -> EmailMessage:
    """
    Return the mail.

    Its id is a function of *key* and its receivers: mail programs show one that was sent twice once.

    Args:
        parts: What it tells.
        subject: What stands above it.
        key: What tells it from other mails.
        sender: From whom.
        to: To whom.
        at: When it is sent.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = at
    told = f"{key} {' '.join(to)}"
    mail["Message-ID"] = (
        f"<{hashlib.sha256(told.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(as_text(part.asked, part.account) for part in parts))
    for part in parts:
        _, until = part.asked.window
        mail.add_attachment(
            page(part.asked, part.account, at).encode(),
            maintype="text",
            subtype="html",
            filename=f"{part.asked.name}-{until:%Y-%m-%d}.html",
        )
    return mail
