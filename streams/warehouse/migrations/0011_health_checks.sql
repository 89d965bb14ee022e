-- A check is known by its place in the log: the same record, however often it is read, is the same row.
CREATE TABLE IF NOT EXISTS health_checks
(
    tenant LowCardinality(String) COMMENT 'Scope of the service',
    service LowCardinality(String) COMMENT 'The service that was asked',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it was asked, event time' CODEC(Delta(8), ZSTD(1)),
    partition UInt32 COMMENT 'Partition of the record that says so' CODEC(T64, ZSTD(1)),
    offset UInt64 COMMENT 'Its offset' CODEC(Delta(8), ZSTD(1)),
    place UInt16 COMMENT 'Which of the signals in that record it is' CODEC(T64, ZSTD(1)),
    environment LowCardinality(String) COMMENT 'Deployment environment',
    check LowCardinality(String) COMMENT 'Name of the check',
    status LowCardinality(String) COMMENT 'healthy, degraded or unhealthy',
    critical Bool COMMENT 'Whether the service is down without what was checked',
    latency_seconds Nullable(Float32) COMMENT 'How long the check took; NULL where nobody says' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, service, occurred_at, partition, offset, place)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Every result of a health check, one row each; read them through service_minutes';

CREATE OR REPLACE VIEW service_minutes AS
SELECT
    h.tenant AS tenant,
    h.service AS service,
    h.environment AS environment,
    toStartOfMinute(h.occurred_at) AS minute,
    count() AS checks,
    countIf(h.status = 'healthy') AS good,
    countIf(h.status = 'degraded') AS degraded,
    countIf(h.status = 'unhealthy') AS bad,
    avg(h.latency_seconds) AS mean_latency_seconds
FROM health_checks AS h FINAL
GROUP BY tenant, service, environment, minute
COMMENT 'How the health checks of each service ended, minute by minute';
