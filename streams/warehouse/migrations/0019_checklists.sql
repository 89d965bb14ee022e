-- A part of the incident as it stands, like its services: the latest step says it all. Rows from before have none.
ALTER TABLE incidents ADD COLUMN IF NOT EXISTS checklist
    Array(Tuple(
        item String,
        task String,
        due_at Nullable(DateTime64(6, 'UTC')),
        done_at Nullable(DateTime64(6, 'UTC')),
        done_by String,
        source String))
    COMMENT 'What was to be done about it; read it through checklist_outcomes' CODEC(ZSTD(1));

-- The clock of an item stands still while the incident is resolved. What is done at the moment it is due is late, as at a deadline.
CREATE OR REPLACE VIEW checklist_outcomes AS
SELECT
    i.tenant AS tenant,
    i.incident_id AS incident_id,
    i.severity AS severity,
    i.severity_peak AS severity_peak,
    i.service AS service,
    i.services AS services,
    i.owner AS owner,
    i.summary AS summary,
    i.detected_at AS detected_at,
    i.resolved_at AS resolved_at,
    item,
    task,
    place,
    due_at,
    done_at,
    done_by,
    source,
    ifNull(due_at <= coalesce(least(done_at, resolved_at), done_at, resolved_at, now64(6, 'UTC')), false) AS fell_due,
    multiIf(
        done_at IS NOT NULL, if(fell_due, 'late', 'in time'),
        fell_due, 'never',
        resolved_at IS NOT NULL, 'spared',
        'waiting') AS outcome,
    dateDiff('microsecond', i.detected_at, done_at) / 1e6 AS seconds_taken
FROM (SELECT * FROM incidents FINAL) AS i
-- One by one: whoever asks for some of them reads no others.
ARRAY JOIN
    i.checklist.item AS item,
    i.checklist.task AS task,
    i.checklist.due_at AS due_at,
    i.checklist.done_at AS done_at,
    i.checklist.done_by AS done_by,
    i.checklist.source AS source,
    arrayEnumerate(i.checklist.item) AS place
WHERE i.status != 'merged' AND NOT i.drill
COMMENT 'What was to be done about each incident, and whether it was in time; one row for each item';

ALTER TABLE checklist_outcomes COMMENT COLUMN item 'Name of what was to be done, in the policy of that time',
    COMMENT COLUMN task 'What was to be done, in words',
    COMMENT COLUMN place 'Its place on the checklist, 1 first',
    COMMENT COLUMN due_at 'Until when; NULL where it could be done at any time; later by the time the incident was resolved before it came back',
    COMMENT COLUMN done_at 'When it was done; NULL where it was not',
    COMMENT COLUMN done_by 'Who did it, or whose step did; empty where it was not done',
    COMMENT COLUMN source 'Through what it was ticked; empty where it was not done',
    COMMENT COLUMN fell_due 'Whether its time had passed when it was done or the incident was over; by now, where neither happened',
    COMMENT COLUMN outcome 'in time, late, never where it was due and is not done, waiting where there is time left, spared where the incident was over before it was due',
    COMMENT COLUMN seconds_taken 'From the detection until it was done; NULL where it was not';
