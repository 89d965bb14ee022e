-- Reports ask by the times of detection and of resolution, which can be corrected and so are in no key: these indexes leave
-- out what lies elsewhere.
ALTER TABLE incidents ADD INDEX IF NOT EXISTS by_detection detected_at TYPE minmax GRANULARITY 1;

ALTER TABLE incidents ADD INDEX IF NOT EXISTS by_resolution resolved_at TYPE minmax GRANULARITY 1;

ALTER TABLE incidents MATERIALIZE INDEX by_detection;

ALTER TABLE incidents MATERIALIZE INDEX by_resolution;

-- FINAL over a partition with one part costs nothing: months that are over become one part within the hour.
ALTER TABLE incidents MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;
