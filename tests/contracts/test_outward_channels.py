"""What every channel promises that tells people outside: each of the folder, from the example in its file."""

from copy import deepcopy
from email.message import EmailMessage
from pathlib import Path

import httpx
import orjson
import pytest

from schemas import limits
from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from schemas.public import PublicImpact, PublicStatus
from streams.discovery import declared_in, example_of, kind_of
from streams.laptop.receivers import Posted
from streams.notifications import channels
from streams.notifications.channel import Channel, Verdict
from streams.notifications.rendering import render
from tests.contracts.test_channels import HOSTILE, SENT, written
from tests.providers import provider_of
from tests.providers.email import fault as mail_fault
from tests.told import notice, public, public_notice, update

GOLDEN = Path(__file__).parents[1] / "golden" / "notices"
DECLARED = [each for each in declared_in(channels) if each.outward]
FIRST = update()
STAGES = {
    "initial": public(FIRST, expected_at=SENT, impact_text="Orders cannot be paid by card"),
    "update": public(update("identified", "We have found the cause.\nIt is being mended."), FIRST),
    "resolution": public(update("resolved", "Everything works again."), FIRST),
}
INTERNAL = "db-7 of the customer ACME is out of disk"


@pytest.fixture(params=DECLARED, ids=kind_of)
def channel(request: pytest.FixtureRequest) -> Channel:
    made: Channel = request.param(**example_of(request.param))
    return made


def composed(channel: Channel, told: NoticeV1, first: str | None = None):
    return channel.compose(told, render(told), SENT, first)


def accepted(channel: Channel, request: httpx.Request | EmailMessage) -> None:
    if isinstance(request, EmailMessage):
        assert request.defects == []
        assert len(request["Subject"]) <= channel.limits["Subject"]
        # As the courier sends it.
        mail = deepcopy(request)
        del mail["Bcc"]
        assert mail_fault(mail.as_bytes(), undisclosed=True) is None
        return
    headers = {name.title(): value for name, value in request.headers.items()}
    query = request.url.query.decode()
    posted = Posted(request.url.path, headers, request.content, request.method, query)
    answer = provider_of(channel.kind)(posted)
    told = httpx.Response(answer.status, content=answer.body)
    assert channel.judge(told, SENT).verdict is Verdict.DELIVERED, answer.body


def test_settings_are_set_up_by_the_example_and_say_what_they_are(channel: Channel) -> None:
    """Otherwise nobody could set it up."""
    assert channel.missing() is None
    fields = type(channel).model_fields
    assert [name for name, each in fields.items() if name != "kind" and not each.description] == []
    given = example_of(type(channel))
    bare = {name: each for name, each in given.items() if name not in {"host", "api_key"}}
    bare.pop("password", None)
    assert type(channel)(**bare).missing() in fields


@pytest.mark.parametrize("stage", STAGES)
def test_what_goes_out_is_its_golden_file(channel: Channel, stage: str) -> None:
    """A changed wording would go unseen. Delete a golden file to have it written again."""
    number = [*STAGES].index(stage) + 1
    told = public_notice(channel.kind, number, public=STAGES[stage])
    text = written(composed(channel, told, None if stage == "initial" else "p31zjtct2jer"))
    golden = GOLDEN / f"{channel.kind}-{stage}.txt"
    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was written: look at it and commit it")
    assert text.replace("\r\n", "\n") == golden.read_text()


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.PUBLIC])
def test_what_is_for_people_inside_is_never_composed(channel: Channel, purpose: Purpose) -> None:
    """Otherwise a route that names it by mistake would tell customers what happened inside."""
    told = notice(StepKind.OPENED, channel.kind, public=public()).model_copy(
        update={"purpose": purpose}
    )
    with pytest.raises(ValueError, match="and nothing else"):
        composed(channel, told)


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_that_was_written_inside_comes_out(channel: Channel, stage: str) -> None:
    """Otherwise customers would read about other customers, machines and causes."""
    told = public_notice(
        channel.kind,
        public=STAGES[stage],
        summary=INTERNAL,
        impact=INTERNAL,
        root_cause=INTERNAL,
        resolution=INTERNAL,
        service=INTERNAL,
        services=(INTERNAL,),
        labels={"host": INTERNAL},
        group_key=INTERNAL,
        owner=INTERNAL,
        assigned_to=INTERNAL,
        acknowledged_by=INTERNAL,
        responders=(INTERNAL,),
        probable_cause=INTERNAL,
        cause_reason=INTERNAL,
        impacted=(INTERNAL,),
        runbook=f"https://{INTERNAL}",
        reason=INTERNAL,
        detail=INTERNAL,
    )
    request = composed(channel, told)
    assert "ACME" not in written(request)
    assert b"ACME" not in told.to_wire()
    assert b"database-health" not in told.to_wire()


def test_hostile_texts_stay_texts(channel: Channel) -> None:
    """Otherwise a pasted text could address other people, or run in somebody's mail program."""
    said = update(message=HOSTILE[:1_000])
    request = composed(
        channel, public_notice(channel.kind, public=public(said, title=HOSTILE[:200]))
    )
    assert str(7777 * 7) not in written(request)
    accepted(channel, request)
    if isinstance(request, EmailMessage):
        assert "victim@example.org" not in request["Bcc"]
        plain, page = (part.get_content() for part in request.iter_parts())
        assert "<script>" not in page
        assert not set("\x00\x07\x1b\u202e") & set(plain + page)


