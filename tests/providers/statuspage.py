"""Statuspage's REST API for incidents, as its API documentation describes it."""

import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

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
                "metadata": {"type": "object", "additionalProperties": {"type": "object"}},
            },
        )
    }
)


class Page:
    """A page with its incidents, the newest first; *known* are there already."""

    def __init__(self, *known: str) -> None:
        self.incidents: list[dict[str, Any]] = [{"id": each, "updates": []} for each in known]

    def answer(self, posted: Posted) -> Answer:
        if posted.headers.get("Authorization") != "OAuth an-api-key":
            return said(401, error="Could not authenticate")
        named = re.fullmatch(f"{PAGE}(?:/([a-z0-9]{{12}}))?", posted.path)
        found = [each for each in self.incidents if named and each["id"] == named[1]]
        if named is None or (named[1] and not found):
            return said(404, error="Not found")
        if posted.method == "GET":
            return said(200, **found[0]) if found else self._listed(dict(parse_qsl(posted.query)))
        if posted.method != ("PATCH" if found else "POST"):
            return said(405, error="Method not allowed")
        if wrong := fault(BODY, posted):
            return said(422, error=[wrong])
        return self._changed(posted.json()["incident"], found)

    def _listed(self, asked: dict[str, str]) -> Answer:
        if asked.keys() - {"q", "limit", "page"} or not 1 <= int(asked.get("limit", "100")) <= 100:
            return said(400, error="limit is not valid")
        listed = self.incidents[: int(asked.get("limit", "100"))]
        return Answer(200, orjson.dumps(listed), {"Content-Type": "application/json"})

    def _changed(self, told: dict[str, Any], found: list[dict[str, Any]]) -> Answer:
        if not found:
            made = f"{INCIDENT[:-3]}{len(self.incidents):03}" if self.incidents else INCIDENT
            self.incidents.insert(0, {"id": made, "updates": []})
        incident = found[0] if found else self.incidents[0]
        incident["updates"].append(told["body"])
        incident.update({name: told[name] for name in ("name", "status", "metadata")})
        return said(200 if found else 201, **incident)


def answer(posted: Posted) -> Answer:
    return Page(INCIDENT).answer(posted)
