-- A block is so many consecutive offsets of a partition, always the same ones: its row of one series and minute can be made again.
-- Of two rows with the same key, the one that counted more of the block is the right one, whoever wrote it and when.
CREATE TABLE IF NOT EXISTS metric_rollups
(
    tenant LowCardinality(String) COMMENT 'Scope of the service',
    service LowCardinality(String) COMMENT 'The service that was measured',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    name LowCardinality(String) COMMENT 'Name of the metric',
    unit LowCardinality(String) COMMENT 'Unit of its values as a UCUM code',
    minute DateTime64(0, 'UTC') COMMENT 'First second of the minute, event time' CODEC(Delta(8), ZSTD(1)),
    partition UInt32 COMMENT 'Partition of the records that were counted' CODEC(T64, ZSTD(1)),
    block UInt64 COMMENT 'Which block of 32,768 offsets they stand in' CODEC(Delta(8), ZSTD(1)),
    signals UInt32 COMMENT 'How many values there were' CODEC(T64, ZSTD(1)),
    total Float64 COMMENT 'Their sum' CODEC(Gorilla, ZSTD(1)),
    lowest Float64 COMMENT 'The lowest of them' CODEC(Gorilla, ZSTD(1)),
    highest Float64 COMMENT 'The highest of them' CODEC(Gorilla, ZSTD(1)),
    last Float64 COMMENT 'The latest of them in event time' CODEC(Gorilla, ZSTD(1)),
    last_at DateTime64(6, 'UTC') COMMENT 'When that one was measured' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(signals)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, service, name, environment, unit, minute, partition, block)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Metrics counted by service and minute, a row for each block of records; read them through metric_minutes';

CREATE TABLE IF NOT EXISTS log_rollups
(
    tenant LowCardinality(String) COMMENT 'Scope of the service',
    service LowCardinality(String) COMMENT 'The service that logged',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    level LowCardinality(String) COMMENT 'trace, debug, info, warn, error or fatal',
    minute DateTime64(0, 'UTC') COMMENT 'First second of the minute, event time' CODEC(Delta(8), ZSTD(1)),
    partition UInt32 COMMENT 'Partition of the records that were counted' CODEC(T64, ZSTD(1)),
    block UInt64 COMMENT 'Which block of 32,768 offsets they stand in' CODEC(Delta(8), ZSTD(1)),
    signals UInt32 COMMENT 'How many log records of that level there were' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(signals)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, service, environment, level, minute, partition, block)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Log records counted by service, level and minute, a row for each block of records; read them through log_minutes';

CREATE TABLE IF NOT EXISTS external_rollups
(
    tenant LowCardinality(String) COMMENT 'Scope of the service',
    service LowCardinality(String) COMMENT 'The service that the alert is about',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    source LowCardinality(String) COMMENT 'The system that sent it',
    state LowCardinality(String) COMMENT 'firing or resolved',
    severity UInt8 COMMENT '1 critical to 4 low; 0 where the source does not say',
    minute DateTime64(0, 'UTC') COMMENT 'First second of the minute, event time' CODEC(Delta(8), ZSTD(1)),
    partition UInt32 COMMENT 'Partition of the records that were counted' CODEC(T64, ZSTD(1)),
    block UInt64 COMMENT 'Which block of 32,768 offsets they stand in' CODEC(Delta(8), ZSTD(1)),
    signals UInt32 COMMENT 'How many such messages there were' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(signals)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, service, environment, source, state, severity, minute, partition, block)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Alerts of other systems counted by service, source and minute, a row for each block of records; read them through external_minutes';

CREATE OR REPLACE VIEW metric_minutes AS
SELECT
    r.tenant AS tenant,
    r.service AS service,
    r.environment AS environment,
    r.name AS name,
    r.unit AS unit,
    r.minute AS minute,
    sum(r.signals) AS signals,
    min(r.lowest) AS lowest,
    max(r.highest) AS highest,
    sum(r.total) / sum(r.signals) AS mean,
    argMax(r.last, (r.last_at, r.partition, r.block)) AS last
FROM metric_rollups AS r FINAL
GROUP BY tenant, service, environment, name, unit, minute
COMMENT 'What each metric of each service was, minute by minute';

CREATE OR REPLACE VIEW log_minutes AS
SELECT
    r.tenant AS tenant,
    r.service AS service,
    r.environment AS environment,
    r.minute AS minute,
    sum(r.signals) AS signals,
    sumIf(r.signals, r.level = 'trace') AS traces,
    sumIf(r.signals, r.level = 'debug') AS debugs,
    sumIf(r.signals, r.level = 'info') AS infos,
    sumIf(r.signals, r.level = 'warn') AS warnings,
    sumIf(r.signals, r.level = 'error') AS errors,
    sumIf(r.signals, r.level = 'fatal') AS fatals
FROM log_rollups AS r FINAL
GROUP BY tenant, service, environment, minute
COMMENT 'How much each service logged at each level, minute by minute';

CREATE OR REPLACE VIEW external_minutes AS
SELECT
    r.tenant AS tenant,
    r.service AS service,
    r.environment AS environment,
    r.source AS source,
    r.minute AS minute,
    sum(r.signals) AS signals,
    sumIf(r.signals, r.state = 'firing') AS firing,
    sumIf(r.signals, r.state = 'resolved') AS resolved,
    minIf(r.severity, r.severity > 0) AS worst_severity
FROM external_rollups AS r FINAL
GROUP BY tenant, service, environment, source, minute
COMMENT 'What other systems said about each service, minute by minute';

CREATE OR REPLACE VIEW signal_minutes AS
SELECT tenant, service, environment, minute, 'health' AS kind, checks AS signals, bad
FROM service_minutes
UNION ALL
SELECT tenant, service, environment, minute, 'metrics' AS kind, sum(m.signals) AS signals, 0 AS bad
FROM metric_minutes AS m
GROUP BY tenant, service, environment, minute
UNION ALL
SELECT tenant, service, environment, minute, 'logs' AS kind, signals, errors + fatals AS bad
FROM log_minutes
UNION ALL
SELECT tenant, service, environment, minute, 'external' AS kind, sum(e.signals) AS signals, sum(e.firing) AS bad
FROM external_minutes AS e
GROUP BY tenant, service, environment, minute
COMMENT 'How much telemetry each service sent, minute by minute, and how much of it was bad';

ALTER TABLE metric_minutes COMMENT COLUMN mean 'Their mean';

ALTER TABLE log_minutes COMMENT COLUMN signals 'How many log records there were',
    COMMENT COLUMN traces 'Those of level trace',
    COMMENT COLUMN debugs 'Those of level debug',
    COMMENT COLUMN infos 'Those of level info',
    COMMENT COLUMN warnings 'Those of level warn',
    COMMENT COLUMN errors 'Those of level error',
    COMMENT COLUMN fatals 'Those of level fatal';

ALTER TABLE external_minutes COMMENT COLUMN signals 'How many messages there were',
    COMMENT COLUMN firing 'Those that said it fires',
    COMMENT COLUMN resolved 'Those that said it is over',
    COMMENT COLUMN worst_severity 'The worst that one of them named, 1 critical; 0 where none does';

ALTER TABLE signal_minutes COMMENT COLUMN minute 'First second of the minute, event time',
    COMMENT COLUMN kind 'health, metrics, logs or external',
    COMMENT COLUMN signals 'How many signals there were',
    COMMENT COLUMN bad 'Unhealthy checks, logs of level error and worse, firing alerts of other systems; metrics are never bad by themselves';
