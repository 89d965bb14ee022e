-- An attempt that was repeated after a crash keeps its number: the later outcome counts. Partitioned by the step's
-- time, which both have in common.
CREATE TABLE IF NOT EXISTS receipts
(
    tenant LowCardinality(String) COMMENT 'The incident''s tenant',
    incident_id String COMMENT 'The incident' CODEC(ZSTD(1)),
    notice_id String COMMENT 'The notice' CODEC(ZSTD(1)),
    attempt UInt16 COMMENT '1 for the first attempt' CODEC(T64, ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When the attempt ended' CODEC(Delta(8), ZSTD(1)),
    requested_at DateTime64(6, 'UTC') COMMENT 'When the step happened that the notice tells of' CODEC(Delta(8), ZSTD(1)),
    purpose LowCardinality(String) COMMENT 'initial, update or resolution',
    channel LowCardinality(String) COMMENT 'Name of the channel in the policy',
    channel_kind LowCardinality(String) COMMENT 'Sort of channel: slack, email, …',
    outcome LowCardinality(String) COMMENT 'delivered, retrying or given_up',
    reason String COMMENT 'What the receiver said' CODEC(ZSTD(3)),
    seconds Float64 COMMENT 'How long the attempt took' CODEC(ZSTD(1)),
    retry_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it is tried again' CODEC(ZSTD(1)),
    provider_id String COMMENT 'The receiver''s own id of the message; empty where it gave none' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(occurred_at)
PARTITION BY toYYYYMM(requested_at)
ORDER BY (tenant, incident_id, notice_id, attempt)
COMMENT 'What became of each attempt to deliver a notice, one row each';
