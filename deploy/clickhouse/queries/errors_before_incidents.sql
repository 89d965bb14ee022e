-- How many errors did a service log in the quarter of an hour before its incident was detected?
SELECT
    i.incident_id,
    i.service,
    i.detected_at,
    sumIf(l.errors + l.fatals, l.minute BETWEEN i.detected_at - INTERVAL 15 MINUTE AND i.detected_at) AS errors_before
FROM incidents_now AS i
LEFT JOIN log_minutes AS l ON l.tenant = i.tenant AND l.service = i.service
GROUP BY i.incident_id, i.service, i.detected_at
ORDER BY errors_before DESC, i.incident_id
LIMIT 20;
