"""The tree of routes: Alertmanager's own examples, and what Tocsin adds."""

from datetime import timedelta
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from schemas.lifecycle import StepKind
from schemas.notices import Purpose, TimingV1
from streams.notifications.routing import Route, Subject, choose, told
from tests.told import step

#: Prometheus documentation, "Alerting: configuration", the example of a route.
DOCUMENTED = """
- channels: [default-receiver]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  group_by: [cluster, alertname]
  routes:
  - channels: [database-pager]
    group_wait: 10s
    matchers: ['service=~"mysql|cassandra"']
  - channels: [frontend-pager]
    group_by: [product, environment]
    matchers: ['team="frontend"']
  - channels: [dev-pager]
    matchers: ['service="inhouse-service"']
    mute_time_intervals: [offhours, holidays]
    continue: true
  - channels: [on-call-pager]
    matchers: ['service="inhouse-service"']
    active_time_intervals: [offhours, holidays]
"""
#: Alertmanager's doc/examples/simple.yml.
SIMPLE = """
- channels: [team-X-mails]
  group_by: [alertname, cluster, service]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 3h
  routes:
  - matchers: ['service=~"foo1|foo2|baz"']
    channels: [team-X-mails]
    routes:
    - matchers: ['severity="critical"']
      channels: [team-X-pager]
  - matchers: ['service="files"']
    channels: [team-Y-mails]
    routes:
    - matchers: ['severity="critical"']
      channels: [team-Y-pager]
  - matchers: ['service="database"']
    channels: [team-DB-pager]
    group_by: [alertname, cluster, database]
    routes:
    - matchers: ['owner="team-X"']
      channels: [team-X-pager]
      continue: true
    - matchers: ['owner="team-Y"']
      channels: [team-Y-pager]
"""


def routes(written: str) -> list[Route]:
    return [Route.model_validate(each) for each in yaml.safe_load(written)]


def receivers(written: str, **labels: str) -> list[str]:
    of = Subject(labels, 2, frozenset(), "", Purpose.INITIAL)
    return [channel for each in choose(routes(written), of) for channel in each.route.channels]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["default-receiver"]),
        ({"service": "mysql"}, ["database-pager"]),
        ({"service": "cassandra", "team": "frontend"}, ["database-pager"]),
        ({"service": "mysqld"}, ["default-receiver"]),
        ({"team": "frontend"}, ["frontend-pager"]),
        ({"service": "inhouse-service"}, ["dev-pager", "on-call-pager"]),
        ({"service": "inhouse-service", "team": "frontend"}, ["frontend-pager"]),
    ],
)
def test_the_documented_route_gives_the_same_receivers(
    labels: dict[str, str], expected: list[str]
) -> None:
    """Otherwise who moves here from Alertmanager would be told by others than before."""
    assert receivers(DOCUMENTED, **labels) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["team-X-mails"]),
        ({"service": "foo1"}, ["team-X-mails"]),
        ({"service": "foo1", "severity": "critical"}, ["team-X-pager"]),
        ({"service": "foo3", "severity": "critical"}, ["team-X-mails"]),
        ({"service": "files"}, ["team-Y-mails"]),
        ({"service": "files", "severity": "critical"}, ["team-Y-pager"]),
        ({"service": "database"}, ["team-DB-pager"]),
        ({"service": "database", "owner": "team-X"}, ["team-X-pager"]),
        ({"service": "database", "owner": "team-Y"}, ["team-Y-pager"]),
        ({"service": "database", "owner": "team-Z"}, ["team-DB-pager"]),
    ],
)
def test_the_simple_example_gives_the_same_receivers(
    labels: dict[str, str], expected: list[str]
) -> None:
    """Otherwise nested routes would tell others than Alertmanager's do."""
    assert receivers(SIMPLE, **labels) == expected


def test_branches_take_from_above_what_alertmanager_lets_them() -> None:
    """Otherwise waits would be lost in branches, or mute times reach where nobody wrote them."""
    (chosen,) = choose(
        routes(DOCUMENTED), Subject({"service": "mysql"}, 2, frozenset(), "", Purpose.INITIAL)
    )
    assert chosen.place == "routes[0].routes[0]"
    assert chosen.route.group_wait == timedelta(seconds=10)
    assert chosen.route.group_interval == timedelta(minutes=5)
    assert chosen.route.repeat_interval == timedelta(hours=4)
    assert chosen.route.group_by == ("cluster", "alertname")
    above = Route(channels=("a",), mute_time_intervals=("nights",), routes=(Route(),))
    (below,) = choose([above], Subject({}, 2, frozenset(), "", Purpose.INITIAL))
    assert below.route.channels == ("a",)
    assert below.route.mute_time_intervals == ()


