"""A policy takes effect at its place among the records, and stays in force through a restart."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.contract import Unreadable
from schemas.lifecycle import StepV1
from schemas.policies import PolicyV1
from schemas.telemetry import MetricV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, LIFECYCLE, METRICS, NOTICES, POLICIES, TopicDeclaration
from streams.agents.detect import DetectDesk
from streams.agents.governed import ENTRY, Folder, Governed, GovernedSkimming, Remade, desk_of
from streams.agents.governed import governed as under
from streams.agents.incidents import IncidentsDesk
from streams.detection.evaluation import Detector
from streams.detection.ledger import Keep
from streams.errors import Rejected
from streams.policy import Policy
from streams.releases import Release, digest, published_policy, released
from tests.recording import CountingDesk, Record

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
BUSY = "rules: [{name: busy, kind: threshold, metric: load, threshold: 5, severity: 2}]\n"
IDLE = "rules: [{name: idle, kind: threshold, metric: load, compare: '<', threshold: 5, severity: 2}]\n"


def policy(text: str, number: int = 0) -> PolicyV1:
    (message,) = released({"a.yaml": text}, None, Release("ana", f"the {number}th", AT), 1)
    return message


def record(topic: TopicDeclaration, message: Any) -> Record:
    return Record(topic.name, 0, 0, None, message.to_wire())


def load(value: float, second: int) -> Record:
    at = AT.replace(second=second)
    return record(METRICS, MetricV1(occurred_at=at, service="shop", name="load", value=value))


def folder(text: str = BUSY, **environment: str) -> Folder:
    return Folder("folder", digest({"a.yaml": text}), environment)


def governed(given: Folder | None = None, text: str = BUSY) -> Governed:
    rules = published_policy(policy(text), {}).rules
    return under("detect", DetectDesk(Detector(rules)), given or folder(text))


def said(decided: Any) -> list[tuple[str, str]]:
    found = [ALERTS.contract.from_wire(each.value) for each in decided]
    return [(each.rule, f"{each.state}: {each.reason}") for each in found]


def test_a_rule_holds_from_its_place_on_and_alerts_of_one_that_is_gone_end() -> None:
    """Signals would be judged by rules that were not in force, or an alert would fire for ever."""
    desk = governed()
    assert said(desk.hear(METRICS, load(9, 1))) == [("busy", "firing: load 9 > 5")]
    assert list(desk.hear(POLICIES, record(POLICIES, policy(IDLE)))) == []
    assert said(desk.hear(METRICS, load(9, 2))) == []
    assert said(desk.tick(TickV1(occurred_at=AT.replace(second=3), partition=0))) == [
        ("busy", "resolved: the policy has no such rule any more")
    ]
    assert said(desk.hear(METRICS, load(3, 4))) == [("idle", "firing: load 3 < 5")]


def test_a_desk_is_found_behind_its_policy() -> None:
    """Nobody would see what rules cost and leave out, and no notice would be delivered."""
    desk = DetectDesk(Detector([]))
    assert desk_of(desk, DetectDesk) is desk_of(under("detect", desk, folder()), DetectDesk) is desk
    with pytest.raises(TypeError, match="CountingDesk is not the desk of this hop"):
        desk_of(CountingDesk(), DetectDesk)


def test_whoever_takes_over_goes_on_under_the_policy_that_was_in_force(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A restart would put an old folder in force."""
    desk = governed()
    desk.hear(POLICIES, record(POLICIES, policy(IDLE)))
    desk.hear(METRICS, load(3, 1))
    kept = {name: entry for name, entry in desk.changes().items() if entry is not None}
    assert ENTRY in kept
    # Written once, not with each entry.
    assert ENTRY not in desk.changes()

    with caplog.at_level(logging.WARNING):
        after, other = governed(shared := folder()), governed(shared)
        after.restore(kept)
        other.restore(kept)
    assert said(after.hear(METRICS, load(9, 2))) == [("idle", "resolved: load 9 is not < 5")]
    # Once for all partitions of a worker.
    (told,) = [each.getMessage() for each in caplog.records]
    assert told == (
        f"folder not in force hop=detect folder=folder in_force={policy(IDLE).sha256[:12]} author=ana "
        "published_at=2026-11-24T12:00:00+00:00 "
        "hint=`tocsin policy publish folder` puts the folder in force"
    )


