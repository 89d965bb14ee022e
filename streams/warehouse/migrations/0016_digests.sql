-- What was mailed by itself. A moment that is done with is never done again, whichever worker leads and however often it starts.
CREATE TABLE IF NOT EXISTS digests
(
    schedule LowCardinality(String) COMMENT 'Name of the schedule in the policy',
    due_at DateTime64(3, 'UTC') COMMENT 'The moment that it was due at; moments that were missed before it have no row',
    outcome LowCardinality(String) COMMENT 'sent, given_up, or begun: the last moment before the schedule was new',
    reason String COMMENT 'What the mail server said' CODEC(ZSTD(1)),
    written_at DateTime64(3, 'UTC') COMMENT 'When it was done'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (schedule, due_at)
COMMENT 'Reports that went out by themselves, one row for each schedule and moment';
