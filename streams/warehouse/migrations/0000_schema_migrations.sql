-- Runs before every migration: what was applied is looked up here.
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt16 COMMENT 'Number of the migration',
    name String COMMENT 'Name of its file',
    checksum String COMMENT 'SHA-256 of its statements when it was applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree
ORDER BY number
COMMENT 'Migrations that were applied; an edited one is refused';
