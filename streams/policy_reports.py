"""The part of a policy about reports: which are mailed by themselves, and by which channels."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from streams.notifications.channel import Channel
from streams.notifications.channels.email import Email
from streams.policy_faults import faults, meant
from streams.policy_files import Document, Place, Problem
from streams.warehouse.digests import Digest, ReportSettings

PART: Final = "reports"


class ReportsPart:
    """The part while the files of a policy are read."""

    def __init__(self) -> None:
        self.settings = ReportSettings()
        self._document: Document | None = None
        self._mailing: list[tuple[Document, Place, str]] = []

    def take(self, document: Document, value: Any) -> Iterator[Problem]:
        """Take in the part of a file, and yield what is wrong with it."""
        if self._document is not None:
            yield document.problem((PART,), f"is defined before, in {self._document.name}")
            return
        self._document = document
        digests = value.get("digests") if isinstance(value, dict) else None
        if isinstance(digests, dict):
            # One by one, so that a setting that is unknown is compared with those of a digest.
            found = {}
            for name, each in digests.items():
                place = (PART, "digests", name)
                try:
                    found[name] = Digest.model_validate(each)
                except ValidationError as error:
                    yield from faults(document, place, Digest, error)
                else:
                    self._mailing.append((document, (*place, "to"), found[name].to))
            value = {**value, "digests": found}
        try:
            self.settings = ReportSettings.model_validate(value)
        except ValidationError as error:
            yield from faults(document, (PART,), ReportSettings, error)

    def check(self, channels: Mapping[str, Channel | None]) -> Iterator[Problem]:
        """Yield where reports are mailed by what sends no mail."""
        mailing = {name for name, channel in channels.items() if isinstance(channel, Email)}
        for document, place, name in self._mailing:
            # One that stands there and cannot be used is told of where it stands.
            unusable = name in channels and channels[name] is None
            if name not in mailing and not unusable:
                text = f"{name!r} is no channel of kind email; {meant(name, mailing)}"
                yield document.problem(place, text, names="channels")

    def told(self) -> list[str]:
        """Return the channels that it names."""
        return [name for _, _, name in self._mailing]
