"""What can be used and is hardly meant, in full texts; and what looks like it and is meant."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from streams.detection import kinds
from streams.discovery import declared_in, example_of
from streams.policy import examine, read_policy


def doubted(folder: Path, text: str) -> list[str]:
    (folder / "a.yaml").write_text(dedent(text).lstrip("\n"))
    examined = examine(folder, {})
    assert examined.problems == ()
    return [str(each) for each in examined.doubts]


def rules(*settings: str) -> str:
    lines = [
        f"  - {{{each}}}" if "severity" in each else f"  - {{severity: 2, {each}}}"
        for each in settings
    ]
    return "\n".join(["rules:", *lines]) + "\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "kind: health, match: [region=eu, region!=eu]",
            "match: region=eu and region!=eu exclude each other; it can never fire",
        ),
        (
            "kind: health, match: ['region=eu', 'region=~us-.*']",
            "match: region=eu and region=~us-.* exclude each other; it can never fire",
        ),
        (
            "kind: health, service: [web, api], match: {service: shop}",
            "match: service=shop holds for none of the services it is about: web, api; it can never fire",
        ),
        (
            "kind: threshold, metric: m, aggregate: count, over: 1m, threshold: 1000",
            (
                "threshold: a count > 1000 is never reached: a window counts from 0 to 1000 values; "
                "it can never fire"
            ),
        ),
        (
            "kind: threshold, metric: m, threshold: 1, group_by: null",
            (
                "group_by: null counts every set of labels apart, however many there are; "
                "name the labels that matter"
            ),
        ),
        (
            "kind: log_pattern, pattern: oops, group_by: [trace_id]",
            (
                "group_by: 'trace_id' has another value with nearly every signal: "
                "each would be a series of its own; leave it out"
            ),
        ),
        (
            "kind: health, group: \"{{ labels['request.id'] }}\"",
            (
                "group: {{ labels.request.id }} is another one with nearly every alert: "
                "each would open an incident of its own; leave it out"
            ),
        ),
        (
            "kind: health, group: '{{ service }} {{ message }}'",
            (
                "group: {{ message }} is another one with nearly every alert: "
                "each would open an incident of its own; leave it out"
            ),
        ),
        (
            "kind: log_pattern, pattern: 'error|'",
            "pattern: 'error|' matches every message; leave it out if that is meant",
        ),
        (
            "kind: log_pattern, level: info",
            "level: every record from this level on counts, good news too; add a pattern",
        ),
    ],
)
def test_a_rule_that_is_hardly_meant_is_told(tmp_path: Path, settings: str, said: str) -> None:
    """It would be found out in the night in which it does not fire, or fires a thousand times."""
    assert doubted(tmp_path, rules(f"name: a, {settings}")) == [f"a.yaml:2: rules[0].{said}"]


@pytest.mark.parametrize(
    "settings",
    [
        "kind: health, match: [region=eu, region!=us, 'region=~e.*']",
        "kind: health, service: [web, shop], match: {service: shop}",
        "kind: threshold, metric: m, aggregate: count, over: 1m, threshold: 999",
        "kind: threshold, metric: m, aggregate: count, over: 1m, compare: '<', threshold: 1",
        # The labels of a metric are its identity: all of them, where nothing else is said.
        "kind: threshold, metric: m, threshold: 1",
        "kind: log_pattern, pattern: oops, group_by: [host, k8s.pod.name, grid]",
        "kind: health, group: '{{ labels.region }} {{ service }}'",
        "kind: log_pattern, pattern: 'error|fatal'",
        "kind: log_pattern",
    ],
)
def test_what_is_meant_is_not_doubted(tmp_path: Path, settings: str) -> None:
    """Warnings that mean nothing are soon not read."""
    assert doubted(tmp_path, rules(f"name: a, {settings}")) == []


@pytest.mark.parametrize(
    "label",
    ["trace_id", "traceId", "span.id", "X-Request-Id", "k8s.pod.uid", "session_id", "uuid", "pid"],
)
def test_labels_without_end_are_known_however_they_are_spelt(tmp_path: Path, label: str) -> None:
    """Each producer writes them otherwise."""
    (said,) = doubted(tmp_path, rules(f"name: a, kind: health, group_by: ['{label}']"))
    assert said.startswith(f"a.yaml:2: rules[0].group_by: {label!r} has another value")


LOAD = "kind: threshold, metric: load, group_by: [host]"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 9"),
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 5, for: 1m, keep_firing_for: 1m"),
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 5, service: web"),
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 5, match: {{host: one}}"),
        ("kind: health", "kind: health, check: Database"),
        (
            "kind: log_pattern, pattern: oops, count: 2, within: 1m",
            "kind: log_pattern, pattern: oops, count: 5, within: 30s",
        ),
        ("kind: absence, signal: logs, within: 1m", "kind: absence, signal: logs, within: 5m"),
    ],
)
@pytest.mark.parametrize("first", ["wide", "narrow"])
def test_a_rule_that_another_one_outdoes_is_told(
    tmp_path: Path, wide: str, narrow: str, first: str
) -> None:
    """Somebody would tune it, and nothing would change."""
    written = [f"name: wide, {wide}", f"name: narrow, {narrow}"]
    if first == "narrow":
        written.reverse()
    number = 0 if first == "narrow" else 1
    assert doubted(tmp_path, rules(*written)) == [
        (
            f"a.yaml:{number + 2}: rules[{number}]: tells nothing new: whenever it fires, the rule 'wide' "
            f"(a.yaml:{3 - number}) does too, and is at least as severe"
        )
    ]


def test_a_rule_that_finds_the_same_is_told_once(tmp_path: Path) -> None:
    """Two pages for everything, and nobody knows why."""
    text = rules(f"name: a, {LOAD}, threshold: 5", f"name: b, {LOAD}, threshold: 5, owner: x")
    assert doubted(tmp_path, text) == [
        "a.yaml:3: rules[1]: finds the same as the rule 'a' (a.yaml:2): every alert comes twice"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Worse, so it tells something new.
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 9, severity: 1"),
        (f"{LOAD}, threshold: 5, for: 1m", f"{LOAD}, threshold: 9"),
        (f"{LOAD}, threshold: 5", f"{LOAD}, threshold: 5, compare: '<'"),
        (f"{LOAD}, threshold: 5, service: web", f"{LOAD}, threshold: 9, service: api"),
        # The mean of all zones is not that of one.
        (
            f"{LOAD}, threshold: 5, aggregate: avg, over: 1m",
            f"{LOAD}, threshold: 5, aggregate: avg, over: 1m, match: {{zone: a}}",
        ),
        # Other metrics still come.
        (
            "kind: absence, signal: metrics, within: 1m",
            "kind: absence, signal: metrics, within: 5m, only: heartbeat",
        ),
        ("kind: health", "kind: health, group: '{{ subject }}'"),
    ],
)
def test_rules_that_find_different_things_are_not_compared(
    tmp_path: Path, one: str, other: str
) -> None:
    """An author would take a rule away that is needed."""
    text = rules(f"name: a, {one}", f"name: b, {other}")
    assert doubted(tmp_path, text) == []


SHAPES = "write a link such as https://wiki.example.org/database, or a file beside the policy such as runbooks/database.md"
ROUTES = """
channels:
  pager: {kind: pagerduty, routing_key: a-routing-key}
  chat: {kind: slack, url: "http://127.0.0.1:1"}
