"""The outward part of a policy: read with the rest, or refused with everything that is wrong, in full texts."""

from pathlib import Path
from textwrap import dedent

import pytest

from streams.errors import PolicyError
from streams.policy import read_policy

CHANNELS = """
channels:
  pager: {kind: pagerduty, routing_key: a-routing-key}
  customers: {kind: customers, host: localhost, sender: a@example.org, subscribers: [b@example.org], fallback: second}
  second: {kind: customers, host: localhost, sender: a@example.org, subscribers: [b@example.org]}
"""
PAGE = """
status_page:
  name: Shop
  url: https://status.example.org/
  since: 2026-01-01
  components: {Checkout: {description: Orders}, Search: {}}
  tells: [{channel: customers, severities: [1]}]
services:
  payments: {components: [Checkout]}
"""


def refused(folder: Path, text: str) -> str:
    (folder / "bad.yaml").write_text(dedent(text).lstrip("\n"))
    (folder / "channels.yaml").write_text(CHANNELS)
    with pytest.raises(PolicyError) as refusal:
        read_policy(folder, {})
    return "\n".join(line.removeprefix("  ") for line in str(refusal.value).split("\n")[1:])


def test_it_is_read_together_with_the_catalogue(tmp_path: Path) -> None:
    """Otherwise nothing would be published to anybody."""
    (tmp_path / "page.yaml").write_text(PAGE)
    (tmp_path / "channels.yaml").write_text(CHANNELS)
    policy = read_policy(tmp_path, {})
    page = policy.status_page
    assert page is not None
    assert page.url == "https://status.example.org"
    assert [*page.told(1)] == ["customers"]
    assert [*page.told(2)] == []
    assert policy.outside.showing("default", ["payments", "mail"]) == ("Checkout",)


def test_names_that_are_nowhere_are_said_with_what_was_meant(tmp_path: Path) -> None:
    """Otherwise an outage would be shown nowhere, and customers not told."""
    assert refused(
        tmp_path,
        """
        status_page:
          name: Shop
          components: {Checkout: {}}
          tells: [{channel: custmers}, {channel: pager}]
        services:
          payments: {components: [Chekout]}
        """,
    ).split("\n") == [
        "bad.yaml:4: status_page.tells[0].channel: 'custmers' is not defined under channels; did you mean 'customers'?",
        (
            "bad.yaml:4: status_page.tells[1].channel: 'pager' is of kind pagerduty, which is for people inside; "
            "for those outside there are customers, statuspage"
        ),
        (
            "bad.yaml:6: services.payments.components[0]: 'Chekout' is not defined under status_page.components; "
            "did you mean 'Checkout'?"
        ),
    ]


def test_nothing_internal_leads_to_people_outside(tmp_path: Path) -> None:
    """Otherwise one word in a route would write every alert to all customers."""
    told = "tells people outside, who hear only what is published: name it under status_page.tells"
    said = refused(
        tmp_path,
        """
        routes: [{channels: [customers]}]
        people: {ada: {channels: [customers]}}
        escalations: {all: {steps: [{channels: [customers]}]}}
        channels:
          third: {kind: pagerduty, routing_key: x, fallback: customers}
          fourth: {kind: customers, host: localhost, sender: a@example.org, subscribers: [b@example.org], fallback: pager}
        """,
    ).split("\n")
    assert said == [
        f"bad.yaml:1: routes[0].channels[0]: 'customers' {told}",
        f"bad.yaml:2: people.ada.channels[0]: 'customers' {told}",
        f"bad.yaml:3: escalations.all.steps[0].channels[0]: 'customers' {told}",
        f"bad.yaml:5: channels.third.fallback: 'customers' {told}",
        "bad.yaml:6: channels.fourth.fallback: 'pager' does not tell people outside",
    ]


def test_settings_are_checked_with_their_place(tmp_path: Path) -> None:
    """Otherwise a typing error would be found when it is too late."""
    assert refused(
        tmp_path,
        """
        status_page:
          url: status.example.org
          components: {Checkout: {descripton: x}}
        """,
    ).split("\n") == [
        "bad.yaml:1: status_page.name: is missing; it says: Whose status it is",
        "bad.yaml:2: status_page.url: must be an address that starts with http:// or https://",
        "bad.yaml:3: status_page.components.Checkout.descripton: is not known here; did you mean 'description'?",
    ]


def test_each_tenant_can_have_a_page(tmp_path: Path) -> None:
    """Otherwise a second tenant would need a board of its own."""
    (tmp_path / "page.yaml").write_text(PAGE)
    (tmp_path / "channels.yaml").write_text(CHANNELS)
    (tmp_path / "acme.yaml").write_text(
        "status_pages: {acme: {name: Acme, time_zone: Europe/Vienna, components: {Mail: {}}}}"
    )
    (tmp_path / "zeta.yaml").write_text("status_pages: {zeta: {name: Zeta}}")
    policy = read_policy(tmp_path, {})
    assert {tenant: page.name for tenant, page in policy.pages.items()} == {
        "default": "Shop",
        "acme": "Acme",
        "zeta": "Zeta",
    }
    assert policy.pages["acme"].zone.key == "Europe/Vienna"
    assert policy.outside.of("acme") == ("Mail",)
    assert policy.outside.of("nobody") == ()


def test_pages_have_nothing_in_common(tmp_path: Path) -> None:
    """Otherwise one tenant's customers would be told of another tenant's incidents."""
    said = refused(
        tmp_path,
        """
        status_page: {name: Shop, tenant: acme, url: "https://a.example", tells: [{channel: customers}]}
        status_pages:
          acme: {name: Acme}
          7: {name: B, url: "http://A.example"}
          c: {name: C, tells: [{channel: customers}]}
        """,
    ).split("\n")
    assert said == [
        "bad.yaml:3: status_pages.acme: 'acme' is the tenant of status_page as well: each page has its own",
        "bad.yaml:4: status_pages[7].url: 'http://A.example' is the address of status_page as well: each page has its own",
        "bad.yaml:5: status_pages.c.tells: 'customers' is the channel of status_page as well: each page has its own",
    ]


def test_a_page_of_a_tenant_is_checked_with_its_place(tmp_path: Path) -> None:
    """Otherwise a typing error would be found when it is too late."""
    assert refused(
        tmp_path,
        """
        status_pages:
          history: {name: A}
          a b: {name: A}
          c: {name: C, tenant: d}
          e: {name: E, time_zone: Vienna}
          f: {}
        """,
    ).split("\n") == [
        "bad.yaml:2: status_pages.history: stands in the page's address: it must be of letters, digits, `-` and `_`, and not one of api, history",
        "bad.yaml:3: status_pages.a b: stands in the page's address: it must be of letters, digits, `-` and `_`, and not one of api, history",
        "bad.yaml:4: status_pages.c.tenant: is the name that the page stands under: leave it out",
        "bad.yaml:5: status_pages.e.time_zone: 'Vienna' is no time zone; did you mean 'Europe/Vienna'?",
        "bad.yaml:6: status_pages.f.name: is missing; it says: Whose status it is",
    ]
    assert refused(tmp_path, "status_pages: [a]") == (
        "bad.yaml:1: status_pages: must be a map of tenants to their pages"
    )
