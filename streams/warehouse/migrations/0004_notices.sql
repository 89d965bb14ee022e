CREATE TABLE IF NOT EXISTS notices
(
    tenant LowCardinality(String) COMMENT 'The incident''s tenant',
    incident_id String COMMENT 'The incident' CODEC(ZSTD(1)),
    notice_id String COMMENT 'Idempotency key: function of incident, step and channel' CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the step happened that it tells of' CODEC(Delta(8), ZSTD(1)),
    step LowCardinality(String) COMMENT 'The step that it tells of',
    purpose LowCardinality(String) COMMENT 'initial, update or resolution',
    channel LowCardinality(String) COMMENT 'Name of the channel in the policy',
    reason String COMMENT 'Why this channel is told' CODEC(ZSTD(3)),
    severity UInt8 COMMENT 'Severity of the incident then',
    drill Bool COMMENT 'Whether it belongs to an exercise'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, incident_id, notice_id)
COMMENT 'What each channel should be told, one row each; read them through notice_outcomes';
