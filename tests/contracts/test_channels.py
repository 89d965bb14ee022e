"""What every channel promises: each file of the folder, from the example in it."""

import json
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qsl

import apprise
import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from schemas import limits
from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.discovery import declared_in, example_of, kind_of
from streams.laptop.receivers import Posted
from streams.notifications import channels
from streams.notifications.channel import LONGEST_WAIT, Channel, Verdict, byte_length
from streams.notifications.pacing import DIGEST_SIZE
from streams.notifications.relaying import Relayed
from streams.notifications.rendering import digest, render, standing, together
from tests.providers import provider_of
from tests.providers.discord import PUBLIC_KEY
from tests.providers.email import fault as mail_fault
from tests.told import AT, AT_PURPOSE, notice

GOLDEN = Path(__file__).parents[1] / "golden" / "notices"
SENT = AT + timedelta(seconds=2)

#: What tells people outside has a file of its own: test_outward_channels.py.
DECLARED = [each for each in declared_in(channels) if not each.outward]
PURPOSES = {
    "initial": StepKind.OPENED,
    "update": StepKind.ACKNOWLEDGED,
    "resolution": StepKind.RESOLVED,
}
NUMBERS = {kind: number for number, kind in enumerate(PURPOSES.values(), start=1)}
#: What receivers call the first message, where they give it a name.
FIRSTS = {"slack": "C0000000007/1709296215.000700", "discord": "1213141516171819", "telegram": "77"}
PAGE = "https://tocsin.example.org/{tenant}/{incident}"
#: Settings of channels that have more than one way.
WAYS = [
    *((each, {}) for each in DECLARED),
    *((each, {"page": PAGE}) for each in DECLARED),
    *(
        (each, {"token": "xoxb-a-token", "api": "http://127.0.0.1:9/api", "page": PAGE})
        for each in DECLARED
        if kind_of(each) == "slack"
    ),
    *(
        (each, {"replies": True, "reply_url": "https://tocsin.example.org/callbacks/sms"})
        for each in DECLARED
        if kind_of(each) == "sms"
    ),
    *(
        (each, given)
        for each in DECLARED
        for given in {
            "telegram": [{"webhook_secret": "a-secret", "page": PAGE}],
            "discord": [{"public_key": PUBLIC_KEY, "page": PAGE}],
            "ntfy": [{"reply_secret": "a-secret", "reply_url": "https://tocsin.example.org/x"}],
        }.get(kind_of(each), [])
    ),
]
#: Everything that a text could try.
HOSTILE = (
    "<script>alert(1)</script><!channel> {{ 7777*7 }} {% for x in (1,) %}x{% endfor %} ${HOME} %s\r\n"
    "Bcc: victim@example.org\r\n.\r\nQUIT\r\n\x00\x07\x1b[31m\u202eevil\u2028& 'quoted' \"twice\" `x`"
)


@pytest.fixture(params=DECLARED, ids=kind_of)
def declared(request) -> type[Channel]:
    return request.param


@pytest.fixture
def channel(declared) -> Channel:
    return declared(**example_of(declared))


def composed(channel: Channel, told: NoticeV1, at: datetime = SENT):
    return channel.compose(told, render(told), at)


