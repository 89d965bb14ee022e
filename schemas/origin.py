"""Where in the log something came from."""

from schemas.contract import Count, Name, Part


class Origin(Part):
    """
    One record of the log.

    Every decision carries the origins it rests on: they answer "why was I paged" after the fact.
    """

    topic: Name
    """Topic name as on the broker, with the installation's prefix."""
    partition: Count
    """Partition number."""
    offset: Count
    """Offset in that partition."""