routes:
"""
ALONE = (
    "nobody hears of what it cannot deliver: no other channel tells people of new incidents; "
    "add one, or name a fallback"
)


def test_a_route_that_adds_nobody_is_told(tmp_path: Path) -> None:
    """Its author thinks that it does something."""
    assert doubted(
        tmp_path,
        ROUTES
        + """
  - {channels: [pager, chat], severities: [1, 2], continue: true}
  - {channels: [chat], severities: [2], services: [web], continue: true}
  - {channels: [chat], severities: [2, 3]}
""",
    ) == [
        (
            "a.yaml:7: routes[1]: adds nobody: whatever it tells, the route before it (a.yaml:6) "
            "tells the same channels"
        )
    ]


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        (
            """
  - {channels: [chat], severities: [1, 2]}
  - {channels: [pager], severities: [2], services: [web]}
""",
            [
                (
                    "6: routes[1]: is never reached: the route before it (a.yaml:5) takes all that it would, "
                    "and does not say continue"
                ),
            ],
        ),
        (
            """
  - channels: [chat]
    severities: [1, 2]
    routes:
      - channels: [pager]
        severities: [3, 4]
      - severities: [1]
        routes:
          - {channels: [pager], severities: [2]}
""",
            [
                "8: routes[0].routes[0]: is never reached: the routes above it let only the severities 1, 2 through",
                "12: routes[0].routes[1].routes[0]: is never reached: the routes above it let only the severities 1 through",
            ],
        ),
        (
            """
  - channels: [chat]
    matchers: [region=eu]
    owners: [web]
    routes:
      - {channels: [pager], matchers: ['region=~us-.{2}']}
      - {channels: [pager], owners: [shop]}
      - {channels: [pager], matchers: [tier=1]}
      - {channels: [pager], matchers: [tier=1, rack=a]}
      - {channels: [pager], matchers: [tier=2], services: [a]}
      - {channels: [pager], matchers: [tier=2], services: [a, b]}
  - {channels: [chat], matchers: [region=eu], owners: [web], purposes: [initial]}
  - {channels: [chat], matchers: [region=eu], owners: [web, shop]}
