"""What became of notices: delivered, given up or waiting, by channel, and how long it took from step to delivery."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict

from schemas.contract import Severity
from streams.warehouse.report import (
    Account,
    Chart,
    Column,
    Draw,
    Question,
    Recommendation,
    Row,
    Series,
    Shape,
    Table,
)
from streams.warehouse.scope import OF_NOTICES, InSpan

#: The latest attempt of each notice; one that another message told instead had none. Receipts carry the time of the step, as notices do. Joined by a hash of the key, 128 bits:
#: three texts for each row cost several times as much.
BY_CHANNEL: Final = """
SELECT
    channel,
    max(kind) AS channel_kind,
    count() AS notices,
    countIf(outcome = 'delivered') AS delivered,
    countIf(outcome = 'given_up') AS given_up,
    countIf(outcome = 'merged') AS merged,
    notices - delivered - given_up - merged AS waiting,
    sum(tries) AS attempts,
    countIf(tries > 1) AS repeated,
    avg(seconds) AS mean_seconds,
    quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(seconds) AS percentiles,
    percentiles[1] AS p50_seconds,
    percentiles[2] AS p90_seconds,
    percentiles[3] AS p95_seconds,
    percentiles[4] AS p99_seconds
FROM
(
    SELECT
        n.channel AS channel, r.kind AS kind, r.attempts AS tries, r.became AS outcome,
        if(r.became = 'delivered', dateDiff('microsecond', n.occurred_at, r.ended_at) / 1e6, NULL) AS seconds
    FROM
    (
        SELECT sipHash128(tenant, incident_id, notice_id) AS key, channel, occurred_at
        FROM notices FINAL {where} AND NOT drill
    ) AS n
    LEFT JOIN
    (
        SELECT
            sipHash128(tenant, incident_id, notice_id) AS key,
            countIf(outcome != 'merged') AS attempts,
            argMax(outcome, attempt) AS became,
            argMax(occurred_at, attempt) AS ended_at,
            max(channel_kind) AS kind
        FROM receipts FINAL
        WHERE requested_at >= {since:DateTime64(6, 'UTC')} AND requested_at < {until:DateTime64(6, 'UTC')}
        GROUP BY key
    ) AS r ON n.key = r.key
)
GROUP BY channel
ORDER BY notices DESC, channel
"""
REASONS: Final = """
SELECT channel, reason, count() AS attempts
FROM receipts FINAL {where} AND outcome NOT IN ('delivered', 'merged')
GROUP BY channel, reason
ORDER BY attempts DESC, channel, reason
LIMIT 10
"""
_ENOUGH: Final = 10
_LOST: Final = 0.01
_REPEATED: Final = 0.1
_OF_RECEIPTS: Final = {"tenant": OF_NOTICES["tenant"]}


class Notifications(InSpan):
    """Settings of the report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2024-03-01T00:00:00Z",
                    "until": "2024-04-01T00:00:00Z",
                    "severity": [1, 2],
                    "tenant": "default",
                }
            ]
        }
    )

    name: ClassVar = "notifications"
    title: ClassVar = "Notices and what became of them"

    severity: tuple[Severity, ...] = ()
    """Only notices of incidents of this severity then, 1 to 4; can be repeated."""

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {
            "channels": self.ask(BY_CHANNEL, moment="occurred_at", knows=OF_NOTICES),
            "reasons": self.ask(REASONS, moment="requested_at", knows=_OF_RECEIPTS),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        rows = answers["channels"]
        labels = tuple(row["channel"] for row in rows)
        return Account(
            tables=(
                Table(
                    "channels",
                    self.title,
                    (
                        Column("channel", "channel"),
                        Column("channel_kind", "kind"),
                        Column("notices", "notices", Shape.COUNT),
                        Column("delivered", "delivered", Shape.COUNT),
                        Column("given_up", "given up", Shape.COUNT),
                        Column("merged", "told with another", Shape.COUNT),
                        Column("waiting", "waiting", Shape.COUNT),
                        Column("attempts", "attempts", Shape.COUNT),
                        Column("repeated", "tried again", Shape.COUNT),
                        Column("mean_seconds", "mean", Shape.SECONDS),
                        Column("p50_seconds", "p50", Shape.SECONDS),
                        Column("p90_seconds", "p90", Shape.SECONDS),
                        Column("p95_seconds", "p95", Shape.SECONDS),
                        Column("p99_seconds", "p99", Shape.SECONDS),
                    ),
                    rows,
                ),
                Table(
                    "reasons",
                    "Why attempts failed",
                    (
                        Column("channel", "channel"),
                        Column("reason", "reason"),
                        Column("attempts", "attempts", Shape.COUNT),
                    ),
                    answers["reasons"],
                ),
            ),
            charts=(
                Chart(
                    "Notices by channel",
                    Draw.STACKED,
                    Shape.COUNT,
                    labels,
                    tuple(
                        Series(name.replace("_", " "), tuple(row[name] for row in rows))
                        for name in ("delivered", "given_up", "merged", "waiting")
                    ),
                ),
                Chart(
                    "From step to delivery",
                    Draw.BARS,
                    Shape.SECONDS,
                    labels,
                    tuple(
                        Series(name, tuple(row[f"{name}_seconds"] for row in rows))
                        for name in ("p50", "p90", "p99")
                    ),
                ),
            ),
            recommendations=tuple(_advice(rows)),
            notes=("Notices of exercises are left out. Reasons are of all severities.",),
        )


def _advice(rows: Sequence[Row]) -> list[Recommendation]:
    said = []
    for row in rows:
        if row["notices"] < _ENOUGH:
            continue
        if row["given_up"] >= _LOST * row["notices"]:
            said.append(
                Recommendation(
                    f"Mend channel {row['channel']}, and give it a fallback: notices are lost.",
                    f"{row['given_up']} of {row['notices']} given up",
                    f"at least {_ENOUGH} notices, at least {100 * _LOST:g} % given up",
                )
            )
        if row["repeated"] >= _REPEATED * row["notices"]:
            said.append(
                Recommendation(
                    f"Ask the provider of channel {row['channel']}: many notices need several attempts.",
                    f"{row['repeated']} of {row['notices']} tried again",
                    f"at least {_ENOUGH} notices, at least {100 * _REPEATED:g} % tried again",
                )
            )
    return said
