"""A person's report of an incident as text, in the order of the report template."""

from schemas.commands import Report

_HEADINGS = (
    ("Summary", "summary"),
    ("Symptoms Observed", "symptoms"),
    ("Impact Assessment", "impact"),
    ("Initial Actions Taken", "actions_taken"),
    ("Next Steps", "next_steps"),
)


def told(report: Report) -> str:
    """Return *report* in Markdown; parts that say nothing are left out."""
    parts = [
        f"## {heading}\n\n{getattr(report, field)}"
        for heading, field in _HEADINGS
        if getattr(report, field)
    ]
    return "\n\n".join(parts)[:16_000]
