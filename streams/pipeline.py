"""
Every hop on one page: what it reads, what decides, what it writes.

=========  ======================================  ===========================================hop        reads                                   writes
=========  ======================================  ===========================================detect     telemetry.*, policies, clock.ticks      alerts
incidents  alerts, changes, silences,              incidents.lifecycle, incidents.current,
           incidents.commands, policies,           notices, alerts.withheld; alerts (about silences);
           clock.ticks                             clock.ticks (the leader; and early ones of its own)
notify     notices, policies, clock.ticks          receipts, and what channels are told
record     incidents.lifecycle, alerts, notices,   ClickHouse; mails scheduled reports (the leader)
           receipts, changes, telemetry.*
=========  ======================================  ===========================================
Every hop puts what it cannot process into the dead-letter topic of where it came from.

``faust -A streams.pipeline:detect worker`` and ``tocsin worker detect`` are the same.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.topics import DETECT_JOURNAL, INCIDENTS_JOURNAL, NOTIFY_JOURNAL
from streams.agents.app import HopApp
from streams.agents.collecting import collect_rarely
from streams.agents.detect import INPUTS as DETECT_INPUTS
from streams.agents.detect import DetectDesk
from streams.agents.governed import Folder, Remade, desk_of, governed
from streams.agents.haste import EarlyTicks
from streams.agents.hop import Hop
from streams.agents.incidents import INPUTS as INCIDENTS_INPUTS
from streams.agents.incidents import IncidentsDesk
from streams.agents.notify import INPUTS as NOTIFY_INPUTS
from streams.agents.notify import Notifier, NotifyDesk, delivery_rules
from streams.agents.record import Recorder
from streams.agents.rollups import RollUps
from streams.agents.rule_watch import RuleWatch
from streams.agents.tick import Ticker
from streams.detection.evaluation import Detector
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.clock import now
from streams.gateways.courier import Courier
from streams.gateways.couriers import Couriers
from streams.gateways.digests import Digests, policy_in_force
from streams.gateways.producer import partition_of
from streams.incidents.coverage import Coverage
from streams.notifications.delivery import Deliveries
from streams.notifications.shifts import TENANT
from streams.policy import Policy, read_policy
from streams.policy_duty import shifts_of
from streams.releases import digest, texts_of
from streams.settings import Settings, read_settings
from streams.telemetry.reading import Formats


def build(role: str, settings: Settings) -> HopApp:
    """
    Return the Faust app of *role*; nothing runs before it is started.

    Raises:
        PolicyError: The policy cannot be used.
        KeyError: There is no such role.
    """
    declare = ROLES[role]
    collect_rarely()
    app = HopApp.for_role(role, settings)
    declare(app)
    return app


def _policy(settings: Settings) -> tuple[Policy, Folder]:
    """Return the policy of the folder, which holds until one is published."""
    policy = read_policy(settings.policy)
    return policy, Folder(str(settings.policy), digest(texts_of(settings.policy)), os.environ)


def _detect(app: HopApp) -> None:
    policy, folder = _policy(app.settings)
    formats = Formats(policy.formats)
    watch = RuleWatch(app.emitter, now)
    app.need(watch)
    app.task(watch.keep_telling)
    app.on_partitions_revoked.connect(watch.on_revoked)

    def desk() -> DetectDesk:
        return DetectDesk(Detector(policy.watched_rules), app.settings.topic, formats)

    hop = Hop(
        app,
        name="detect",
        inputs=DETECT_INPUTS,
        journal=DETECT_JOURNAL,
        desk=lambda: governed("detect", desk(), folder),
    )
    watch.detectors = lambda: [
        desk_of(piece.desk, DetectDesk).detector for piece in list(hop.slices.values())
    ]


def _incidents(app: HopApp) -> None:
    policy, folder = _policy(app.settings)
    early = EarlyTicks("incidents", app.emitter, time.monotonic)

    home = partition_of(TENANT.encode(), app.settings.partitions)

    def desk(given: Policy) -> IncidentsDesk:
        return IncidentsDesk.under(
            given,
            clock=now,
            coverage=Coverage(given.schedules, given.plan.calendars),
            # Its partition has the incidents that are named.
            shifts=shifts_of(given.roster, given.channels, home),
            haste=early,
        )

    early.hop = Hop(
        app,
        name="incidents",
        inputs=INCIDENTS_INPUTS,
        journal=INCIDENTS_JOURNAL,
        desk=lambda: governed("incidents", Remade(desk, policy), folder),
    )
    ticker = Ticker(app.settings, app.emitter)
    app.need(ticker)
    app.task(lambda: ticker.keep_ticking(app.is_leader))
    app.task(early.keep_ticking)


def _notify(app: HopApp) -> None:
    policy, folder = _policy(app.settings)
    couriers = Couriers(lambda given: Courier(given.channels, given.templates), policy)
    app.need(couriers)
    notifier = Notifier(app, couriers, policy)
    notifier.hop = Hop(
        app,
        name="notify",
        inputs=NOTIFY_INPUTS,
        journal=NOTIFY_JOURNAL,
        desk=lambda: governed(
            "notify",
            NotifyDesk(Deliveries(delivery_rules(policy)), notifier.wake, notifier.use),
            folder,
        ),
    )


def _record(app: HopApp) -> None:
    policy = read_policy(app.settings.policy)
    warehouse, formats = (
        ClickHouse(app.settings.warehouse, app.settings.warehouse_ca),
        Formats(policy.formats),
    )
    Recorder(app, warehouse, formats)
    if policy.history.count_signals:
        RollUps(app, warehouse, formats)
    digests = Digests(warehouse, lambda: policy_in_force(app.settings, os.environ), now)
    app.task(lambda: digests.keep_looking(app.is_leader))


ROLES: Final[Mapping[str, Callable[[HopApp], None]]] = {
    "detect": _detect,
    "incidents": _incidents,
    "notify": _notify,
    "record": _record,
}


def __getattr__(name: str) -> Any:
    # `faust -A streams.pipeline:detect` asks for the app by its role: nothing here may be called like one.
    if name in ROLES:
        return build(name, read_settings())
    message = f"there is no hop {name!r}: it is one of {', '.join(ROLES)}"
    raise AttributeError(message)
