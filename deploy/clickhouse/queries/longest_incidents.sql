-- Which incidents lasted longest in the last quarter, and why?
SELECT incident_id, severity_name, service, round(ttr_seconds / 3600, 1) AS hours, root_cause, summary
FROM counted_incidents
WHERE detected_at >= {now:DateTime64(6, 'UTC')} - INTERVAL 3 MONTH AND ttr_seconds IS NOT NULL
ORDER BY ttr_seconds DESC
LIMIT 10;