def written(request: httpx.Request | EmailMessage | Relayed) -> str:
    """Return what goes out, as a person reviews it."""
    if isinstance(request, Relayed):
        address = request.address.get_secret_value()
        return f"{address}\nurgency: {request.urgency}\n\n{request.title}\n\n{request.body}\n"
    if isinstance(request, EmailMessage):
        parts = [part.get_content() for part in request.iter_parts()]
        return "\n".join([*(f"{name}: {value}" for name, value in request.items()), "", *parts])
    lines = [f"{request.method} {request.url}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    kind = request.headers["Content-Type"]
    if "json" in kind:
        lines += ["", json.dumps(orjson.loads(request.content), indent=2, ensure_ascii=False)]
    else:
        lines += ["", *(f"{name}={value}" for name, value in parse_qsl(request.content.decode()))]
    return "\n".join(lines) + "\n"


def raw(request: httpx.Request | EmailMessage | Relayed) -> bytes:
    if isinstance(request, Relayed):
        return written(request).encode()
    return request.as_bytes() if isinstance(request, EmailMessage) else request.content


def test_the_example_is_named_after_its_file(declared):
    """Otherwise a reader of a policy does not find what a channel sends."""
    assert kind_of(declared) == declared.__module__.rpartition(".")[2]


def test_settings_are_closed_and_frozen(declared, channel):
    """Otherwise a typing error in a policy would be a channel that is not set up."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        declared(**example_of(declared), no_such_setting=1)
    with pytest.raises(ValidationError, match="frozen"):
        channel.answers_within = timedelta(seconds=1)


def test_every_setting_says_what_it_is(declared):
    """Otherwise messages about a missing setting cannot say what to write."""
    undocumented = [
        name
        for name, field in declared.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert undocumented == []


def test_the_example_is_set_up_and_without_its_secrets_it_is_not(declared, channel):
    """Otherwise a channel that nobody configured would be tried for hours instead of being named in a receipt."""
    assert channel.missing() is None
    named = secrets(channel).keys() | {"host"}
    without = {name: value for name, value in example_of(declared).items() if name not in named}
    bare = declared(**without)
    assert bare.missing() in declared.model_fields


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_goes_out_is_its_golden_file(declared, channel, purpose):
    """A changed request or wording would go unseen. Delete a golden file to have it written again."""
    kind = PURPOSES[purpose]
    text = written(composed(channel, notice(kind, channel.kind, NUMBERS[kind])))
    golden = GOLDEN / f"{channel.kind}-{purpose}.txt"
    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was written: look at it and commit it")
    assert text.replace("\r\n", "\n") == golden.read_text()


def test_the_same_notice_is_composed_the_same(channel):
    """Otherwise receivers could not tell a repeat from news."""
    told = notice(channel=channel.kind)
    assert raw(composed(channel, told)) == raw(composed(channel, told))


def test_secrets_are_never_printed(channel):
    """Otherwise a log or a traceback would hold them."""
    found = secrets(channel)
    assert found, "a channel without a secret can be used by anybody"
    for text in (repr(channel), str(channel), channel.model_dump_json(), f"{dict(channel)}"):
        for secret in found.values():
            assert secret not in text


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500])
def test_no_judgement_quotes_a_secret(channel, status):
    """Otherwise a receiver that repeats what it was sent would put a secret into receipts and reports."""
    said = " ".join(secrets(channel).values())
    for body in (
        said.encode(),
        orjson.dumps({"errors": [said], "error": said, "message": said, "code": 7, "ok": False}),
    ):
        answer = httpx.Response(status, content=body, headers={"Location": said})
        judged = channel.judge(answer, SENT)
        assert judged.verdict is not Verdict.DELIVERED
        for secret in secrets(channel).values():
            assert secret not in judged.reason
            assert secret.rpartition("/")[2] not in judged.reason


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (201, Verdict.DELIVERED),
        (202, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (302, Verdict.GIVE_UP),
        (400, Verdict.GIVE_UP),
        (401, Verdict.GIVE_UP),
        (403, Verdict.GIVE_UP),
        (404, Verdict.GIVE_UP),
        (410, Verdict.GIVE_UP),
        (408, Verdict.TRY_AGAIN),
        (425, Verdict.TRY_AGAIN),
        (429, Verdict.TRY_AGAIN),
        (500, Verdict.TRY_AGAIN),
        (502, Verdict.TRY_AGAIN),
        (503, Verdict.TRY_AGAIN),
        (599, Verdict.TRY_AGAIN),
    ],
)
def test_statuses_are_judged_by_whether_asking_again_can_help(channel, status, verdict):
    """Otherwise a passing fault would silence a page, or a permanent one would be tried for hours."""
    judged = channel.judge(httpx.Response(status, content=b""), SENT)
    assert judged.verdict is verdict
    assert judged.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", timedelta(0)),
        ("7", timedelta(seconds=7)),
        ("-5", timedelta(0)),
        ("99999999999999999999", LONGEST_WAIT),
        ("Fri, 01 Mar 2024 12:30:47 GMT", timedelta(seconds=29, milliseconds=750)),
        ("Fri, 01 Mar 2024 11:00:00 GMT", timedelta(0)),
        ("Fri, 01 Mar 2030 11:00:00 GMT", LONGEST_WAIT),
        ("Fri, 01 Mar 2024 12:30:47 -0000", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_receiver_that_asks_for_patience_gets_it(channel, header, wait):
    """Otherwise a receiver under load would be asked even more."""
    for status in (429, 503):
        answer = httpx.Response(status, headers={"Retry-After": header})
        assert channel.judge(answer, SENT).retry_after == wait


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("message is not modified: new content and reply markup are the same", Verdict.DELIVERED),
        ("message to edit not found", Verdict.GIVE_UP),
    ],
)
def test_what_is_up_to_date_at_telegram_is_no_fault(said, verdict):
    """Otherwise each reminder would leave a warning in the log."""
    [telegram] = [each for each in DECLARED if kind_of(each) == "telegram"]
    refused = {"ok": False, "error_code": 400, "description": f"Bad Request: {said}"}
    judged = telegram(**example_of(telegram)).judge(httpx.Response(400, json=refused), SENT)
    assert (judged.verdict, judged.reason) == (verdict, f"HTTP 400: Bad Request: {said}")


def test_what_is_said_of_all_alerts_holds_for_each():
    """Otherwise a receiver that groups or routes by common labels would do it by what only one alert has."""
    [alertmanager] = [each for each in DECLARED if kind_of(each) == "alertmanager"]
    told = notice(channel="alertmanager")
    [one] = told.incident.alerts
    other = one.model_copy(update={"rule": "slow", "service": "orders", "severity": 4})
    both = told.incident.model_copy(update={"alerts": (one, other), "alert_count": 2})
    channel = alertmanager(**example_of(alertmanager))
    request = composed(channel, told.model_copy(update={"incident": both}))
    accepted(channel, request)
    common = orjson.loads(request.content)["commonLabels"]
    assert common == {"region": "eu", "incident": "INC-2024-03-01-007"}


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("ok", "error", "errors", "code", "error_code", "sid", "dedup_key", "ts"),
                        *("id", "result", "message_id", "parameters", "retry_after", "message"),
                        *("description", "requestId", "channel"),
                    ]
                ),
                inner,
            )
        ),
        max_leaves=6,
    ).map(lambda said: json.dumps(said).encode()),
    patience=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
@pytest.mark.parametrize("declared_kind", DECLARED, ids=kind_of)
def test_no_answer_is_too_strange_to_be_judged(declared_kind, status, body, patience):
    """Otherwise a receiver could stop the worker."""
    channel = declared_kind(**example_of(declared_kind))
    answer = httpx.Response(status, content=body, headers={"Retry-After": patience})
    judged = channel.judge(answer, SENT)
    assert judged.reason
    assert judged.reason.isprintable()
    assert len(judged.reason) <= limits.LINE_LENGTH
    assert judged.provider_id is None or len(judged.provider_id) <= 255


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("value", [7, 1.5, True, None, "x", [], [7], {}, {"x": []}])
def test_answers_whose_fields_have_other_types_are_judged(channel, status, value):
    """Otherwise one answer such as ``{"errors": 7}`` would stop the worker, and all pages with it."""
    for name in (
        *("ok", "error", "errors", "code", "error_code", "sid", "dedup_key", "ts", "id", "message"),
        *("result", "parameters", "retry_after", "description", "requestId"),
    ):
        answer = httpx.Response(status, json={name: value})
        assert channel.judge(answer, SENT).reason.startswith(("HTTP", "Slack"))


@pytest.mark.parametrize("charset", ["hex", "zlib", "rot13", "undefined", "utf-16", "nonsense"])
def test_answers_that_name_any_encoding_are_judged(channel, charset):
    """Otherwise a header of a receiver would stop the worker: not all that Python knows as a codec makes text."""
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    answer = httpx.Response(400, content=b"no\xfftext", headers=headers)
    assert channel.judge(answer, SENT).verdict is Verdict.GIVE_UP


@pytest.mark.parametrize("kind", PURPOSES.values())
def test_hostile_texts_stay_texts(channel, kind):
    """Otherwise whoever writes a log line could run templates, address other people or forge a message."""
    told = notice(
        kind,
        channel.kind,
        summary=HOSTILE,
        impact=HOSTILE,
        root_cause=HOSTILE,
        resolution=HOSTILE,
        reason=HOSTILE,
        service="{{ 7777*7 }}<b>",
        tenant="<münchen>",
        labels={"a": HOSTILE[:256]},
        runbook="https://example.org/\r\nX: y",
    )
    request = composed(channel, told)
    assert str(7777 * 7) not in written(request), "a template in a value was run"
    if isinstance(request, EmailMessage):
        assert request["Bcc"] is None
        assert request.defects == []
        plain, page = (part.get_content() for part in request.iter_parts())
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
        assert not set("\x00\x07\x1b\u202e") & set(plain + page)
    elif isinstance(request, Relayed):
        assert not set("\x00\x07\x1b\u202e") & set(request.title + request.body)
    elif "json" not in request.headers["Content-Type"]:
        assert not set("\x00\x07\x1b\u202e\n") & set(
            dict(parse_qsl(request.content.decode()))["Body"]
        )
    elif "blocks" in (body := orjson.loads(request.content)):
        said = body["text"] + body["blocks"][0]["text"]["text"]
        assert "<!channel>" not in said
        assert "<script>" not in said


@pytest.mark.parametrize("kind", PURPOSES.values())
def test_the_longest_incident_fits(channel, kind):
    """Otherwise the worst incident would be the one that receivers refuse to hear of."""
    long = "&" * limits.LINE_LENGTH
    told = notice(
        kind,
        "c" * limits.NAME_LENGTH,
        tenant="t" * 100,
        summary=long,
        impact=long,
        reason=long,
        root_cause="ä<" * (limits.TEXT_LENGTH // 2),
        resolution="\n" * limits.TEXT_LENGTH,
        service="s" * limits.NAME_LENGTH,
        services=tuple(f"{number:0128}" for number in range(limits.SERVICES_LISTED)),
        labels={f"l{number}": "v" * 256 for number in range(32)},
        group_key="g" * 255,
        runbook="https://example.org/" + "r" * 1_980,
    ).model_copy(update={"update": "<" * limits.TEXT_LENGTH})
    request = composed(channel, told)
    assert len(raw(request)) < 512 * 1024
    assert channel.limits
    accepted(channel, request)
    if channel.kind == "slack":
        body = orjson.loads(request.content)
        ends = {
            StepKind.OPENED: "Thread for updates: 👇",
            StepKind.ACKNOWLEDGED: "*Next Update*: 2024-03-01 13:00:15 UTC",
            StepKind.RESOLVED: "Post-mortem will be conducted within 24 hours.",
        }
        assert body["blocks"][0]["text"]["text"].endswith(ends[kind])


def test_quotes_and_ends_of_lines_fit_as_well(channel):
    """What counts twice on the way would make a provider refuse what is within its limit for texts."""
    told = notice(StepKind.RESOLVED, channel.kind, root_cause='\\"\n' * 2_000, impact='"' * 900)
    accepted(channel, composed(channel, told))


def accepted(channel: Channel, request: httpx.Request | EmailMessage | Relayed) -> None:
    """Have a request looked at as its receiver would."""
    if isinstance(request, EmailMessage):
        assert request.defects == []
        assert len(request["Subject"]) <= channel.limits["Subject"]
        assert mail_fault(raw(request)) is None
        return
    if isinstance(request, Relayed):
        assert len(request.title) <= channel.limits["title"]
        assert len(request.body) <= channel.limits["body"] + 600
        assert apprise.Apprise().add(request.address.get_secret_value())
        return
    headers = {name.title(): value for name, value in request.headers.items()}
    query = request.url.query.decode()
    posted = Posted(request.url.path, headers, request.content, request.method, query)
    answer = provider_of(channel.kind)(posted)
    told = httpx.Response(answer.status, content=answer.body)
    judged = channel.judge(told, SENT)
    assert judged.verdict is Verdict.DELIVERED, answer.body


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.PUBLIC])
@pytest.mark.parametrize("first", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("declared_kind", "settings"), WAYS, ids=str)
def test_receivers_take_every_message(declared_kind, settings, first, purpose):
    """Otherwise a provider would refuse a message for its form, and nobody would hear of the incident."""
    channel = declared_kind(**example_of(declared_kind) | settings)
    told = AT_PURPOSE[purpose].model_copy(update={"channel": channel.kind})
    known = FIRSTS.get(channel.kind) if first else None
    accepted(channel, channel.compose(told, render(told), SENT, known))
    refreshed = channel.refresh(told, render(standing(told)), known) if known else None
    if refreshed is not None:
        accepted(channel, refreshed)
        assert b"INCIDENT DETECTED" in refreshed.content


@given(texts=st.lists(st.text(max_size=6_000), min_size=4, max_size=4), severity=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(("declared_kind", "ways"), WAYS, ids=str)
def test_receivers_take_any_text(declared_kind, ways, texts, severity):
    """Otherwise some alphabet or length would make a provider refuse the message."""
    channel = declared_kind(**example_of(declared_kind) | ways)
    summary, impact, cause, update = texts
    told = notice(
        StepKind.RESOLVED,
        channel.kind,
        summary=summary[:1_000],
        impact=impact[:1_000],
        root_cause=cause,
        severity=severity,
    ).model_copy(update={"update": update})
    accepted(channel, composed(channel, told))
    again = told.model_copy(update={"purpose": Purpose.UPDATE, "step": StepKind.STATUS_CHANGED})
    accepted(channel, composed(channel, again))


@pytest.mark.parametrize("merging", [each for each in DECLARED if each.merges], ids=kind_of)
def test_receivers_take_a_digest(merging):
    """Otherwise a storm would be refused as a whole."""
    channel = merging(**example_of(merging))
    notices = [
        notice(
            StepKind.OPENED,
            channel.kind,
            summary=(HOSTILE + "ä" * 900)[:1_000],
            incident_id=f"INC-2024-03-01-{number:03}",
        )
        for number in range(1, DIGEST_SIZE + 1)
    ]
    request = channel.compose(together(notices), digest(notices), SENT)
    accepted(channel, request)
    assert b"acknowledge" not in raw(request)
    assert raw(request) == raw(channel.compose(together(notices), digest(notices), SENT))


def test_what_is_cut_says_where_the_rest_is(channel):
    """Otherwise half a report would look like all of it."""
    told = notice(channel=channel.kind)
    linked = channel.model_copy(update={"page": PAGE})
    long = "ä" * 5_000
    for measure in (len, byte_length):
        cut = linked.cut(long, 400, told, measure)
        assert cut.endswith("… https://tocsin.example.org/default/INC-2024-03-01-007")
        assert measure(cut) in {399, 400}
        assert channel.cut(long, 400, told, measure).endswith("ä…")
        assert channel.cut("short", 400, told, measure) == "short"


def secrets(channel: Channel) -> dict[str, str]:
    return {
        name: value.get_secret_value()
        for name, value in channel
        if isinstance(value, SecretStr) and value.get_secret_value()
    }