def test_a_folder_that_is_in_force_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings that mean nothing are soon not read."""
    with caplog.at_level(logging.WARNING):
        governed().restore({ENTRY: policy(BUSY).to_wire()})
        # What a worker was started with is no news once something else was published.
        governed().hear(POLICIES, record(POLICIES, policy(IDLE)))
    assert caplog.records == []


def test_without_a_published_policy_the_folder_holds() -> None:
    """An installation would have to publish before it alerts."""
    desk = governed()
    desk.restore({})
    assert said(desk.hear(METRICS, load(9, 1))) == [("busy", "firing: load 9 > 5")]
    assert ENTRY not in desk.changes()


def test_a_policy_that_this_worker_cannot_use_is_put_aside_and_the_old_one_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A variable that is missing on one machine would stop its alerts."""
    before = refused()
    desk = governed()
    needs = policy("probes: [{name: a, service: s, url: 'http://${WHERE}'}]")
    with caplog.at_level(logging.ERROR), pytest.raises(Rejected) as refusal:
        desk.hear(POLICIES, record(POLICIES, needs))
    assert str(refusal.value) == "the policy cannot be used by this worker: its log says why"
    assert said(desk.hear(METRICS, load(9, 1))) == [("busy", "firing: load 9 > 5")]
    assert ENTRY not in desk.changes()
    assert refused() == before + 1
    assert caplog.records[0].getMessage() == (
        f"policy not used hop=detect partition=0 policy={needs.sha256[:12]} "
        "instead=the one before stays in force "
        f"problems=policy {needs.sha256[:12]} by ana cannot be used:; "
        "a.yaml:1: probes[0].url: the environment has no WHERE; set it, or write ${WHERE:-a default}"
    )
    # With it, it can.
    able = governed(folder(WHERE="127.0.0.1"))
    able.hear(POLICIES, record(POLICIES, needs))
    assert able.in_force == needs


