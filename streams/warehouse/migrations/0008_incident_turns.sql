-- How long an incident was open is the sum of the times between these. A table of its own, because there are two for each
-- incident where there are a dozen steps.
CREATE TABLE IF NOT EXISTS incident_turns
(
    tenant LowCardinality(String) COMMENT 'Scope of the incident number',
    opened_on Date COMMENT 'The day in the incident id',
    incident_id String COMMENT 'INC-YYYY-MM-DD-NNN' CODEC(ZSTD(1)),
    sequence UInt32 COMMENT 'The step that turned it' CODEC(T64, ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it turned, event time' CODEC(Delta(8), ZSTD(1)),
    open Bool COMMENT 'Whether somebody should work on it from then on: not while it is resolved, closed or merged'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(opened_on)
ORDER BY (tenant, opened_on, incident_id, sequence)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
COMMENT 'When incidents began and ceased to be open, one row each; read them through incident_outages';

-- History that was written before this table came.
INSERT INTO incident_turns (tenant, opened_on, incident_id, sequence, occurred_at, open)
SELECT
    tenant,
    toDate(substring(incident_id, 5, 10)),
    incident_id,
    sequence,
    occurred_at,
    status IN ('investigating', 'identified', 'monitoring') AS now_open
FROM incident_steps FINAL
WHERE now_open != (status_before IN ('investigating', 'identified', 'monitoring'));
