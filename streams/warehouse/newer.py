"""
Messages of a newer release, as history reads them.

A word that this release does not know yet (a kind of step, a purpose, an outcome) is kept as it is written: history loses
nothing while workers are brought up to date one after another.
"""

from typing import Final

from schemas.contract import Contract, Name
from schemas.lifecycle import StepV1
from schemas.notices import NoticeV1, ReceiptV1
from schemas.topics import LIFECYCLE, NOTICES, RECEIPTS


class AnyStep(StepV1):
    """A step of any kind."""

    kind: Name  # type: ignore[assignment]  # Wider than what this release writes.


class AnyNotice(NoticeV1):
    """A notice of any step, for any purpose."""

    step: Name  # type: ignore[assignment]  # As above.
    purpose: Name  # type: ignore[assignment]  # As above.


class AnyReceipt(ReceiptV1):
    """A receipt for any purpose, with any outcome."""

    purpose: Name  # type: ignore[assignment]  # As above.
    outcome: Name  # type: ignore[assignment]  # As above.


#: What is read of a topic, by its name, where it is not the topic's own contract.
READ_AS: Final[dict[str, type[Contract]]] = {
    LIFECYCLE.name: AnyStep,
    NOTICES.name: AnyNotice,
    RECEIPTS.name: AnyReceipt,
}
