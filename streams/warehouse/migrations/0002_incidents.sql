-- Every step writes the whole incident again; the highest sequence is the latest. Key and partition come from the
-- incident's id, which never changes: times can be corrected.
CREATE TABLE IF NOT EXISTS incidents
(
    tenant LowCardinality(String) COMMENT 'Scope of the incident number',
    opened_on Date COMMENT 'The day in the incident id',
    incident_id String COMMENT 'INC-YYYY-MM-DD-NNN' CODEC(ZSTD(1)),
    sequence UInt32 COMMENT 'How many steps it has had: the version of the row' CODEC(T64, ZSTD(1)),
    changed_at DateTime64(6, 'UTC') COMMENT 'When its latest step happened' CODEC(Delta(8), ZSTD(1)),
    status LowCardinality(String) COMMENT 'investigating, identified, monitoring, resolved, closed or merged',
    severity UInt8 COMMENT '1 critical to 4 low, now',
    severity_first UInt8 COMMENT 'Severity when it opened',
    severity_peak UInt8 COMMENT 'Worst severity it ever had; deadlines are judged by it',
    summary String COMMENT 'What is wrong' CODEC(ZSTD(3)),
    impact String COMMENT 'Who notices what' CODEC(ZSTD(3)),
    service LowCardinality(String) COMMENT 'The service it began with',
    services Array(LowCardinality(String)) COMMENT 'All services of its alerts',
    environment LowCardinality(String) COMMENT 'Deployment environment',
    labels Map(LowCardinality(String), String) COMMENT 'Labels that all its alerts share' CODEC(ZSTD(1)),
    group_key String COMMENT 'What its alerts have in common' CODEC(ZSTD(1)),
    owner LowCardinality(String) COMMENT 'Team that owns it; empty where none is named',
    rules Array(LowCardinality(String)) COMMENT 'Rules of the alerts it lists',
    alert_count UInt32 COMMENT 'Distinct alerts it has had' CODEC(T64, ZSTD(1)),
    firing_count UInt32 COMMENT 'How many of them fire' CODEC(T64, ZSTD(1)),
    started_at DateTime64(6, 'UTC') COMMENT 'First bad signal' CODEC(Delta(8), ZSTD(1)),
    detected_at DateTime64(6, 'UTC') COMMENT 'When it opened' CODEC(Delta(8), ZSTD(1)),
    acknowledged_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When somebody first took it' CODEC(ZSTD(1)),
    acknowledged_by LowCardinality(String) COMMENT 'Who did; empty where nobody did',
    assigned_to LowCardinality(String) COMMENT 'Who works on it; empty where nobody does',
    mitigated_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When users stopped suffering' CODEC(ZSTD(1)),
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was last resolved; NULL while it is open' CODEC(ZSTD(1)),
    closed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was closed' CODEC(ZSTD(1)),
    reopen_count UInt16 COMMENT 'How often it came back' CODEC(T64, ZSTD(1)),
    seconds_resolved Float64 COMMENT 'Seconds it was resolved before it came back: not counted as down' CODEC(ZSTD(1)),
    root_cause String COMMENT 'Why it happened' CODEC(ZSTD(3)),
    resolution String COMMENT 'What ended it' CODEC(ZSTD(3)),
    merged_into String COMMENT 'Incident that took it over; empty where none did' CODEC(ZSTD(1)),
    drill Bool COMMENT 'Whether it is an exercise'
)
ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(opened_on)
ORDER BY (tenant, opened_on, incident_id)
COMMENT 'Incidents as they stand, one row each after merging; read them through incidents_now';
