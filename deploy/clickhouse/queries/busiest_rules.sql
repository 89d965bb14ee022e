-- Which rules fire most, and for how many different things?
SELECT rule, countIf(state = 'firing') AS firings, uniqExact(fingerprint) AS alerts, max(occurred_at) AS last
FROM alert_transitions
GROUP BY rule
ORDER BY firings DESC, rule;
