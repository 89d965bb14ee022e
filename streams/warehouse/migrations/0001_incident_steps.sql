-- The step's time, tenant and id never change: the same step always meets its own key in its own partition.
CREATE TABLE IF NOT EXISTS incident_steps
(
    tenant LowCardinality(String) COMMENT 'Scope of the incident number',
    incident_id String COMMENT 'INC-YYYY-MM-DD-NNN' CODEC(ZSTD(1)),
    sequence UInt32 COMMENT '1 for the first step of the incident, none left out' CODEC(T64, ZSTD(1)),
    step_id String COMMENT 'Function of incident and sequence' CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened, event time' CODEC(Delta(8), ZSTD(1)),
    kind LowCardinality(String) COMMENT 'What happened: opened, acknowledged, resolved, …',
    author LowCardinality(String) COMMENT 'Who did it; tocsin where nobody did',
    source LowCardinality(String) COMMENT 'Where it came from: alert, clock, cli, board, chat, api',
    reason String COMMENT 'Why it happened' CODEC(ZSTD(3)),
    detail String COMMENT 'What was said with it' CODEC(ZSTD(3)),
    trigger_id String COMMENT 'Alert, command or tick that asked for it' CODEC(ZSTD(1)),
    status_before LowCardinality(String) COMMENT 'Status before; empty for the first step',
    status LowCardinality(String) COMMENT 'Status after',
    severity UInt8 COMMENT 'Severity after: 1 critical to 4 low',
    service LowCardinality(String) COMMENT 'The service that the incident began with',
    drill Bool COMMENT 'Whether it is an exercise',
    origins Array(Tuple(topic String, partition UInt32, offset UInt64))
        COMMENT 'Records of the log that it rests on' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, incident_id, sequence, step_id)
COMMENT 'Every step of every incident, one row each; read it through incident_timeline';
