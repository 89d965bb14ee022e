-- FINAL counts a row once, however often its batch was sent and before any merge.
CREATE OR REPLACE VIEW incident_timeline AS
SELECT *
FROM incident_steps FINAL
ORDER BY tenant, incident_id, sequence
COMMENT 'What happened to each incident, in order';

-- TTD = detected - started, TTA = acknowledged - detected, TTM = mitigated - acknowledged,
-- TTR = resolved - started without the time it was resolved before it came back.
-- NULL where the milestone was not reached; zero where the clocks of two systems put it before the one it follows.
CREATE OR REPLACE VIEW incidents_now AS
WITH
    -- Not greatest(0, …): it makes a zero of NULL.
    (seconds -> if(seconds < 0, 0, seconds)) AS never_negative
SELECT
    *,
    transform(severity, [1, 2, 3, 4], ['critical', 'high', 'medium', 'low'], 'unknown') AS severity_name,
    never_negative(dateDiff('microsecond', started_at, detected_at) / 1e6) AS ttd_seconds,
    never_negative(dateDiff('microsecond', detected_at, acknowledged_at) / 1e6) AS tta_seconds,
    never_negative(dateDiff('microsecond', acknowledged_at, mitigated_at) / 1e6) AS ttm_seconds,
    never_negative(dateDiff('microsecond', started_at, resolved_at) / 1e6 - seconds_resolved) AS ttr_seconds
FROM incidents FINAL
COMMENT 'Incidents as they stand, with their times in seconds';

-- A merged incident leaves every figure to the one that took it over; an exercise is in none.
CREATE OR REPLACE VIEW counted_incidents AS
SELECT *
FROM incidents_now
WHERE status != 'merged' AND NOT drill
COMMENT 'Incidents that count in figures: neither merged into another nor an exercise';

CREATE OR REPLACE VIEW open_incidents AS
SELECT *
FROM incidents_now
WHERE status IN ('investigating', 'identified', 'monitoring')
ORDER BY severity, detected_at
COMMENT 'Incidents that somebody should work on, the worst first';

CREATE OR REPLACE VIEW mttr_by_severity AS
SELECT
    severity,
    severity_name,
    count() AS incidents,
    count(ttr_seconds) AS resolved,
    avg(ttr_seconds) AS mean_seconds,
    quantileExactInclusive(0.5)(ttr_seconds) AS p50_seconds,
    quantileExactInclusive(0.9)(ttr_seconds) AS p90_seconds
FROM counted_incidents
GROUP BY severity, severity_name
ORDER BY severity
COMMENT 'Time to resolve of all incidents, by current severity';

CREATE OR REPLACE VIEW mttr_by_month AS
SELECT
    toStartOfMonth(detected_at) AS month,
    count() AS incidents,
    count(ttr_seconds) AS resolved,
    countIf(reopen_count > 0) AS reopened,
    avg(ttr_seconds) AS mean_seconds,
    quantileExactInclusive(0.5)(ttr_seconds) AS p50_seconds,
    quantileExactInclusive(0.9)(ttr_seconds) AS p90_seconds
FROM counted_incidents
GROUP BY month
ORDER BY month
COMMENT 'Time to resolve of all incidents, by the month they were detected in';

CREATE OR REPLACE VIEW alert_transitions AS
SELECT *
FROM alerts FINAL
ORDER BY tenant, occurred_at, fingerprint, sequence
COMMENT 'When each alert began, changed and ended';

CREATE OR REPLACE VIEW notice_outcomes AS
SELECT
    n.tenant AS tenant,
    n.incident_id AS incident_id,
    n.notice_id AS notice_id,
    n.purpose AS purpose,
    n.channel AS channel,
    n.severity AS severity,
    n.drill AS drill,
    n.reason AS reason,
    n.occurred_at AS requested_at,
    r.attempts AS attempts,
    if(r.attempts = 0, 'waiting', r.outcome) AS outcome,
    r.outcome_reason AS outcome_reason,
    if(r.outcome = 'delivered', dateDiff('microsecond', n.occurred_at, r.ended_at) / 1e6, NULL) AS seconds_to_delivery
FROM (SELECT * FROM notices FINAL) AS n
LEFT JOIN
(
    SELECT
        tenant,
        incident_id,
        notice_id,
        max(attempt) AS attempts,
        argMax(outcome, attempt) AS outcome,
        argMax(reason, attempt) AS outcome_reason,
        argMax(occurred_at, attempt) AS ended_at
    FROM receipts FINAL
    GROUP BY tenant, incident_id, notice_id
) AS r ON n.tenant = r.tenant AND n.incident_id = r.incident_id AND n.notice_id = r.notice_id
COMMENT 'What became of each notice, with the latest attempt';
