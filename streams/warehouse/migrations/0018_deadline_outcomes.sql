CREATE OR REPLACE VIEW deadline_outcomes AS
SELECT
    d.tenant AS tenant,
    d.incident_id AS incident_id,
    d.severity AS severity,
    d.severity_peak AS severity_peak,
    d.service AS service,
    d.owner AS owner,
    d.detected_at AS detected_at,
    one.1 AS promise,
    one.2 AS due_at,
    one.3 AS ended_at,
    one.4 AS outcome,
    dateDiff('microsecond', due_at, ended_at) / 1e6 AS seconds_over
FROM deadlines AS d
ARRAY JOIN
[
    ('response', d.respond_due, d.responded_at, d.response),
    ('resolution', d.resolve_due, d.resolved_at, d.resolution)
] AS one
COMMENT 'Which promise about which incident was met or missed, one row for each promise';

ALTER TABLE deadline_outcomes COMMENT COLUMN promise 'response or resolution',
    COMMENT COLUMN due_at 'Until when it had to be met',
    COMMENT COLUMN ended_at 'When somebody took the incident, or when it was over; NULL until then',
    COMMENT COLUMN outcome 'met, missed, or waiting where it can still be met',
    COMMENT COLUMN seconds_over 'How long after it was due that was; negative where there was time left, NULL until then';
