CREATE TABLE IF NOT EXISTS changes
(
    tenant LowCardinality(String) COMMENT 'Scope inside which incidents look for suspects',
    change_id String COMMENT 'The deploying system''s id: a repeat is the same change' CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it was made, event time' CODEC(Delta(8), ZSTD(1)),
    service LowCardinality(String) COMMENT 'The service that was changed',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    kind LowCardinality(String) COMMENT 'deployment, feature_flag, configuration or infrastructure',
    summary String COMMENT 'What was changed' CODEC(ZSTD(3)),
    version String COMMENT 'Version or commit in force afterwards; empty where none is named' CODEC(ZSTD(1)),
    author LowCardinality(String) COMMENT 'Who made it; empty where nobody is named',
    url String COMMENT 'Where a person can look at it; empty where there is no such place' CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String) COMMENT 'What else is known of it' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, service, occurred_at, change_id)
COMMENT 'Deployments, flags and configuration changes, one row each; read them through changes_made';

CREATE OR REPLACE VIEW changes_made AS
SELECT *
FROM changes FINAL
ORDER BY tenant, occurred_at, change_id
COMMENT 'Deployments, flags and configuration changes';
