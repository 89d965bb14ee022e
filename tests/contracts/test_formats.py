"""What every format promises: each file of the folder, with its publisher's examples."""

import json
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import Signal
from schemas.topics import TELEMETRY
from streams.discovery import declared_in, example_of, kind_of
from streams.errors import Rejected
from streams.telemetry import formats
from streams.telemetry.format import Format
from streams.telemetry.payload import Payload
from streams.telemetry.reading import Formats, read_record, read_signals
from tests.payloads import STAMPED, Published, published
from tests.poison import HOSTILE, mutations, random_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "signals"
DECLARED = declared_in(formats)
EXAMPLES = published()
JSON_EXAMPLES = [each for each in EXAMPLES if each.is_json]
#: What no dead letter may repeat, put wherever an example has a text.
SECRET = "hunter2"


def named(example: Published) -> str:
    return f"{example.kind}-{example.name}"


def payload_of(example: Published) -> Payload:
    headers = {name.lower(): each for name, each in example.headers}
    return Payload(example.topic, example.value, headers, STAMPED)


def read(example: Published, value: bytes | None = None, given: Formats | None = None):
    value = example.value if value is None else value
    return read_signals(example.topic, value, example.headers, stamped=STAMPED, formats=given)


def refusal_of(example: Published, value: bytes) -> str | None:
    """Return why *value* is refused, or a part of it; None where it is read. Whatever else it raises fails the test."""
    try:
        read = read_record(example.topic, value, example.headers, stamped=STAMPED)
    except (Unreadable, Rejected) as refusal:
        return str(refusal)
    for signal in read.signals:
        assert type(signal).model_validate_json(signal.to_wire()) == signal
    assert all(place.isprintable() and "," not in place for place in read.unread)
    return read.wrong or None


@pytest.fixture(params=DECLARED, ids=kind_of)
def declared(request) -> type[Format]:
    return request.param


@pytest.fixture(params=EXAMPLES, ids=named)
def example(request) -> Published:
    return request.param


def test_the_example_is_named_after_its_file(declared):
    """Otherwise an operator does not find how a format is read."""
    assert kind_of(declared) == declared.__module__.rpartition(".")[2]


