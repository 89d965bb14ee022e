"""`tocsin policy`: what it says, with a log in memory."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.policies import PolicyV1
from streams.cli.policy import policy
from streams.gateways import clock, policies
from streams.releases import Release, released, short
from streams.settings import Settings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIVE = "rules: [{name: busy, kind: threshold, metric: load, threshold: 5, severity: 2}]\n"
NINE = FIVE.replace("5", "9")


class Log:
    """What was published for each of two partitions."""

    def __init__(self) -> None:
        self.partitions: list[list[PolicyV1]] = [[], []]
        #: Somebody else who publishes while a command does.
        self.meanwhile: Callable[[], None] = lambda: None
        self.now = NOON

    async def published(self, settings: Settings) -> policies.History:
        return policies.History(tuple(tuple(each) for each in self.partitions))

    async def publish(self, settings: Settings, messages: Sequence[PolicyV1]) -> None:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        for message in messages:
            self.partitions[message.partition].append(message)

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def add(self, text: str, author: str, *partitions: int) -> None:
        """Publish *text* as somebody else does."""
        before = self.partitions[0][-1] if self.partitions[0] else None
        messages = released({"a.yaml": text}, before, Release(author, "why", self.tick()), 2)
        for number in partitions or (0, 1):
            self.partitions[number].append(messages[number])


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(policies, "published", log.published)
    monkeypatch.setattr(policies, "publish", log.publish)
    monkeypatch.setattr(clock, "now", log.tick)
    monkeypatch.setenv("TOCSIN_PARTITIONS", "2")
    return log


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(FIVE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "rules" / "a.yaml"


def typed(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(policy, list(arguments), env=environment)


def publish(*more: str) -> Result:
    return typed("publish", "rules", "--author", "ana", "--reason", "less noise", *more)


def latest(log: Log) -> str:
    return short(log.partitions[0][-1].sha256)


def test_a_policy_is_put_in_force_once(log: Log, rules: Path) -> None:
    """A pipeline that publishes with every build would fill the log."""
    said = publish()
    counted = "1 rule, 0 channels, 0 routes, 0 probes\n"
    assert said.output == f"rules: {latest(log)} published, +1 -0 lines, {counted}"
    assert [[each.reason for each in partition] for partition in log.partitions] == [
        ["less noise"],
        ["less noise"],
    ]
    assert publish().output == f"rules: nothing to publish, {latest(log)} is in force, {counted}"
    assert len(log.partitions[0]) == 1


def test_one_that_cannot_be_used_is_refused(log: Log, rules: Path) -> None:
    """One typo would reach all workers."""
    rules.write_text(FIVE.replace("metric", "metrik"))
    for command in (publish(), typed("diff", "rules")):
        assert command.stderr == (
            "rules cannot be used:\n"
            "  a.yaml:1: rules[0].metrik: is not known here; did you mean 'metric'?\n"
        )
        assert command.stdout == ""
        assert command.exit_code == 1
    rules.write_bytes(b"\xff")
    assert publish().stderr == (
        "rules cannot be used:\n  a.yaml:1: is not UTF-8 text: save the file as UTF-8\n"
    )
    assert log.partitions == [[], []]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--reason", ""], "--reason is empty: say why"),
        (["--reason", "  "], "--reason is empty: say why"),
        (
            ["--author", ""],
            "nobody is logged in by a name: say who publishes it by --author or TOCSIN_AUTHOR",
        ),
        (["--author", "a" * 300], "author: string should have at most 128 characters"),
    ],
)
def test_who_and_why_are_asked_for_before_anything_is_read(
    log: Log, rules: Path, given: list[str], said: str
) -> None:
    """It ended in a traceback, or in a log that says nothing."""
    result = publish(*given)
    assert result.stderr.splitlines()[-1] == f"Error: {said}"
    assert result.exit_code == 2
    assert log.partitions == [[], []]


def test_the_author_comes_from_the_environment(log: Log, rules: Path) -> None:
    typed("publish", "rules", "--reason", "x", TOCSIN_AUTHOR="ben")
    assert log.partitions[0][-1].author == "ben"


def test_what_would_change_is_shown_and_nothing_published(log: Log, rules: Path) -> None:
    """Nobody would know before."""
    publish()
    rules.write_text(NINE)
    assert typed("diff", "rules").output == (
        f"--- before/a.yaml\n+++ after/a.yaml\n@@ -1 +1 @@\n-{FIVE}+{NINE}"
    )
    assert len(log.partitions[0]) == 1
    rules.write_text(FIVE)
    assert typed("diff", "rules").output == (
        f"rules: nothing is different, {latest(log)} was published last\n"
    )


def test_an_earlier_policy_is_put_in_force_again(log: Log, rules: Path) -> None:
    """At night, nobody should have to look for the files of last week."""
    publish()
    first = latest(log)
    rules.write_text(NINE)
    publish()
    second = latest(log)

    back = typed("rollback", "--author", "ben", "--reason", "too deaf")
    counted = "1 rule, 0 channels, 0 routes, 0 probes\n"
    assert back.output == f"policy {first} by ana: {first} published, +1 -1 lines, {counted}"
    message = log.partitions[1][-1]
    assert (message.files, message.author, message.reason) == ({"a.yaml": FIVE}, "ben", "too deaf")

    # It is rolled back itself, and any of them by the beginning of its digest.
    assert typed("rollback", "--reason", "x").output.startswith(f"policy {second} by ana: {second}")
    chosen = ("rollback", first[:6], "--author", "cem", "--reason", "x")
    assert typed(*chosen).exit_code == 0
    assert latest(log) == first
    assert (
        typed(*chosen).output
        == f"policy {first} by cem: nothing to publish, {first} is in force, {counted}"
    )


def test_what_cannot_be_rolled_back_to_is_said(log: Log, rules: Path) -> None:
    assert typed("rollback", "--reason", "x").stderr == "Error: no policy was published yet\n"
    publish()
    first = latest(log)
    assert typed("rollback", "--reason", "x").stderr == (
        f"Error: there is none before {first}, or the log has it no longer\n"
    )
    assert typed("rollback", "zz", "--reason", "x").stderr == (
        f"Error: no policy was published whose digest begins with 'zz'; there are {first}\n"
    )
    rules.write_text(NINE)
    publish()
    digests = ", ".join(sorted([first, latest(log)]))
    assert typed("rollback", "", "--reason", "x").stderr == (
        f"Error: several digests begin with '': {digests}\n"
    )


def test_an_earlier_policy_that_cannot_be_used_any_more_is_refused(
    log: Log, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers would refuse it one by one."""
    monkeypatch.setenv("LIMIT", "5")
    rules.write_text(FIVE.replace("threshold: 5", "threshold: '${LIMIT}'"))
    publish()
    first = latest(log)
    rules.write_text(NINE)
    publish()
    monkeypatch.delenv("LIMIT")
    assert typed("rollback", "--reason", "x").stderr == (
        f"policy {first} by ana cannot be used:\n"
        "  a.yaml:1: rules[0].threshold: the environment has no LIMIT; set it, or write ${LIMIT:-a default}\n"
    )
    assert latest(log) != first


