"""What is published of a policy: the files as they are written, and what is different."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.policies import PolicyV1
from streams.errors import PolicyError
from streams.releases import (
    Release,
    changed_lines,
    difference,
    digest,
    examine_files,
    published_policy,
    released,
    texts_of,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RELEASE = Release("ana", "Less noise", NOON)
RULES = "rules:\n  - {name: busy, kind: threshold, metric: load, threshold: '${LIMIT:-5}', severity: 2}\n"


def test_every_partition_gets_the_files_as_they_are_written() -> None:
    """A secret of one machine would stand in the log; or one partition would go on under another policy."""
    messages = released({"a.yaml": RULES}, None, RELEASE, 2)
    assert [each.partition for each in messages] == [0, 1]
    assert {each.files["a.yaml"] for each in messages} == {RULES}
    assert {(each.author, each.reason, each.occurred_at, each.before) for each in messages} == {
        ("ana", "Less noise", NOON, None)
    }
    assert len({each.event_id for each in messages}) == 2
    assert PolicyV1.from_wire(messages[0].to_wire()) == messages[0]


def test_each_worker_puts_its_own_values_in() -> None:
    """Addresses and secrets would have to be published."""
    (message,) = released({"a.yaml": RULES}, None, RELEASE, 1)
    assert published_policy(message, {"LIMIT": "7"}).rules[0].threshold == 7
    assert published_policy(message, {}).rules[0].threshold == 5


def test_what_is_published_is_different_from_the_one_before() -> None:
    """Nobody could see what a change was."""
    (before,) = released({"a.yaml": RULES, "b.yaml": "probes: []\n"}, None, RELEASE, 1)
    after = {"a.yaml": RULES.replace("-5}", "-8}"), "c.yaml": "routes: []\n"}
    (message,) = released(after, before, RELEASE, 1)
    assert message.before == before.sha256
    assert message.diff == (
        "--- before/a.yaml\n"
        "+++ after/a.yaml\n"
        "@@ -1,2 +1,2 @@\n"
        " rules:\n"
        "-  - {name: busy, kind: threshold, metric: load, threshold: '${LIMIT:-5}', severity: 2}\n"
        "+  - {name: busy, kind: threshold, metric: load, threshold: '${LIMIT:-8}', severity: 2}\n"
        "--- before/b.yaml\n"
        "+++ nothing\n"
        "@@ -1 +0,0 @@\n"
        "-probes: []\n"
        "--- nothing\n"
        "+++ after/c.yaml\n"
        "@@ -0,0 +1 @@\n"
        "+routes: []\n"
    )
    assert changed_lines(message.diff) == (2, 2)


def test_a_digest_is_of_names_and_texts_and_not_of_their_order() -> None:
    """The same folder would be another policy on another machine."""
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})
    assert len({digest({"a": "1"}), digest({"b": "1"}), digest({"a": "2"}), digest({})}) == 4


def test_a_long_diff_is_cut_and_a_policy_that_is_too_large_refused() -> None:
    """A record that no broker takes would be tried, partition by partition."""
    cut = difference({}, {"a.yaml": "# é\n" * 100_000})
    assert len(cut.encode()) < 201_000
    assert cut.endswith("+# é\n… cut after 200000 bytes\n")
    with pytest.raises(PolicyError) as refusal:
        released({"a.yaml": "# x\n" * 200_000}, None, RELEASE, 1)
    assert str(refusal.value) == (
        "the policy has 1240218 bytes with its diff: at most 921600 can be published"
    )


def test_what_a_worker_cannot_use_is_said_with_its_place() -> None:
    """Its log would only say that something is wrong."""
    (message,) = released({"a.yaml": "probes: [{url: '${NOWHERE}'}]"}, None, RELEASE, 1)
    with pytest.raises(PolicyError) as refusal:
        published_policy(message, {})
    first, *lines = str(refusal.value).splitlines()
    assert first == f"policy {message.sha256[:12]} by ana cannot be used:"
    assert (
        "  a.yaml:1: probes[0].url: the environment has no NOWHERE; set it, or write ${NOWHERE:-a default}"
        in lines
    )


def test_the_files_of_a_folder_are_those_that_workers_would_read(tmp_path: Path) -> None:
    """Notes beside the policy would be published, or a part of it left out."""
    for name in ("a.yaml", "b.yml", "notes.txt", ".#a.yaml"):
        (tmp_path / name).write_text(name)
    assert texts_of(tmp_path) == {"a.yaml": "a.yaml", "b.yml": "b.yml"}
    (tmp_path / "b.yml").write_bytes(b"\xff")
    with pytest.raises(PolicyError) as refused:
        texts_of(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} cannot be used:\n  b.yml:1: is not UTF-8 text: save the file as UTF-8"
    )
    with pytest.raises(PolicyError) as refused:
        texts_of(tmp_path / "gone")
    assert str(refused.value) == (
        f"{tmp_path / 'gone'} cannot be used:\n"
        "  gone: cannot be read: No such file or directory; name the policy's folder, or set TOCSIN_POLICY to it"
    )


def test_an_empty_folder_is_no_policy() -> None:
    """All alerts would end."""
    (problem,) = examine_files("rules", {}, {}).problems
    assert str(problem) == "rules: has no .yaml files"
