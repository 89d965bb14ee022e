CREATE TABLE IF NOT EXISTS severity_levels
(
    severity UInt8 COMMENT '1 critical to 4 low',
    valid_from DateTime64(6, 'UTC') COMMENT 'Incidents that were detected from then on are judged by it',
    name LowCardinality(String) COMMENT 'One word for it',
    respond_seconds Float64 COMMENT 'How soon somebody must be on it, in seconds after detection',
    resolve_seconds Float64 COMMENT 'How soon it must be over, in seconds after detection',
    written_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When the policy said so to the warehouse'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (severity, valid_from)
COMMENT 'What severities promise, as the policy said over time; `tocsin migrate` writes it';

-- What holds where no policy was read: the defaults of the policy.
INSERT INTO severity_levels (severity, valid_from, name, respond_seconds, resolve_seconds, written_at) VALUES
    (1, '1970-01-01 00:00:00', 'critical', 900, 3600, '1970-01-01 00:00:00'),
    (2, '1970-01-01 00:00:00', 'high', 1800, 14400, '1970-01-01 00:00:00'),
    (3, '1970-01-01 00:00:00', 'medium', 7200, 86400, '1970-01-01 00:00:00'),
    (4, '1970-01-01 00:00:00', 'low', 86400, 604800, '1970-01-01 00:00:00');
