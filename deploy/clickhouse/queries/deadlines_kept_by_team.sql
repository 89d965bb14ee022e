-- Which part of its promises does each team keep?
SELECT
    owner AS team,
    promise,
    countIf(outcome = 'met') AS kept,
    countIf(outcome = 'missed') AS missed,
    round(kept / greatest(kept + missed, 1), 3) AS share_kept,
    medianIf(seconds_over, outcome = 'missed') AS median_seconds_over
FROM deadline_outcomes
GROUP BY team, promise
ORDER BY share_kept, team, promise;
