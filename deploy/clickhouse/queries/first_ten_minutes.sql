-- What happens in the first ten minutes of an incident?
SELECT s.kind AS kind, count() AS steps, round(avg(dateDiff('second', i.detected_at, s.occurred_at))) AS mean_seconds
FROM incident_timeline AS s
INNER JOIN counted_incidents AS i ON s.tenant = i.tenant AND s.incident_id = i.incident_id
WHERE s.occurred_at < i.detected_at + INTERVAL 10 MINUTE
GROUP BY kind
ORDER BY steps DESC, kind;
