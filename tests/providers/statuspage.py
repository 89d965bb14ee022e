"""Statuspage's REST API for incidents, as its API documentation describes it."""

import re

from streams.laptop.receivers import Answer, Posted
from tests.providers.checking import closed, fault, said, text

PAGE = "/v1/pages/kctbh9vrtdwd/incidents"
INCIDENT = "p31zjtct2jer"
STATUS = {
    "enum": [
        *("operational", "under_maintenance", "degraded_performance"),
        *("partial_outage", "major_outage"),
    ]
}
BODY = closed(
    {
        "incident": closed(
            {"name": text(255)},
            {
                "status": {"enum": ["investigating", "identified", "monitoring", "resolved"]},
                "impact_override": {"enum": ["none", "minor", "major", "critical"]},
                "body": text(25_000),
                "components": {
                    "type": "object",
                    "propertyNames": {"pattern": "^[a-z0-9]{12}$"},
                    "additionalProperties": STATUS,
                },
                "component_ids": {"type": "array", "items": {"pattern": "^[a-z0-9]{12}$"}},
                "deliver_notifications": {"type": "boolean"},
            },
        )
    }
)


def answer(posted: Posted) -> Answer:
    if posted.headers.get("Authorization") != "OAuth an-api-key":
        return said(401, error="Could not authenticate")
    known = re.fullmatch(f"{PAGE}(/{INCIDENT})?", posted.path)
    if known is None:
        return said(404, error="Not found")
    if wrong := fault(BODY, posted):
        return said(422, error=[wrong])
    created = known.group(1) is None
    return said(201 if created else 200, id=INCIDENT, status="investigating")
