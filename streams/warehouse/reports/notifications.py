"""What became of notices: delivered, given up or waiting, by channel, and how long it took from step to delivery."""

from collections.abc import Iterator
from typing import ClassVar, Final

from schemas.contract import Severity
from streams.warehouse.charts import bars, stacked
from streams.warehouse.columns import PERCENTILES, count, seconds, text
from streams.warehouse.measures import mean_and_percentiles
from streams.warehouse.report import Chart, Recommendation, Rows, Section, Shape
from streams.warehouse.scope import SPAN_EXAMPLE, InSpan, exampled
from streams.warehouse.subjects import NOTICES, RECEIPTS

#: The latest attempt of each notice; one that another message told instead had none. Receipts carry the time of the step, as notices do.
BY_CHANNEL: Final = f"""
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
    {mean_and_percentiles("seconds", also=(99,))}
FROM
(
    SELECT
        n.channel AS channel, r.kind AS kind, r.attempts AS tries, r.became AS outcome,
        if(r.became = 'delivered', dateDiff('microsecond', n.occurred_at, r.ended_at) / 1e6, NULL) AS seconds
    FROM (SELECT notice_key, channel, occurred_at FROM notices FINAL {{where}} AND NOT drill) AS n
    LEFT ANY JOIN
    (
        SELECT
            notice_key,
            countIf(outcome != 'merged') AS attempts,
            argMax(outcome, attempt) AS became,
            argMax(occurred_at, attempt) AS ended_at,
            any(channel_kind) AS kind
        FROM receipts FINAL
        WHERE requested_at >= {{since:DateTime64(6, 'UTC')}} AND requested_at < {{until:DateTime64(6, 'UTC')}}
        GROUP BY notice_key
    ) AS r ON n.notice_key = r.notice_key
)
GROUP BY channel
ORDER BY notices DESC, channel
"""
REASONS: Final = """
SELECT channel, reason, count() AS attempts
FROM receipts FINAL {where} AND outcome NOT IN ('delivered', 'merged')
    AND notice_key NOT IN
    (
        SELECT notice_key FROM notices FINAL
        WHERE drill AND occurred_at >= {since:DateTime64(6, 'UTC')} AND occurred_at < {until:DateTime64(6, 'UTC')}
    )
GROUP BY channel, reason
ORDER BY attempts DESC, channel, reason
LIMIT 10
"""
_ENOUGH: Final = 10
_LOST: Final = 0.01
_REPEATED: Final = 0.1


class Notifications(InSpan):
    """Settings of the report."""

    model_config = exampled(SPAN_EXAMPLE, severity=[1, 2])

    name: ClassVar = "notifications"
    title: ClassVar = "Notices and what became of them"

    severity: tuple[Severity, ...] = ()
    """Only notices of incidents of this severity then, 1 to 4; can be repeated."""

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "channels",
                self.title,
                (
                    text("channel"),
                    text("channel_kind", "kind"),
                    count("notices"),
                    count("delivered"),
                    count("given_up"),
                    count("merged", "told with another"),
                    count("waiting"),
                    count("attempts"),
                    count("repeated", "tried again"),
                    seconds("mean_seconds", "mean"),
                    *PERCENTILES,
                    seconds("p99_seconds", "p99"),
                ),
                BY_CHANNEL,
                NOTICES,
            ),
            Section(
                "reasons",
                "Why attempts failed",
                (text("channel"), text("reason"), count("attempts")),
                REASONS,
                RECEIPTS,
            ),
        )

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw what became of the notices of each channel, and how long it took."""
        yield stacked(
            "Notices by channel",
            Shape.COUNT,
            rows["channels"],
            label="channel",
            series={
                "delivered": "delivered",
                "given up": "given_up",
                "merged": "merged",
                "waiting": "waiting",
            },
        )
        yield bars(
            "From step to delivery",
            Shape.SECONDS,
            rows["channels"],
            label="channel",
            series={"p50": "p50_seconds", "p90": "p90_seconds", "p99": "p99_seconds"},
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on channels that lose notices, and on those that need several attempts."""
        for row in rows["channels"]:
            if row["notices"] < _ENOUGH:
                continue
            if row["given_up"] >= _LOST * row["notices"]:
                yield Recommendation(
                    f"Mend channel {row['channel']}, and give it a fallback: notices are lost.",
                    f"{row['given_up']} of {row['notices']} given up",
                    f"at least {_ENOUGH} notices, at least {100 * _LOST:g} % given up",
                )
            if row["repeated"] >= _REPEATED * row["notices"]:
                yield Recommendation(
                    f"Ask the provider of channel {row['channel']}: many notices need several attempts.",
                    f"{row['repeated']} of {row['notices']} tried again",
                    f"at least {_ENOUGH} notices, at least {100 * _REPEATED:g} % tried again",
                )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return ("Notices of exercises are left out. Reasons are of all severities.",)
