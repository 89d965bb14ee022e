"""
How large a message and its parts may be.

Every bound on what a stranger can send stands here, so that a limit is raised in one place and a reader
sees all of them at once.
"""

from datetime import UTC, datetime
from typing import Final

#: Bytes of one message value from outside.
MESSAGE_BYTES: Final = 256 * 1024
#: Bytes of one value in another system's format: such systems send batches. As large as brokers take by default.
BATCH_BYTES: Final = 1024 * 1024
#: Bytes of such a batch when it is unpacked.
UNPACKED_BYTES: Final = 4 * 1024 * 1024
#: Bytes of what is posted over HTTP at once, unpacked: what OpenTelemetry recommends. It becomes as many records as it takes.
POSTED_BYTES: Final = 20 * 1024 * 1024
#: Signals that one batch may hold: reading more would hold up everything behind it.
BATCH_SIGNALS: Final = 20_000
#: Elements of one batch that are put aside while the others count. Where more are wrong, the sender is.
BATCH_FAULTS: Final = 100
#: Bytes of one incident, or of a step or notice that holds one, with every part of it at its own limit. Below Kafka's default ``max.message.bytes``.
INCIDENT_BYTES: Final = 900 * 1024
#: Bytes of one published policy with its diff: as much as a record of Kafka's default size holds.
POLICY_BYTES: Final = 900 * 1024

#: Moments lie between these: ClickHouse's DateTime64 holds them, and adding any duration that we add gives a time.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

#: Labels of one signal, alert or incident.
LABEL_COUNT: Final = 32
#: Characters of a label's name; OpenTelemetry's longest semantic attribute names have 50.
LABEL_NAME_LENGTH: Final = 64
#: Characters of a label's value.
LABEL_VALUE_LENGTH: Final = 256

#: Characters of a name: tenant, service, rule, channel, metric.
NAME_LENGTH: Final = 128
#: Characters of one line a person reads: a summary, a reason.
LINE_LENGTH: Final = 1_000
#: Characters of a text: a log body, a description, a note.
TEXT_LENGTH: Final = 16_000
#: Characters of a metric's unit.
UNIT_LENGTH: Final = 32
#: Characters of an address.
URL_LENGTH: Final = 2_000
#: Characters of an identifier that another system chose.
ID_LENGTH: Final = 255

#: Alerts that one incident's snapshot lists; the rest is counted.
ALERTS_LISTED: Final = 100
#: Services that it lists.
SERVICES_LISTED: Final = 100
#: Places in the log that one alert names as its evidence.
ORIGINS_LISTED: Final = 8
#: Channels that one step of an escalation calls.
CHANNELS_CALLED: Final = 100
#: People whom one of them reaches.
PEOPLE_CALLED: Final = 50
#: People beside the commander that it lists.
RESPONDERS_LISTED: Final = 50
#: Suspicious changes that it lists.
SUSPECTS_LISTED: Final = 5
#: Things to do that one incident's checklist has.
CHECKLIST_ITEMS: Final = 20
#: Characters of the name of one of them.
CHECKLIST_NAME_LENGTH: Final = 40
#: Characters of what it says.
CHECKLIST_TEXT_LENGTH: Final = 200
#: Characters of a public title; Statuspage takes 255.
PUBLIC_TITLE_LENGTH: Final = 200
#: Characters of one public update.
PUBLIC_TEXT_LENGTH: Final = 2_000
#: Public updates that an incident lists.
PUBLIC_UPDATES_LISTED: Final = 20
#: Components of the status page that one incident affects.
COMPONENTS_LISTED: Final = 50
