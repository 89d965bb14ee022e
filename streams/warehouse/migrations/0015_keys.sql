-- Reports join by what three texts say together: eight bytes cost a quarter of them to read and to compare. A hash can
-- meet another one; among a hundred thousand that is once in three thousand million reports.
ALTER TABLE incident_turns ADD COLUMN IF NOT EXISTS incident_key UInt64 MATERIALIZED sipHash64(tenant, incident_id)
    COMMENT 'Hash of tenant and incident, for joins; not in SELECT *' CODEC(ZSTD(1));

ALTER TABLE notices ADD COLUMN IF NOT EXISTS notice_key UInt64 MATERIALIZED sipHash64(tenant, incident_id, notice_id)
    COMMENT 'Hash of tenant, incident and notice, for joins; not in SELECT *' CODEC(ZSTD(1));

ALTER TABLE receipts ADD COLUMN IF NOT EXISTS notice_key UInt64 MATERIALIZED sipHash64(tenant, incident_id, notice_id)
    COMMENT 'Hash of tenant, incident and notice, for joins; not in SELECT *' CODEC(ZSTD(1));

ALTER TABLE incident_turns MATERIALIZE COLUMN incident_key;

ALTER TABLE notices MATERIALIZE COLUMN notice_key;

ALTER TABLE receipts MATERIALIZE COLUMN notice_key;

-- As the other tables that reports read: FINAL over a partition with one part reads nothing but what is asked for.
ALTER TABLE alerts MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE notices MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE receipts MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;
