CREATE TABLE IF NOT EXISTS alerts
(
    tenant LowCardinality(String) COMMENT 'Scope inside which it correlates',
    rule LowCardinality(String) COMMENT 'The rule that found it',
    fingerprint String COMMENT 'Identity of the alert' CODEC(ZSTD(1)),
    sequence UInt64 COMMENT 'Number of the transition' CODEC(T64, ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the transition happened, event time' CODEC(Delta(8), ZSTD(1)),
    state LowCardinality(String) COMMENT 'firing, changed or resolved',
    severity UInt8 COMMENT '1 critical to 4 low',
    service LowCardinality(String) COMMENT 'The service it is about',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    labels Map(LowCardinality(String), String) COMMENT 'What tells it from others of its rule' CODEC(ZSTD(1)),
    group_key String COMMENT 'Alerts with the same one belong to one incident' CODEC(ZSTD(1)),
    summary String COMMENT 'What is wrong' CODEC(ZSTD(3)),
    reason String COMMENT 'Why the rule says so' CODEC(ZSTD(3)),
    value Nullable(Float64) COMMENT 'The value that decided' CODEC(ZSTD(1)),
    owner LowCardinality(String) COMMENT 'Team that owns the rule; empty where none is named',
    started_at DateTime64(6, 'UTC') COMMENT 'First bad signal of this episode' CODEC(Delta(8), ZSTD(1)),
    origins Array(Tuple(topic String, partition UInt32, offset UInt64))
        COMMENT 'Records of the log that decided' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, rule, fingerprint, sequence)
COMMENT 'Every transition of every alert, one row each; read them through alert_transitions';
