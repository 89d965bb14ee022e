-- Written whole by the one hop that counts, whenever a count has grown: the row with the larger version replaces the other.
-- A count never shrinks, so a repeat of an older row changes nothing.
CREATE TABLE IF NOT EXISTS signals_by_minute
(
    tenant LowCardinality(String) COMMENT 'Scope of the service',
    service LowCardinality(String) COMMENT 'The service that the signals are about',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    kind LowCardinality(String) COMMENT 'health, metric, log or external',
    minute DateTime('UTC') COMMENT 'First second of the minute, event time' CODEC(DoubleDelta, ZSTD(1)),
    partition UInt32 COMMENT 'Partition that they came through: each has one writer' CODEC(T64, ZSTD(1)),
    version UInt64 COMMENT 'Grows with every count of this row' CODEC(T64, ZSTD(1)),
    signals UInt64 COMMENT 'How many there were' CODEC(T64, ZSTD(1)),
    good UInt64 COMMENT 'Health checks that found it healthy' CODEC(T64, ZSTD(1)),
    bad UInt64 COMMENT 'Health checks that found it unhealthy or degraded' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, service, environment, kind, minute, partition)
COMMENT 'How many signals each service sent in each minute; read them through service_minutes';

CREATE OR REPLACE VIEW service_minutes AS
SELECT
    s.tenant AS tenant,
    s.service AS service,
    s.environment AS environment,
    s.minute AS minute,
    sum(s.signals) AS signals,
    sum(s.good) AS good,
    sum(s.bad) AS bad
FROM signals_by_minute AS s FINAL
GROUP BY tenant, service, environment, minute
COMMENT 'Signals of each service in each minute, and how its health checks ended';