def one(route: dict[str, Any], kind: StepKind = StepKind.OPENED, **changed: Any) -> TimingV1 | None:
    (notice,) = told(step(kind, **changed), [Route.model_validate({"channels": ["chat"], **route})])
    return notice.timing


WAITS = {
    "group_wait": "30s",
    "group_interval": "5m",
    "repeat_interval": "4h",
    "mute_time_intervals": ["nights"],
}


def test_a_notice_carries_when_it_may_go_out() -> None:
    """Otherwise the hop that sends it could not know."""
    timed = one(WAITS)
    assert timed == TimingV1(
        group=timed.group,
        wait=timedelta(seconds=30),
        interval=timedelta(minutes=5),
        repeat=timedelta(hours=4),
        mute=("nights",),
    )
    assert one({}) is None


def test_the_worst_severity_waits_for_nothing() -> None:
    """Otherwise an outage would be told half a minute late, or only in the morning."""
    timed = one(WAITS, severity=1, severity_peak=1)
    assert timed == TimingV1(group=timed.group, repeat=timedelta(hours=4))


@pytest.mark.parametrize(
    ("by", "same", "differ"),
    [
        (None, {}, {"incident_id": "INC-2024-03-01-008"}),
        (["..."], {}, {"incident_id": "INC-2024-03-01-008"}),
        (["service"], {"incident_id": "INC-2024-03-01-008"}, {"service": "orders"}),
        ([], {"service": "orders", "incident_id": "INC-2024-03-01-008"}, {"tenant": "acme"}),
        (["region"], {"service": "orders"}, {"labels": {"region": "us"}}),
    ],
)
def test_groups_are_what_their_labels_have_in_common(
    by: list[str] | None, same: dict[str, Any], differ: dict[str, Any]
) -> None:
    """Otherwise strangers would wait for each other, or one group be told of many times."""
    route = {"group_wait": "1m", **({} if by is None else {"group_by": by})}
    first = one(route)
    assert one(route, **same).group == first.group
    assert one(route, **differ).group != first.group


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        ({"owners": ["payments"]}, True),
        ({"owners": ["others"]}, False),
        ({"matchers": ['owner="payments"', "region=eu"]}, True),
        ({"matchers": {"region": "us"}}, False),
        ({"matchers": ['region!~"eu|us"']}, False),
        ({"matchers": ["nothing!=x"]}, True),
        ({"matchers": ['service=~"data.*"', 'severity="2"', "environment=production"]}, True),
    ],
)
def test_routes_look_at_owners_and_labels(route: dict[str, Any], *, fits: bool) -> None:
    """Otherwise a team would be called for what another one owns."""
    given = Route.model_validate({"channels": ["chat"], **route})
    assert bool(told(step(owner="payments"), [given])) is fits


def test_a_reason_says_by_what_a_branch_was_chosen() -> None:
    """Otherwise nobody could tell which of fifty routes woke them."""
    tree = Route.model_validate(
        {
            "channels": ["chat"],
            "routes": [
                {"matchers": ['region=~"eu.*"'], "owners": ["payments"], "channels": ["pager"]}
            ],
        }
    )
    (notice,) = told(step(owner="payments"), [tree])
    assert notice.channel == "pager"
    assert notice.reason == (
        'routes[0].routes[0]: severity 2, initial message, owner payments, region=~"eu.*"'
    )


@pytest.mark.parametrize(
    "route",
    [
        {"matchers": ["no comparison"]},
        {"matchers": ['a=~"("']},
        {"group_by": ["no label"]},
        {"group_wait": "8d"},
        {"repeat_interval": "1s"},
        {"routes": [{"channels": []}]},
        {"continues": True},
    ],
)
def test_what_is_no_route_is_refused(route: dict[str, Any]) -> None:
    """Otherwise a typing error would be a route that never fits."""
    with pytest.raises(ValidationError):
        Route.model_validate({"channels": ["chat"], **route})
