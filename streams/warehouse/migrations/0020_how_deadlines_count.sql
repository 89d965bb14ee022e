-- A deadline on the next business day is no number of seconds. Rows from before say nothing: they read as around the clock.
ALTER TABLE severity_levels ADD COLUMN IF NOT EXISTS respond_counted LowCardinality(String) DEFAULT ''
    COMMENT 'business hours or next business day; empty around the clock' AFTER resolve_seconds;
ALTER TABLE severity_levels ADD COLUMN IF NOT EXISTS resolve_counted LowCardinality(String) DEFAULT ''
    COMMENT 'business hours; empty around the clock' AFTER respond_counted;

-- The default of the policy, in place of the row without it.
INSERT INTO severity_levels (severity, valid_from, name, respond_seconds, resolve_seconds, respond_counted, written_at) VALUES
    (4, '1970-01-01 00:00:00', 'low', 86400, 604800, 'next business day', '1970-01-01 00:00:01');

-- As before, and how each deadline was counted: what was not recorded by the incident is counted around the clock.
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
    if(i.respond_by IS NULL, '', l.respond_counted) AS respond_counted,
    if(i.resolve_by IS NULL, '', l.resolve_counted) AS resolve_counted,
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

ALTER TABLE deadlines COMMENT COLUMN responded_at 'When somebody took it, or when it was over and nobody had to; NULL until then',
    COMMENT COLUMN level 'Name of its worst severity in the policy of that time',
    COMMENT COLUMN respond_counted 'business hours or next business day; empty around the clock, as where the incident recorded no deadline',
    COMMENT COLUMN resolve_counted 'business hours; empty around the clock, as where the incident recorded no deadline',
    COMMENT COLUMN respond_due 'Until when somebody had to take it',
    COMMENT COLUMN resolve_due 'Until when it had to be over; later by the time it was resolved before it came back',
    COMMENT COLUMN response 'met, missed, or waiting where it can still be met',
    COMMENT COLUMN resolution 'met, missed, or waiting where it can still be met';
