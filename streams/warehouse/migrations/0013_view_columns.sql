-- What columns mean that no table has; the others say it in their table.
ALTER TABLE incidents_now COMMENT COLUMN severity_name 'One word for the severity';
ALTER TABLE incidents_now COMMENT COLUMN ttd_seconds 'From started to detected';
ALTER TABLE incidents_now COMMENT COLUMN tta_seconds 'From detected to acknowledged; NULL where nobody did';
ALTER TABLE incidents_now COMMENT COLUMN ttm_seconds 'From acknowledged to mitigated; NULL where one of them did not happen';
ALTER TABLE incidents_now COMMENT COLUMN ttr_seconds 'How long it was open; NULL while it is';

ALTER TABLE mttr_by_severity COMMENT COLUMN severity_name 'One word for the severity';
ALTER TABLE mttr_by_severity COMMENT COLUMN incidents 'How many count';
ALTER TABLE mttr_by_severity COMMENT COLUMN resolved 'How many of them are over';
ALTER TABLE mttr_by_severity COMMENT COLUMN mean_seconds 'Mean time to resolve';
ALTER TABLE mttr_by_severity COMMENT COLUMN p50_seconds 'Median of it';
ALTER TABLE mttr_by_severity COMMENT COLUMN p90_seconds '90th percentile of it';

ALTER TABLE mttr_by_month COMMENT COLUMN month 'First day of the month they were detected in';
ALTER TABLE mttr_by_month COMMENT COLUMN incidents 'How many count';
ALTER TABLE mttr_by_month COMMENT COLUMN resolved 'How many of them are over';
ALTER TABLE mttr_by_month COMMENT COLUMN reopened 'How many of them came back';
ALTER TABLE mttr_by_month COMMENT COLUMN mean_seconds 'Mean time to resolve';
ALTER TABLE mttr_by_month COMMENT COLUMN p50_seconds 'Median of it';
ALTER TABLE mttr_by_month COMMENT COLUMN p90_seconds '90th percentile of it';

ALTER TABLE notice_outcomes COMMENT COLUMN attempts 'How often it was tried';
ALTER TABLE notice_outcomes COMMENT COLUMN outcome 'What became of the last attempt; waiting where there was none';
ALTER TABLE notice_outcomes COMMENT COLUMN outcome_reason 'What the receiver said then';
ALTER TABLE notice_outcomes COMMENT COLUMN seconds_to_delivery 'From the step to the delivery; NULL where it is not delivered';

ALTER TABLE deadlines COMMENT COLUMN responded_at 'When somebody took it, or when it was over and nobody had to; NULL until then';
ALTER TABLE deadlines COMMENT COLUMN level 'Name of its worst severity in the policy of that time';
ALTER TABLE deadlines COMMENT COLUMN respond_due 'Until when somebody had to take it';
ALTER TABLE deadlines COMMENT COLUMN resolve_due 'Until when it had to be over; later by the time it was resolved before it came back';
ALTER TABLE deadlines COMMENT COLUMN response 'met, missed, or waiting where it can still be met';
ALTER TABLE deadlines COMMENT COLUMN resolution 'met, missed, or waiting where it can still be met';

ALTER TABLE incident_outages COMMENT COLUMN down_from 'When it began or came back';
ALTER TABLE incident_outages COMMENT COLUMN down_until 'When it was resolved or merged after that; NULL while it is open';

ALTER TABLE service_minutes COMMENT COLUMN minute 'First second of the minute, event time';
ALTER TABLE service_minutes COMMENT COLUMN checks 'Health checks in it';
ALTER TABLE service_minutes COMMENT COLUMN good 'Those that found it healthy';
ALTER TABLE service_minutes COMMENT COLUMN degraded 'Those that found it degraded';
ALTER TABLE service_minutes COMMENT COLUMN bad 'Those that found it unhealthy';
ALTER TABLE service_minutes COMMENT COLUMN mean_latency_seconds 'How long they took on average; NULL where nobody says';
