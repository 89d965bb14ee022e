-- Which services send most telemetry, and how much of it is bad?
SELECT
    service,
    kind,
    sum(signals) AS sent,
    sum(bad) AS bad_ones,
    round(bad_ones / sent, 4) AS share_bad
FROM signal_minutes
GROUP BY service, kind
ORDER BY sent DESC, service, kind;
