-- How did the metrics of each service move, hour by hour?
SELECT
    service,
    name,
    toStartOfHour(minute) AS hour,
    sum(signals) AS measured,
    min(lowest) AS lowest_value,
    sum(mean * signals) / measured AS mean_value,
    max(highest) AS highest_value
FROM metric_minutes
GROUP BY service, name, hour
ORDER BY service, name, hour;
