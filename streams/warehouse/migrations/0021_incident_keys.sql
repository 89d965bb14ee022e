-- Reports find the turns of incidents that came back by eight bytes of each incident: reading its id as text took half of their time.
ALTER TABLE incidents ADD COLUMN IF NOT EXISTS incident_key UInt64 MATERIALIZED sipHash64(tenant, incident_id)
    COMMENT 'Hash of tenant and incident, for joins; not in SELECT *' CODEC(ZSTD(1));

ALTER TABLE incidents MATERIALIZE COLUMN incident_key;
