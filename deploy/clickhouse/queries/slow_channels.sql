-- Which channel takes longest from step to delivery?
SELECT
    channel,
    count() AS notices,
    countIf(outcome = 'delivered') AS delivered,
    round(quantileExactInclusive(0.99)(seconds_to_delivery), 1) AS p99_seconds
FROM notice_outcomes
WHERE NOT drill
GROUP BY channel
ORDER BY p99_seconds DESC;