def test_settings_are_closed_and_frozen_and_say_what_they_are(declared):
    """Otherwise a typing error in a policy would be a format that is read another way."""
    made = declared(**example_of(declared))
    with pytest.raises(ValidationError, match="Extra inputs"):
        declared(**example_of(declared), no_such_setting=1)
    with pytest.raises(ValidationError, match="frozen"):
        made.topics = ()
    undocumented = [
        name
        for name, field in declared.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert undocumented == []


def test_every_format_has_examples_of_its_publisher(declared):
    """Otherwise nothing would prove that it reads what is really sent."""
    assert [each for each in EXAMPLES if each.kind == kind_of(declared)]


def test_it_recognises_its_own_examples_and_no_other_formats(declared):
    """Otherwise a record would be read by whichever format is asked first."""
    made = declared()
    if made.asked_last:
        return
    recognised = {named(each) for each in EXAMPLES if made.recognises(payload_of(each))}
    assert recognised == {named(each) for each in EXAMPLES if each.kind == kind_of(declared)}


def test_the_format_is_chosen_without_being_told(example):
    """Otherwise a producer would have to set a header that its software does not know."""
    chosen = Formats().chosen(payload_of(example))
    assert chosen.kind == example.kind


def test_examples_become_their_golden_signals(example):
    """A signal that changed would go unseen. Delete a golden file to have it written again."""
    signals = [json.loads(each.to_wire()) for each in read(example)]
    text = json.dumps(signals, indent=2, ensure_ascii=False) + "\n"
    golden = GOLDEN / example.kind / f"{example.name}.json"
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
        pytest.fail(f"{golden} was written: look at it and commit it")
    assert text == golden.read_text()


def test_its_signals_belong_where_it_says(example, declared):
    """Otherwise what is posted by the format's name would be read as if it stood in another topic."""
    if declared.becomes is not None and example.kind == kind_of(declared):
        assert all(isinstance(signal, declared.becomes.contract) for signal in read(example))


def test_signals_are_valid_and_the_same_each_time(example):
    """Otherwise a redelivery would be another event."""
    signals = read(example)
    assert signals == read(example)
    for signal in signals:
        assert isinstance(signal, Signal)
        assert type(signal).model_validate_json(signal.to_wire()) == signal


def test_divided_and_put_together_it_says_the_same(example):
    """Otherwise what is posted for several services would become something else on its way."""
    divided = Formats().chosen(payload_of(example)).divide(payload_of(example))
    if divided is None:
        return
    assert read(example, divided.joined(divided.elements)) == read(example)
    alone = [
        signal
        for element in divided.elements
        for signal in read(example, divided.joined([element]))
    ]
    assert alone == read(example)
    # They are called as what is wrong with them is.
    begins = read_record(example.topic, example.value, example.headers, stamped=STAMPED).begins
    names = tuple(element.place for element in divided.elements)
    assert all(place.startswith(names) for place, _ in begins)


def test_a_header_says_whose_it_is_whatever_it_says_itself(example):
    """Otherwise whoever has a token of one tenant could write for another."""
    headers = (*example.headers, ("tocsin_tenant", b"acme"))
    given = read_signals(example.topic, example.value, headers, stamped=STAMPED)
    assert given == [each.model_copy(update={"tenant": "acme"}) for each in read(example)]
    for wrong in (b"", b" x", b"a\n", b"x" * 129):
        with pytest.raises(Unreadable, match="tocsin_tenant: must be 1 to 128 printable"):
            read_record(example.topic, example.value, [*example.headers, ("tocsin_tenant", wrong)])


def test_a_header_chooses_whatever_the_record_looks_like(example):
    """Otherwise a producer could not say what it knows."""
    headers = (*example.headers, ("Tocsin_Format", example.kind.encode()))
    assert read_signals(example.topic, example.value, headers, stamped=STAMPED) == read(example)
    other = "telegraf" if example.kind != "telegraf" else "sentry"
    with pytest.raises(Unreadable):
        read_signals(
            example.topic, example.value, [("tocsin_format", other.encode())], stamped=STAMPED
        )


def test_a_topic_that_is_given_to_a_format_is_read_by_it(example):
    """Otherwise a format that looks like another could not be used at all."""
    kinds = {kind_of(each): each for each in DECLARED}
    given_topic = Formats([kinds[example.kind](topics=(example.topic.name,))])
    assert read(example, given=given_topic) == read(example)


def test_a_wrong_header_is_answered_in_the_words_of_its_format(example, declared):
    """A producer that says the wrong thing would not learn what is expected of it."""
    headers = [("tocsin_format", kind_of(declared).encode())]
    try:
        read_record(example.topic, example.value, headers, stamped=STAMPED)
    except (Unreadable, Rejected) as refusal:
        said = str(refusal)
        assert said.isprintable()
        assert ":" in said, "names no field"
        assert "no other format" not in said
        # Whole words of what was sent: names of fields are ours.
        texts = {each for each in texts_of(example) if len(each) > 12}
        assert not [each for each in texts if each in said]


@pytest.mark.parametrize("topic", TELEMETRY, ids=lambda topic: topic.name)
@pytest.mark.parametrize("hostile", [None, *HOSTILE])
def test_hostile_values_are_refused_whatever_the_format(declared, topic, hostile):
    """Otherwise one record could stop the worker."""
    chosen = Formats([declared(topics=(topic.name,))])
    if hostile == b"[]" and kind_of(declared) == "cloudevents":
        assert read_signals(topic, hostile, stamped=STAMPED, formats=chosen) == []
        return
    with pytest.raises((Unreadable, Rejected)) as refusal:
        read_signals(topic, hostile, stamped=STAMPED, formats=chosen)
    assert len(str(refusal.value)) <= limits.LINE_LENGTH
    assert str(refusal.value).isprintable()


@given(value=st.binary(max_size=300), headers=st.booleans())
@pytest.mark.parametrize("declared_kind", DECLARED, ids=kind_of)
@settings(max_examples=60)
def test_bytes_of_any_kind_are_read_or_refused(declared_kind, value, headers):
    """Otherwise one record could stop the worker."""
    chosen = Formats([declared_kind(topics=tuple(topic.name for topic in TELEMETRY))])
    for topic in TELEMETRY:
        given_headers = [("content-type", b"application/x-protobuf")] if headers else []
        try:
            read_signals(topic, value, given_headers, stamped=STAMPED, formats=chosen)
        except (Unreadable, Rejected):
            continue


@pytest.mark.parametrize("example", JSON_EXAMPLES, ids=named)
def test_examples_with_something_wrong_are_read_or_refused(example):
    """Otherwise a release of another system could stop the worker."""
    chance = Random(example.name)
    for value in mutations(chance, [example.value], 150):
        refusal_of(example, value)


@given(data=st.data())
@settings(max_examples=200)
def test_binary_examples_with_something_wrong_are_read_or_refused(data):
    """Otherwise a damaged batch could stop the worker."""
    example = data.draw(st.sampled_from([each for each in EXAMPLES if not each.is_json]))
    mutable = bytearray(example.value)
    for _ in range(data.draw(st.integers(1, 4))):
        mutable[data.draw(st.integers(0, len(mutable) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(mutable)))
    for value in (bytes(mutable), bytes(mutable[:cut])):
        refusal_of(example, value)
        try:
            divided = (
                Formats()
                .chosen(payload_of(example))
                .divide(Payload(example.topic, value, payload_of(example).headers, STAMPED))
            )
            assert divided is None or divided.joined(divided.elements) is not None
        except Unreadable:
            continue


@pytest.mark.parametrize(
    "example",
    # Half a message of syslog is a message.
    [each for each in EXAMPLES if each.kind != "syslog"],
    ids=named,
)
def test_a_truncated_example_is_refused(example):
    """Otherwise half a batch would pass for a whole one."""
    for share in (0.25, 0.5, 0.9):
        assert refusal_of(example, example.value[: int(len(example.value) * share)])


@pytest.mark.parametrize("example", JSON_EXAMPLES, ids=named)
def test_a_refusal_never_quotes_what_was_sent(example):
    """Otherwise secrets and hostile text would end in headers and logs."""
    document = orjson.loads(example.value)
    refused = 0
    for holder, place in list(places(document)):
        kept = holder[place]
        for wrong in ([SECRET], {SECRET: SECRET}, SECRET, SECRET * 2_000):
            holder[place] = wrong
            said = refusal_of(example, orjson.dumps(document))
            if said is not None:
                refused += 1
                assert SECRET not in said
                assert ":" in said, "names no field"
                assert said.isprintable()
        holder[place] = kept
    assert refused


def texts_of(example):
    if not example.is_json:
        return
    for holder, place in places(orjson.loads(example.value)):
        if isinstance(holder[place], str):
            yield holder[place]


def places(value):
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for place, each in list(inside):
        yield value, place
        if isinstance(each, (dict, list)):
            yield from places(each)


def test_values_that_are_too_large_are_refused(example):
    """Otherwise one record could take all the memory."""
    large = example.value + b" " * limits.BATCH_BYTES
    said = refusal_of(example, large)
    assert said == f"the value has {len(large)} bytes: at most {limits.BATCH_BYTES} are read"


@pytest.mark.parametrize("example", JSON_EXAMPLES, ids=named)
def test_long_texts_are_cut_or_refused_by_name(example):
    """Otherwise one long label would lose an alert, or a cut name would make two series one."""
    document = orjson.loads(example.value)
    for holder, place in list(places(document)):
        kept = holder[place]
        if not isinstance(kept, str):
            continue
        holder[place] = "x" * 20_000
        said = refusal_of(example, orjson.dumps(document))
        holder[place] = kept
        assert said is None or ":" in said


def test_random_bytes_with_the_examples_headers_are_refused(example):
    """Otherwise a header alone would make sense of nonsense."""
    for value in random_bytes(Random(7), 20):
        assert refusal_of(example, value)
