"""Where in the log something came from."""

from pydantic import NonNegativeInt

from schemas.contract import Name, Part


class Origin(Part):
    """
    One record of the log.

    Every decision carries the origins it rests on: they answer "why was I paged" after the fact.
    """

    topic: Name
    """Topic name as on the broker, with the installation's prefix."""
    partition: NonNegativeInt
    """Partition number."""
    offset: NonNegativeInt
    """Offset in that partition."""
