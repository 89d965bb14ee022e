-- How many incident-hours did each day have? Times in which an incident was resolved before it came back are not in it.
SELECT
    toDate(down_from) AS day,
    count() AS outages,
    round(sum(dateDiff('second', down_from, coalesce(down_until, {now:DateTime64(6, 'UTC')}))) / 3600, 1) AS hours
FROM incident_outages
GROUP BY day
ORDER BY day;