def test_a_journaled_policy_that_cannot_be_used_any_more_does_not_stop_the_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody would be there to hear of a better one."""
    desk = governed()
    with caplog.at_level(logging.ERROR):
        desk.restore({ENTRY: policy("rules: [{kind: gone}]").to_wire()})
    assert "instead=the folder's is used" in caplog.records[0].getMessage()
    assert said(desk.hear(METRICS, load(9, 1))) == [("busy", "firing: load 9 > 5")]
    desk.hear(POLICIES, record(POLICIES, policy(IDLE)))
    assert said(desk.hear(METRICS, load(3, 2))) == [("idle", "firing: load 3 < 5")]


def test_what_is_no_policy_is_put_aside() -> None:
    """Anybody who may write to the topic would stop all workers."""
    with pytest.raises(Unreadable):
        governed().hear(POLICIES, Record(POLICIES.name, 0, 0, None, b"{"))


def test_a_policy_whose_digest_is_another_one_s_is_put_aside() -> None:
    """Two policies would be taken for the same one."""
    forged = policy(IDLE).model_copy(update={"sha256": policy("rules: []\n").sha256})
    with pytest.raises(Rejected) as refusal:
        governed().hear(POLICIES, record(POLICIES, forged))
    assert str(refusal.value) == "sha256: is not the digest of the files"


def test_with_a_new_policy_everything_is_written_down() -> None:
    """What was heard under the old rules would be read again under the new ones."""
    desk = governed()
    assert isinstance(desk, GovernedSkimming)
    desk.begin({METRICS.name: 0})
    # Nothing is told of it, so it can wait, and is read again from its place on.
    desk.hear(METRICS, load(1, 1))
    assert desk.write_down({METRICS.name: 1, POLICIES.name: 0}, Keep.TOLD).resume == {
        METRICS.name: 0
    }
    desk.hear(POLICIES, record(POLICIES, policy(IDLE)))
    entries, resume = desk.write_down({METRICS.name: 1, POLICIES.name: 1}, Keep.TOLD)
    assert ENTRY in entries
    assert resume == {METRICS.name: 1, POLICIES.name: 1}


@dataclass
class Noting:
    """A desk that notes under which policies it was."""

    used: list[Policy] = field(default_factory=list)

    def use(self, given: Policy) -> None:
        self.used.append(given)

    def restore(self, entries: Any) -> None:
        self.restored = dict(entries)

    def changes(self) -> dict[str, bytes | None]:
        return {}


def test_the_same_policy_again_changes_nothing_and_partitions_share_what_was_read() -> None:
    """A repeat would rebuild everything, once for each partition."""
    shared = folder()
    one, other = Noting(), Noting()
    for desk in (one, other):
        partition = Governed("notify", desk, shared)  # type: ignore[arg-type]
        partition.hear(POLICIES, record(POLICIES, policy(IDLE)))
        partition.hear(POLICIES, record(POLICIES, policy(IDLE, number=2)))
    assert len(one.used) == len(other.used) == 1
    assert one.used[0] is other.used[0]


def test_incidents_go_on_under_the_new_routes_and_times() -> None:
    """People would be told by an old plan until somebody restarts."""
    channels = "channels: {a: {kind: slack, url: 'http://x'}, b: {kind: slack, url: 'http://x'}}\n"
    before = f"{channels}routes: [{{channels: [a]}}]\nincidents: {{auto_resolve_after: 10m}}\n"
    after = f"{channels}routes: [{{channels: [b]}}]\nincidents: {{auto_resolve_after: 10s}}\n"
    given = published_policy(policy(before), {})

    desk = under("incidents", Remade(IncidentsDesk.under, given), folder(before))
    detect = governed()

    def passed_on(decided: Any, second: int) -> list[str]:
        for alert in decided:
            desk.hear(ALERTS, Record(ALERTS.name, 0, 0, None, alert.value))
        said = desk.tick(TickV1(occurred_at=AT.replace(second=second), partition=0))
        notices = [
            NOTICES.contract.from_wire(each.value) for each in said if each.topic == NOTICES.name
        ]
        return [f"{notice.purpose} to {notice.channel}" for notice in notices]

    assert passed_on(detect.hear(METRICS, load(9, 1)), 1) == ["initial to a"]
    desk.hear(POLICIES, record(POLICIES, policy(after)))
    assert passed_on(detect.hear(METRICS, load(1, 2)), 2) == []
    decided = list(desk.tick(TickV1(occurred_at=AT.replace(second=12), partition=0)))
    # What happened before the change is still to be written down.
    assert any("INC-" in name for name in desk.changes())
    (step,) = [StepV1.from_wire(each.value) for each in decided if each.topic == LIFECYCLE.name]
    assert step.kind == "resolved"
    told = [
        NOTICES.contract.from_wire(each.value) for each in decided if each.topic == NOTICES.name
    ]
    assert [each.channel for each in told] == ["b"]


def test_a_desk_that_is_made_anew_forgets_nothing_that_is_not_written_down_yet() -> None:
    """What a record changed just before the policy would be gone after the next crash."""
    made: list[CountingDesk] = []

    def make(_: Policy) -> CountingDesk:
        made.append(CountingDesk())
        return made[-1]

    desk = Remade(make, Policy())
    desk.restore({"a": b"4", "b": b"1"})
    desk.hear(METRICS, Record(METRICS.name, 0, 0, b"a", b""))
    desk.use(Policy())
    desk.hear(METRICS, Record(METRICS.name, 0, 1, b"b", b""))
    assert made[1].counts == {"a": 5, "b": 2}
    assert desk.changes() == {"a": b"5", "b": b"2"}
    assert desk.changes() == {}

    # What is gone stays gone: an incident that is over would come back to life.
    made[1].changed = {"a": None}
    desk.use(Policy())
    assert made[2].counts == {"b": 2}
    assert desk.changes() == {"a": None}


def refused() -> float:
    return REGISTRY.get_sample_value("tocsin_policy_refused_total", {"hop": "detect"}) or 0.0
