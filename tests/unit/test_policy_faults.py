"""What may have been meant: one way to say it, whatever was mistyped."""

import pytest

from streams.policy_faults import meant, nearest


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("pagr", ["pager", "chat"], "did you mean 'pager'?"),
        ("Vienna", ["Europe/Berlin", "Europe/Vienna"], "did you mean 'Europe/Vienna'?"),
        ("SHOP", ["shop", "cart"], "did you mean 'shop'?"),
        # What has words more or less, where only one does: before what merely looks alike.
        ("mute", ["routes", "mute_time_intervals"], "did you mean 'mute_time_intervals'?"),
        ("webhook_url", ["url", "token"], "did you mean 'url'?"),
        (
            "region",
            ["source_region_name", "target_region_name"],
            "there are source_region_name, target_region_name",
        ),
        ("shop-errors", ["shop", "shop-error"], "did you mean 'shop-error'?"),
        ("xyz", [], "there are none"),
        # Nobody reads all names of a large catalogue.
        (
            "xyz",
            [f"a{number:02}" for number in range(43)],
            "there are " + ", ".join(f"a{number:02}" for number in range(40)) + " and 3 more",
        ),
    ],
)
def test_what_was_meant_is_said(name: str, known: list[str], said: str) -> None:
    """Whoever mistyped a name would look for what is right."""
    assert meant(name, known) == said


def test_other_words_stand_where_a_list_would_help_nobody() -> None:
    """There are hundreds of time zones."""
    assert meant("xyz", ["Europe/Berlin"], "write Europe/Berlin") == "write Europe/Berlin"
    assert meant("Europe/Berln", ["Europe/Berlin"], "x") == "did you mean 'Europe/Berlin'?"


def test_what_only_begins_alike_is_not_taken_for_a_slip() -> None:
    """Variables that Kubernetes sets for a service called tocsin-broker would be refused."""
    assert nearest("TOCSIN_BROKER_SERVICE_HOST", ["TOCSIN_BROKER"], 0.85) is None
    assert nearest("TOCSIN_BROKR", ["TOCSIN_BROKER"], 0.85) == "TOCSIN_BROKER"
