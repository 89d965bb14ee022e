-- Does a service recover faster than it used to? The mean, with the median beside it.
SELECT
    toStartOfMonth(detected_at) AS month,
    service,
    count() AS incidents,
    round(avg(ttr_seconds) / 60) AS mean_minutes,
    round(quantileExactInclusive(0.5)(ttr_seconds) / 60) AS median_minutes
FROM counted_incidents
GROUP BY month, service
ORDER BY service, month;
