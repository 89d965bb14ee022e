-- How often did an incident follow within an hour of a change to one of its services?
SELECT c.kind AS kind, count(DISTINCT c.change_id) AS changes, count(DISTINCT i.incident_id) AS incidents_after
FROM changes_made AS c
LEFT JOIN
(
    SELECT tenant, incident_id, arrayJoin(services) AS service, started_at FROM counted_incidents
) AS i ON c.tenant = i.tenant AND c.service = i.service
    AND i.started_at >= c.occurred_at AND i.started_at < c.occurred_at + INTERVAL 1 HOUR
GROUP BY kind
ORDER BY kind
SETTINGS join_use_nulls = 1;
