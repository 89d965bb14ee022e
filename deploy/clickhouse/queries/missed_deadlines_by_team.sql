-- Whose deadlines are missed most?
SELECT
    owner AS team,
    countIf(response = 'missed') AS responses_missed,
    countIf(resolution = 'missed') AS resolutions_missed,
    count() AS incidents
FROM deadlines
GROUP BY team
ORDER BY resolutions_missed DESC, team;