def test_two_who_publish_at_once_are_told(log: Log, rules: Path) -> None:
    """Partitions would go on under two policies, and nobody know."""
    other = NINE.replace("busy", "busier")

    def mixing() -> None:
        log.add(other, "ben", 0)
        log.partitions[1].append(log.partitions[0].pop().model_copy(update={"partition": 1}))

    # Ours is last in one partition, theirs in the other.
    async def publish_first(settings: Settings, messages: Sequence[PolicyV1]) -> None:
        log.partitions[0].append(messages[0])
        log.partitions[1].append(messages[1])
        mixing()

    publish()
    rules.write_text(NINE)
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(policies, "publish", publish_first)
        result = publish()
    theirs = short(log.partitions[1][-1].sha256)
    assert result.stderr == (
        f"Error: ben published {theirs} at the same time (why), and it is in force where it came last: "
        "agree, and publish again\n"
    )
    assert result.exit_code == 1


def test_who_replaces_what_was_published_a_moment_ago_is_told(log: Log, rules: Path) -> None:
    """A colleague's change would be gone without a word."""
    publish()
    rules.write_text(NINE)
    log.meanwhile = lambda: log.add(NINE.replace("busy", "busier"), "ben")
    result = publish()
    theirs = short(log.partitions[0][-2].sha256)
    assert result.stderr == (
        f"  warning: ben had just published {theirs} (why), which this one replaces without knowing it: "
        "`tocsin policy log --diff` shows what it changed\n"
    )
    assert result.exit_code == 0
    assert latest(log) in result.stdout


def test_a_policy_of_too_many_files_is_refused(log: Log, rules: Path) -> None:
    """It ended in a traceback."""
    for number in range(1_001):
        (rules.parent / f"{number}.yaml").write_text("rules:\n")
    result = publish()
    assert result.stderr.splitlines()[-1].startswith(
        "Error: the policy cannot be published: files: "
    )
    assert result.exit_code == 1
