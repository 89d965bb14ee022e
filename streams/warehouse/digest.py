"""A report as a mail: its tables as text, its page with charts attached, since mail programs show no drawings."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from streams.warehouse.report import Report


def digest(  # noqa: PLR0913 - a mail is made of these
    asked: Report, text: str, html: str, *, sender: str, to: Sequence[str], at: datetime
) -> EmailMessage:
    """
    Return the mail.

    Its id is a function of the report, its time and its receivers: mail programs show one that was sent twice once.

    Args:
        asked: The report.
        text: What a terminal shows of it.
        html: Its page.
        sender: From whom.
        to: To whom.
        at: When it is sent.
    """
    since, until = asked.window
    what = asked.model_dump_json(exclude={"since", "until"})
    told = f"{asked.name} {since.date()} {until.date()} {what} {' '.join(to)}"
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"{asked.title}: {since:%Y-%m-%d} to {until:%Y-%m-%d}"
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = at
    mail["Message-ID"] = (
        f"<{hashlib.sha256(told.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    mail.add_attachment(
        html.encode(),
        maintype="text",
        subtype="html",
        filename=f"{asked.name}-{until:%Y-%m-%d}.html",
    )
    return mail