def test_the_longest_incident_fits(channel: Channel) -> None:
    """Otherwise the worst incident would be the one that is refused."""
    names = tuple(f"{number:0128}" for number in range(limits.COMPONENTS_LISTED))
    long = update(message="ä<" * (limits.PUBLIC_TEXT_LENGTH // 2), components=names)
    told = public_notice(
        channel.kind,
        public=public(
            *[long] * limits.PUBLIC_UPDATES_LISTED,
            title="ä" * limits.PUBLIC_TITLE_LENGTH,
            impact_text="&" * limits.LINE_LENGTH,
        ),
    )
    assert NoticeV1.from_wire(told.to_wire()) == told
    accepted(channel, composed(channel, told))


@pytest.mark.parametrize("status", PublicStatus)
@pytest.mark.parametrize("impact", PublicImpact)
@pytest.mark.parametrize("first", [None, "p31zjtct2jer"])
def test_receivers_take_every_message(
    channel: Channel, status: PublicStatus, impact: PublicImpact, first: str | None
) -> None:
    """Otherwise a provider would refuse one, and customers would not hear of it."""
    told = public_notice(channel.kind, public=public(update(status, impact=impact), FIRST))
    accepted(channel, composed(channel, told, first))


@pytest.mark.parametrize(
    ("code", "body", "verdict", "reason"),
    [
        (401, {"error": "Could not authenticate"}, Verdict.GIVE_UP, "Could not authenticate"),
        (422, {"error": ["name is too long"]}, Verdict.GIVE_UP, "name is too long"),
        (420, {}, Verdict.TRY_AGAIN, "HTTP 420"),
        (429, {}, Verdict.TRY_AGAIN, "HTTP 429"),
        (500, {"error": 7}, Verdict.TRY_AGAIN, "HTTP 500"),
    ],
)
def test_answers_of_statuspage(code: int, body: object, verdict: Verdict, reason: str) -> None:
    """Otherwise a passing fault would end the attempts, or a lasting one would be tried for hours."""
    [declared] = [each for each in DECLARED if kind_of(each) == "statuspage"]
    channel = declared(**example_of(declared))
    answer = httpx.Response(code, content=orjson.dumps(body), headers={"Retry-After": "7"})
    judged = channel.judge(answer, SENT)
    assert judged.verdict is verdict
    assert reason in judged.reason
    if verdict is Verdict.TRY_AGAIN:
        assert judged.retry_after is not None
        assert judged.retry_after.total_seconds() == 7


def test_components_that_are_fine_again_are_said_so() -> None:
    """Otherwise a component would stay red there for ever."""
    [declared] = [each for each in DECLARED if kind_of(each) == "statuspage"]
    channel = declared(
        **example_of(declared)
        | {"components": {"Checkout": "8kbf7d35c070", "Search": "8kbf7d35c071"}}
    )
    before = update(components=("Checkout", "Search"))

    def sent(*updates, **facts) -> dict[str, str]:
        request = composed(channel, public_notice(public=public(*updates, **facts)), "p31zjtct2jer")
        components: dict[str, str] = orjson.loads(request.content)["incident"]["components"]
        return components

    assert sent(update(components=("Search",)), before) == {
        "8kbf7d35c070": "operational",
        "8kbf7d35c071": "partial_outage",
    }
    last = update("resolved", components=("Search",))
    assert set(sent(last, before).values()) == {"operational"}
    # What it goes on as says how Search is.
    assert sent(last, before, continued_as="Search fails") == {"8kbf7d35c070": "operational"}


def test_customers_are_not_told_that_it_is_over_where_it_goes_on_as_another_one() -> None:
    """Otherwise they would try again in vain."""
    last = update("resolved", "This is part of “Checkout fails”.")
    told = public_notice(public=public(last, FIRST, continued_as="Checkout fails"))
    message = render(told)
    for text in (message.text, message.html):
        assert "news of an issue" in text
        assert "This is part of “Checkout fails”." in text
        assert "over" not in text
        assert "sorry" not in text
        assert "We will tell you more" not in text
        assert "goes on as “Checkout fails”" in text
        assert "Resolved" not in text


def test_a_word_after_the_end_is_no_second_end() -> None:
    """Otherwise customers would read of a second outage, or wait for more."""
    end = update("resolved", "Everything works again.")
    told = public_notice(public=public(update("resolved", "What happened: …"), end, FIRST))
    message = render(told)
    for text in (message.text, message.html):
        assert "There is news of an issue that is over" in text
        assert not [each for each in ("sorry", "more", "Expected") if each in text]


def test_customers_do_not_see_each_other() -> None:
    """Otherwise a list of customers would go to every customer."""
    [declared] = [each for each in DECLARED if kind_of(each) == "customers"]
    mail = composed(declared(**example_of(declared)), public_notice())
    assert mail["To"] == "undisclosed-recipients:;"
    assert mail["Cc"] is None
    assert mail["Bcc"] == "first@example.com, second@example.net"


def test_a_long_title_in_any_language_is_a_subject_that_every_program_reads() -> None:
    """Folded as mail libraries fold by themselves, an encoded word would be longer than it may be."""
    [declared] = [each for each in DECLARED if kind_of(each) == "customers"]
    channel = declared(**example_of(declared))
    title = (
        "Störung: Zahlungen schlagen überall fehl, Bestellungen dauern länger als üblich, und mehr "
        * 2
    )
    accepted(channel, composed(channel, public_notice(public=public(FIRST, title=title[:180]))))
