"""The OpenAPI document: all that is answered is in it, described, and what is answered is as it says."""

import httpx
import jsonschema
import pytest
from fastapi import APIRouter, Depends, HTTPException

from streams.board.application import application
from streams.board.part import Part
from streams.board.status import Pages, status_pages
from streams.policy import Policy
from streams.status_page.api import ANSWERS
from tests import told
from tests.unit.board.test_callbacks import CHANNELS, Broker
from tests.unit.board.test_status import Clock, Governing, Known
from tests.unit.status_page.test_showing import SETTINGS, incident, said, window

POLICY = Policy(status_page=SETTINGS, status_pages={"acme": {"name": "Acme", "tenant": "acme"}})


def board() -> httpx.AsyncClient:
    known, clock = Known(), Clock()
    full = told.public(said(3, "monitoring", impact="minor"), said(0, impact="critical"))
    state = [incident(public=full), incident(2, public=told.public(said(3, "resolved"), said(0)))]
    known.incidents += state
    looked = known.state
    known.state = lambda: type(looked())(state, [window()], {})  # type: ignore[method-assign]
    pages = status_pages(Pages(Governing(POLICY), known, clock))
    app = application(CHANNELS, Broker(), clock, pages)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board")


async def test_all_that_is_answered_is_described() -> None:
    """Otherwise nobody could see what may be asked."""
    document = (await board().get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    page = {"", "/history", "/history.rss", "/history.atom"}
    api = {f"/api/v2/{name}" for name in ANSWERS}
    assert set(document["paths"]) == {
        "/callbacks/{channel}",
        *(f"/status{path}" for path in page),
        *api,
        *(f"/status/{{tenant}}{path}" for path in page | api),
    }
    tags = {each["name"] for each in document["tags"]}
    names = []
    for path, item in document["paths"].items():
        for operation in item.values():
            names.append(operation["operationId"])
            assert operation["summary"], path
            assert set(operation["tags"]) <= tags, path
            assert operation["responses"].keys() >= {"200"}, path
            for each in operation["responses"].values():
                assert each["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter["required"], path
                assert parameter.get("description") or parameter["name"] == "channel", path
    assert len(set(names)) == len(names)
    refusals = document["paths"]["/callbacks/{channel}"]["post"]["responses"]
    assert refusals.keys() >= {"401", "408", "413", "429", "503"}
    for name, schema in document["components"]["schemas"].items():
        if name in {"HTTPValidationError", "ValidationError"}:
            continue
        assert schema["description"], name
        for field in schema.get("properties", {}).values():
            assert field.get("description") or "$ref" in field, name


@pytest.mark.parametrize("base", ["", "/status/acme"])
async def test_what_is_answered_is_what_is_described(base: str) -> None:
    """Otherwise a client that is made of the document could not read the answers."""
    client = board()
    document = (await client.get("/openapi.json")).json()
    for name in ANSWERS:
        path = f"{'/status/{tenant}' if base else ''}/api/v2/{name}"
        answers = document["paths"][path]["get"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]
        answer = await client.get(f"{base}/api/v2/{name}")
        jsonschema.validate(
            answer.json(),
            {**schema, "components": document["components"]},
            format_checker=jsonschema.FormatChecker(),
        )
    missing = await client.get("/status/nobody")
    refusal = document["paths"]["/status"]["get"]["responses"]["404"]["content"]
    jsonschema.validate(
        missing.json(),
        {**refusal["application/json"]["schema"], "components": document["components"]},
    )


async def test_another_part_is_one_more_argument() -> None:
    """Otherwise intake, commands and live pages would each change what is there."""
    router = APIRouter(prefix="/intake", tags=["intake"])

    @router.post("/{topic}", summary="Take telemetry in")
    async def take(topic: str) -> str:
        return topic

    async def closed() -> None:
        raise HTTPException(401)

    part = Part("intake", "Telemetry.", router, [Depends(closed)], {401: {"description": "No."}})
    app = application(CHANNELS, Broker(), Clock(), part)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
        answer = await client.post("/intake/logs")
        assert answer.status_code == 401
        assert answer.headers["x-content-type-options"] == "nosniff"
        document = (await client.get("/openapi.json")).json()
    assert {"name": "intake", "description": "Telemetry."} in document["tags"]
    described = document["paths"]["/intake/{topic}"]["post"]
    assert (described["tags"], described["responses"]["401"]["description"]) == (["intake"], "No.")


async def test_nothing_internal_is_in_it() -> None:
    """Otherwise a public document would name our channels, and what only operators ask."""
    text = (await board().get("/openapi.json")).text
    for internal in ("metrics", "readyz", *CHANNELS):
        assert f'"{internal}' not in text
        assert f"/{internal}" not in text