""",
            [
                "9: routes[0].routes[0]: is never reached: region=eu and region=~us-.{2} exclude each other",
                "10: routes[0].routes[1]: is never reached: the routes above it let only the owners web through",
                (
                    "12: routes[0].routes[3]: is never reached: the route before it (a.yaml:11) takes all that it would, "
                    "and does not say continue"
                ),
                (
                    "15: routes[1]: is never reached: the route before it (a.yaml:5) takes all that it would, "
                    "and does not say continue"
                ),
            ],
        ),
        (
            """
  - channels: [pager, chat]
    routes:
      - {severities: [1], continue: true}
      - {channels: [chat], severities: [1], continue: true}
      - {channels: [chat]}
""",
            [
                (
                    "8: routes[0].routes[1]: adds nobody: whatever it tells, the route before it (a.yaml:7) "
                    "tells the same channels"
                ),
            ],
        ),
    ],
)
def test_a_route_that_is_never_reached_is_told_at_every_level(
    tmp_path: Path, routes: str, said: list[str]
) -> None:
    """Somebody would wait for a page that another branch swallows."""
    assert doubted(tmp_path, ROUTES + routes.lstrip("\n")) == [f"a.yaml:{each}" for each in said]


def test_a_channel_that_nothing_leads_to_is_told(tmp_path: Path) -> None:
    """Somebody waits for a page that never comes."""
    assert doubted(tmp_path, ROUTES + "  - {channels: [pager]}\n") == [
        f"a.yaml:2: channels.pager: {ALONE}",
        "a.yaml:3: channels.chat: no route leads to it: it is never told anything",
    ]
    people = "people:\n  ada: {channels: [chat]}\n"
    assert doubted(tmp_path, people + ROUTES + "  - {channels: [pager]}\n") == [
        f"a.yaml:5: channels.pager: {ALONE}"
    ]


@pytest.mark.parametrize(
    ("routes", "alone"),
    [
        ("  - {channels: [pager, chat]}\n", set()),
        ("  - {channels: [pager]}\n  - {routes: [{channels: [chat]}], channels: [pager]}\n", set()),
        # Whoever hears of ends only is not told of what begins.
        ("  - {channels: [pager]}\n  - {channels: [chat], purposes: [resolution]}\n", {"pager"}),
        # A program reads it.
        ("  - {channels: [pager, program]}\n", {"pager"}),
    ],
)
def test_a_channel_in_whose_place_nobody_is_told_is_told(
    tmp_path: Path, routes: str, alone: set[str]
) -> None:
    """It would be silent, and nobody would hear of that."""
    program = '  program: {kind: webhook, url: "http://127.0.0.1:1", secret: a-secret}\n'
    text = ROUTES.replace("routes:\n", program + "routes:\n") + routes
    said = [each for each in doubted(tmp_path, text) if ALONE in each]
    assert {each.partition("channels.")[2].partition(":")[0] for each in said} == alone
    named = text.replace("a-routing-key}", "a-routing-key, fallback: chat}")
    assert [each for each in doubted(tmp_path, named) if ALONE in each] == []


def test_services_that_the_catalogue_does_not_have_are_told(tmp_path: Path) -> None:
    """A mistyped name would hear nothing, and nobody would miss it."""
    text = """
services:
  shop: {depends_on: [database], owner: platform}
  database:
rules:
  - {name: a, kind: health, severity: 2, service: [shop, shpo]}
probes:
  - {name: A, service: databse, url: "http://127.0.0.1:1"}
channels:
  pager: {kind: pagerduty, routing_key: a-routing-key}
routes:
  - {channels: [pager], services: [web]}
incidents:
  checklist:
    tell: {text: Tell them, services: [shop, dtabase]}
"""
    assert doubted(tmp_path, text) == [
        "a.yaml:5: rules[0].service: 'shpo' is not defined under services; did you mean 'shop'?",
        "a.yaml:7: probes[0].service: 'databse' is not defined under services; did you mean 'database'?",
        f"a.yaml:9: channels.pager: {ALONE}",
        "a.yaml:11: routes[0].services: 'web' is not defined under services; there are database, shop",
        "a.yaml:14: incidents.checklist.tell.services: 'dtabase' is not defined under services; did you mean 'database'?",
    ]
    # Where there is no catalogue, every service may be.
    assert doubted(tmp_path, text[text.index("rules:") :]) == [f"a.yaml:6: channels.pager: {ALONE}"]


def test_runbooks_that_are_nowhere_are_told(tmp_path: Path) -> None:
    """A responder would follow the link in the night, and find nothing."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "database.md").write_text("Restart it.")
    text = """
detection: {runbooks: "https://git.example.org/ops/"}
rules:
  - {name: a, kind: health, severity: 2, check: a, runbook: runbooks/database.md}
  - {name: b, kind: health, severity: 2, check: b, runbook: runbooks/databse.md}
  - {name: c, kind: health, severity: 2, check: c, runbook: "https://wiki.example.org/c"}
"""
    assert doubted(tmp_path, text) == [
        "a.yaml:4: rules[1].runbook: there is no file 'runbooks/databse.md'; did you mean 'runbooks/database.md'?"
    ]
    assert [rule.runbook for rule in read_policy(tmp_path, {}).rules] == [
        "https://git.example.org/ops/runbooks/database.md",
        "https://git.example.org/ops/runbooks/databse.md",
        "https://wiki.example.org/c",
    ]


