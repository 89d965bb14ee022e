-- What of its checklists does each team do in time?
SELECT
    owner AS team,
    item,
    countIf(outcome = 'in time') AS in_time,
    countIf(outcome = 'late') AS late,
    countIf(outcome = 'never') AS never,
    round(in_time / greatest(in_time + late + never, 1), 3) AS share_in_time,
    medianIf(seconds_taken, outcome IN ('in time', 'late')) AS median_seconds
FROM checklist_outcomes
GROUP BY team, item
ORDER BY share_in_time, team, item;
