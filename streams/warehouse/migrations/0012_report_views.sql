-- Response ends when somebody takes it, or when it is over and nobody had to. The clock of the resolution stands still
-- while it is resolved. Judged by the worst severity it ever had, and by the policy of the moment it was detected in.
CREATE OR REPLACE VIEW deadlines AS
SELECT
    i.tenant AS tenant,
    i.incident_id AS incident_id,
    i.severity AS severity,
    i.severity_peak AS severity_peak,
    i.service AS service,
    i.services AS services,
    i.owner AS owner,
    i.summary AS summary,
    i.detected_at AS detected_at,
    coalesce(i.acknowledged_at, i.resolved_at) AS responded_at,
    i.resolved_at AS resolved_at,
    l.name AS level,
    l.respond_seconds AS respond_seconds,
    l.resolve_seconds AS resolve_seconds,
    addMicroseconds(i.detected_at, toInt64(l.respond_seconds * 1e6)) AS respond_due,
    addMicroseconds(i.detected_at, toInt64((l.resolve_seconds + i.seconds_resolved) * 1e6)) AS resolve_due,
    multiIf(
        responded_at IS NOT NULL, if(responded_at <= respond_due, 'met', 'missed'),
        now64(6, 'UTC') > respond_due, 'missed', 'waiting') AS response,
    multiIf(
        i.resolved_at IS NOT NULL, if(i.resolved_at <= resolve_due, 'met', 'missed'),
        now64(6, 'UTC') > resolve_due, 'missed', 'waiting') AS resolution
FROM counted_incidents AS i
ASOF LEFT JOIN (SELECT * FROM severity_levels FINAL) AS l
    ON i.severity_peak = l.severity AND i.detected_at >= l.valid_from
COMMENT 'When each incident had to be responded to and resolved, and whether it was; waiting where it still can be';

-- The first one begins where the incident started, which can be before it was detected and can be corrected.
CREATE OR REPLACE VIEW incident_outages AS
SELECT
    i.tenant AS tenant,
    i.incident_id AS incident_id,
    i.service AS service,
    i.services AS services,
    i.owner AS owner,
    i.severity AS severity,
    i.severity_peak AS severity_peak,
    i.detected_at AS detected_at,
    if(turn.1 = t.turns[1].1, i.started_at, turn.2) AS down_from,
    turn.4 AS down_until
FROM counted_incidents AS i
INNER JOIN
(
    SELECT
        tenant,
        incident_id,
        arraySort(groupArray((sequence, occurred_at, open))) AS turns,
        arrayFilter(
            it -> it.3,
            arrayMap(
                (turn, following) -> (turn.1, turn.2, turn.3, if(following.1 = 0, NULL, following.2)),
                turns,
                arrayShiftLeft(turns, 1)
            )
        ) AS openings
    FROM incident_turns FINAL
    GROUP BY tenant, incident_id
) AS t ON i.tenant = t.tenant AND i.incident_id = t.incident_id
ARRAY JOIN t.openings AS turn
COMMENT 'The times in which each incident was open, one row each; down_until is NULL while it is';
