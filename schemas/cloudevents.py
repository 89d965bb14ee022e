"""
CloudEvents headers, so that any CloudEvents consumer can read our topics.

Source: CloudEvents 1.0.2, Kafka Protocol Binding 1.0.2, section 3.2 "Binary Content Mode".
"""

from schemas.contract import Contract

CONTENT_TYPE = "content-type"


def headers(message: Contract, *, source: str) -> list[tuple[str, bytes]]:
    """
    Return the headers of *message*, sent by the part of the installation that *source* names.

    A message without an id of its own gets its event time: CloudEvents demands an id.
    """
    at = message.occurred_at.isoformat()
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", (message.event_id or at).encode()),
        ("ce_type", message.event_type.encode()),
        ("ce_source", f"/tocsin/{source}".encode()),
        ("ce_time", at.encode()),
        (CONTENT_TYPE, b"application/json"),
    ]
