-- Said by who counts the hours, with the policy of the time: nothing is worked out here.
CREATE TABLE IF NOT EXISTS deadline_snapshots
(
    tenant LowCardinality(String) COMMENT 'Scope of the incident',
    opened_on Date COMMENT 'The day in the incident''s id',
    incident_id String COMMENT 'The incident' CODEC(ZSTD(1)),
    promise LowCardinality(String) COMMENT 'response or resolution',
    sequence UInt32 COMMENT 'The step after which it stood so' CODEC(T64, ZSTD(1)),
    due_at DateTime64(6, 'UTC') COMMENT 'Until when it had to be kept, business hours counted where the policy says so' CODEC(Delta(8), ZSTD(1)),
    ended_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When somebody took the incident, or when it was resolved; NULL until then' CODEC(ZSTD(1)),
    outcome LowCardinality(String) COMMENT 'kept, missed, or waiting where it can still be kept',
    severity_peak UInt8 COMMENT 'Worst severity of the incident: what it is judged by',
    service LowCardinality(String) COMMENT 'The service the incident began with',
    owner LowCardinality(String) COMMENT 'Team that owns the incident; empty where none does',
    counts Bool COMMENT 'Whether it is in figures: neither an exercise nor merged into another'
)
ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(opened_on)
ORDER BY (tenant, opened_on, incident_id, promise)
COMMENT 'The deadlines of each incident after each of its steps; read them through deadline_outcomes';

CREATE OR REPLACE VIEW deadline_outcomes AS
SELECT
    tenant,
    incident_id,
    promise,
    due_at,
    ended_at,
    outcome,
    dateDiff('microsecond', due_at, ended_at) / 1e6 AS seconds_over,
    severity_peak,
    service,
    owner
FROM deadline_snapshots FINAL
WHERE counts
COMMENT 'Which deadline of which incident was kept or missed, as it was counted when it happened';

ALTER TABLE deadline_outcomes COMMENT COLUMN seconds_over 'How long after it was due it was over; negative where there was time left, NULL until it is over';
