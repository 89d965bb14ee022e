-- Incidents say themselves until when somebody had to be on them, and until when they had to be over: in business hours,
-- on the next business day, later by what was not counted. Rows from before say nothing.
ALTER TABLE incidents ADD COLUMN IF NOT EXISTS respond_by Nullable(DateTime64(6, 'UTC'))
    COMMENT 'Until when somebody had to be on it; NULL where that was not recorded' CODEC(ZSTD(1));
ALTER TABLE incidents ADD COLUMN IF NOT EXISTS resolve_by Nullable(DateTime64(6, 'UTC'))
    COMMENT 'Until when it had to be over; NULL where that was not recorded' CODEC(ZSTD(1));

-- A view knows the columns that there were when it was made.
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

ALTER TABLE incidents_now COMMENT COLUMN severity_name 'One word for the severity';
ALTER TABLE incidents_now COMMENT COLUMN ttd_seconds 'From started to detected';
ALTER TABLE incidents_now COMMENT COLUMN tta_seconds 'From detected to acknowledged; NULL where nobody did';
ALTER TABLE incidents_now COMMENT COLUMN ttm_seconds 'From acknowledged to mitigated; NULL where one of them did not happen';
ALTER TABLE incidents_now COMMENT COLUMN ttr_seconds 'How long it was open; NULL while it is';

-- By its own deadlines, where it recorded them: else around the clock, as the policy of the moment it was detected in says
-- for the worst severity it ever had. What comes at the deadline comes too late. Response ends when somebody takes it, or
-- when it is over and nobody had to.
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
    ifNull(i.respond_by, addMicroseconds(i.detected_at, toInt64(l.respond_seconds * 1e6))) AS respond_due,
    ifNull(i.resolve_by, addMicroseconds(i.detected_at, toInt64((l.resolve_seconds + i.seconds_resolved) * 1e6))) AS resolve_due,
    multiIf(
        responded_at IS NOT NULL, if(responded_at < respond_due, 'met', 'missed'),
        now64(6, 'UTC') >= respond_due, 'missed', 'waiting') AS response,
    multiIf(
        i.resolved_at IS NOT NULL, if(i.resolved_at < resolve_due, 'met', 'missed'),
        now64(6, 'UTC') >= resolve_due, 'missed', 'waiting') AS resolution
FROM counted_incidents AS i
ASOF LEFT JOIN (SELECT * FROM severity_levels FINAL) AS l
    ON i.severity_peak = l.severity AND i.detected_at >= l.valid_from
COMMENT 'When each incident had to be responded to and resolved, and whether it was; waiting where it still can be';

ALTER TABLE deadlines COMMENT COLUMN responded_at 'When somebody took it, or when it was over and nobody had to; NULL until then';
ALTER TABLE deadlines COMMENT COLUMN level 'Name of its worst severity in the policy of that time';
ALTER TABLE deadlines COMMENT COLUMN respond_due 'Until when somebody had to take it';
ALTER TABLE deadlines COMMENT COLUMN resolve_due 'Until when it had to be over; later by the time it was resolved before it came back';
ALTER TABLE deadlines COMMENT COLUMN response 'met, missed, or waiting where it can still be met';
ALTER TABLE deadlines COMMENT COLUMN resolution 'met, missed, or waiting where it can still be met';