@pytest.mark.parametrize(
    ("runbook", "said"),
    [
        (
            "runbooks/database.md",
            (
                "'runbooks/database.md' is a file, which nobody could follow from a message; "
                "say below which link people read such files: detection.runbooks"
            ),
        ),
        ("htp://wiki.example.org/a", f"{{!r}} is no link that can be followed; {SHAPES}"),
        ("https:///a", f"{{!r}} is no link that can be followed; {SHAPES}"),
        ("https://wiki.example.org:x/a", f"{{!r}} is no link that can be followed; {SHAPES}"),
        ("../secrets.md", f"{{!r}} is neither a link nor a file beside the policy; {SHAPES}"),
        ("the wiki", f"{{!r}} is neither a link nor a file beside the policy; {SHAPES}"),
    ],
)
def test_a_runbook_that_cannot_be_followed_is_refused(
    tmp_path: Path, runbook: str, said: str
) -> None:
    """Otherwise it would be sent to people as it is."""
    (tmp_path / "a.yaml").write_text(rules(f"name: a, kind: health, runbook: '{runbook}'"))
    (problem,) = examine(tmp_path, {}).problems
    assert str(problem) == f"a.yaml:2: rules[0].runbook: {said.replace('{!r}', repr(runbook))}"


@pytest.mark.parametrize("kind", declared_in(kinds), ids=lambda kind: kind.__name__)
def test_no_kind_s_own_example_is_doubted(tmp_path: Path, kind: Any) -> None:
    """Whoever begins with it would begin with a warning."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"rules": [example_of(kind)]}))
    assert [str(each) for each in examine(tmp_path, {}).doubts] == []


def test_the_example_policy_is_not_doubted() -> None:
    """It is what everybody begins with."""
    assert examine(Path("deploy/policy"), {}).doubts == ()


def test_doubts_do_not_stop_anything(tmp_path: Path) -> None:
    """An upgrade with a new warning would stop a pipeline that works."""
    (tmp_path / "a.yaml").write_text(rules("name: a, kind: log_pattern, level: info"))
    assert len(read_policy(tmp_path, {}).rules) == 1


def test_no_secret_is_said_in_a_doubt(tmp_path: Path) -> None:
    """A log of a check would hold it."""
    (tmp_path / "a.yaml").write_text(
        rules("name: a, kind: health, match: ['key=${KEY}', 'key=another']")
    )
    (said,) = examine(tmp_path, {"KEY": "topsecret"}).doubts
    assert str(said) == (
        "a.yaml:2: rules[0].match: key=${KEY} and key=another exclude each other; it can never fire"
    )


def test_channels_of_branches_and_fallbacks_are_reached(tmp_path: Path) -> None:
    """Otherwise a warning would tell an operator to remove who is paged in the end."""
    text = """
channels:
  chat: {kind: slack, fallback: mail, url: "${CHAT:-}"}
  mail: {kind: ntfy, topic: "${TOPIC:-}"}
  pager: {kind: pagerduty, routing_key: ""}
routes:
  - channels: [chat]
    routes:
      - severities: [1]
        channels: [pager]
"""
    assert doubted(tmp_path, text) == []


def test_people_whom_no_channel_tells_of_handovers(tmp_path: Path) -> None:
    """Whoever has a pager alone would wait for a word that never comes."""
    [doubt] = doubted(
        tmp_path,
        """
        channels:
          pager: {kind: pagerduty, routing_key: a-routing-key, fallback: chat}
          chat: {kind: slack, url: "${CHAT:-}"}
        routes: [{channels: [pager, chat]}]
        people: {ada: {channels: [pager]}, grace: {channels: [pager, chat]}}
        schedules:
          told:
            layers: [{rotation: [ada, grace], begins: "2026-03-02 00:00"}]
            handover_notices: always
          quiet: {layers: [{rotation: [ada], begins: "2026-03-02 00:00"}]}
        """,
    )
    assert doubt == (
        "a.yaml:9: schedules.told.handover_notices: ada is told of no handover: all channels of ada open an incident "
        "of their own over there; add one that does not, such as slack, email or sms"
    )
