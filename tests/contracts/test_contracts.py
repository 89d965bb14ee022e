"""Every contract keeps its promises: yesterday's messages are read, and what is published is what holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import cloudevents
from schemas.commands import AnyCommand
from schemas.topics import DECLARED, TopicDeclaration
from streams.agents.dead_letters import dead_letter
from streams.publishing.documents import (
    ASYNCAPI,
    EXAMPLES,
    PUBLISHED,
    check_compatible,
    documents,
    published,
)

EXAMPLE_FILES = sorted(EXAMPLES.glob("*/*"))
CONTRACTS = {topic.contract.event_type: topic for topic in DECLARED}


def topic_of(file: Path) -> TopicDeclaration:
    return CONTRACTS[file.parent.name]


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    return dict(json.loads(published(PUBLISHED)[ASYNCAPI]))


@pytest.mark.parametrize("topic", DECLARED, ids=lambda topic: topic.name)
def test_every_contract_has_examples(topic: TopicDeclaration) -> None:
    """Nothing would prove that yesterday's messages still parse."""
    assert len(list((EXAMPLES / topic.contract.event_type).glob("*.json"))) >= 2


def test_every_example_belongs_to_a_contract() -> None:
    """A message that nobody reads proves nothing."""
    assert {folder.name for folder in EXAMPLES.iterdir()} == set(CONTRACTS)
    assert {file.suffix for file in EXAMPLE_FILES} == {".json"}


def test_every_command_has_an_example() -> None:
    """Somebody who sends commands would have to guess how this one looks."""
    union = AnyCommand.__args__[0]
    known = {command.model_fields["action"].default for command in union.__args__}
    folder = EXAMPLES / "tocsin.incident.command.v1"
    assert {json.loads(file.read_text())["action"] for file in folder.glob("*.json")} == known


@pytest.mark.parametrize("file", EXAMPLE_FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_example_is_read_written_and_valid(file: Path) -> None:
    """A message on file could not be read any more, or not by what the published schema says."""
    topic, payload = topic_of(file), file.read_bytes()
    message = topic.contract.from_wire(payload)
    written = json.loads(message.to_wire())

    # What was left out has its default now, and nothing else changed.
    assert topic.contract.from_wire(message.to_wire()) == message
    assert holds(written, json.loads(payload))
    name = f"{topic.contract.event_type}.schema.json"
    schema = json.loads((PUBLISHED / name).read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    validator.validate(json.loads(payload))
    validator.validate(written)


def holds(written: Any, given: Any) -> bool:
    """Whether *written* says all that *given* does, wherever in it that stands."""
    if isinstance(given, dict):
        return all(name in written and holds(written[name], each) for name, each in given.items())
    if isinstance(given, list):
        return len(written) == len(given) and all(map(holds, written, given))
    return bool(written == given)


@pytest.mark.parametrize("file", EXAMPLE_FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_message_has_cloudevents_headers(file: Path) -> None:
    """CloudEvents consumers would refuse our topics."""
    message = topic_of(file).contract.from_wire(file.read_bytes())
    given = dict(cloudevents.headers(message, source="test"))
    assert given["ce_specversion"] == b"1.0"
    assert given["ce_type"].decode() == file.parent.name
    assert given["ce_source"] == b"/tocsin/test"
    assert given["ce_time"].decode() == message.occurred_at.isoformat()
    assert given["ce_id"]
    assert given["content-type"] == b"application/json"


def test_what_is_published_is_what_holds() -> None:
    """Producers and consumers would build on something else than the code; `tocsin schemas` writes it anew."""
    assert published(PUBLISHED) == documents()


def test_no_contract_breaks_what_is_published() -> None:
    """Nobody would be told before their messages end as dead letters."""
    check_compatible(published(PUBLISHED), documents())


def test_the_asyncapi_document_has_every_topic(asyncapi: dict[str, Any]) -> None:
    """A consumer would not find a topic."""
    assert asyncapi["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= asyncapi["info"].keys()
    channels = asyncapi["channels"]
    assert set(channels) == {
        name
        for topic in DECLARED
        for name in [topic.name, *([topic.dead] if topic.dead_letters else [])]
    }
    for name, channel in channels.items():
        assert channel["address"] == name
    used = {operation["channel"]["$ref"] for operation in asyncapi["operations"].values()}
    assert used == {f"#/channels/{name}" for name in channels}
    assert {each["action"] for each in asyncapi["operations"].values()} == {"send", "receive"}


def test_every_reference_in_the_asyncapi_document_leads_somewhere(asyncapi: dict[str, Any]) -> None:
    """Generators would stop."""
    found = list(references(asyncapi))
    assert len(found) > len(DECLARED)
    for reference in found:
        file, _, place = reference.partition("#/")
        if file:
            assert (PUBLISHED / file).exists(), reference
            continue
        holder: Any = asyncapi
        for step in place.split("/"):
            assert step in holder, reference
            holder = holder[step]


def references(value: Any) -> Any:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            elif name != "examples":
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_headers_of_dead_letters_are_described(asyncapi: dict[str, Any]) -> None:
    """An operator who replays them would not know what they say."""

    class Record:
        topic, partition, offset, key, value, headers = "alerts", 0, 7, b"k", b"{", ()

    letter = dead_letter(CONTRACTS["tocsin.alert.v1"], Record, hop="incidents", reason="not JSON")
    described = asyncapi["components"]["schemas"]["deadLetterHeaders"]
    assert {name for name, _ in letter.headers} == set(described["required"])
