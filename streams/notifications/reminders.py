"""
Reminders: who was told of an incident is told again while it is open, ``repeat_interval`` after the last message.

A reminder is a notice like any other, with an id of its own; while one is on its way no other follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from schemas import limits
from schemas.notices import NoticeV1, Purpose
from streams.durations import written
from streams.notifications.ids import derived

#: Tenant, incident and channel.
Line = tuple[str, str, str]


def line_of(notice: NoticeV1) -> Line:
    """Return what *notice* stands in line with: one incident's notices to one channel go in order."""
    return notice.tenant, notice.incident_id, notice.channel


@dataclass(slots=True)
class _Reminder:
    #: What was told last.
    notice: NoticeV1
    at: datetime
    #: How many reminders there were since something was new.
    count: int = 0


class Reminders:
    """The reminders of one partition."""

    def __init__(self) -> None:
        self._lines: dict[Line, _Reminder] = {}
        self._changed: dict[str, bytes | None] = {}

    def told(self, notice: NoticeV1, at: datetime) -> None:
        """Note that *notice* was told, or given up, at *at*: the next reminder is counted from then."""
        if notice.people is not None or notice.purpose is Purpose.PUBLIC:
            # It came by no route, so it says nothing of who is reminded by one.
            return
        line = line_of(notice)
        over = notice.purpose is Purpose.RESOLUTION or notice.incident.resolved_at is not None
        repeat = notice.timing.repeat if notice.timing else None
        if over or repeat is None:
            self.stop(line)
            return
        known = self._lines.get(line)
        if notice.purpose is Purpose.REMINDER and known is not None:
            # It said nothing new.
            self._lines[line] = _Reminder(known.notice, at + repeat, known.count)
        else:
            self._lines[line] = _Reminder(notice, at + repeat)
        self._keep(line)

    def stop(self, line: Line) -> None:
        """Remind nobody of *line* any more."""
        if self._lines.pop(line, None) is not None:
            self._changed[_name(line)] = None

    def due(self, at: datetime) -> Iterator[NoticeV1]:
        """Yield the reminders that are due at *at*; asked again, it yields them no more."""
        for line, each in list(self._lines.items()):
            timing = each.notice.timing
            if each.at > at or timing is None or timing.repeat is None:
                continue
            self._lines[line] = _Reminder(each.notice, at + timing.repeat, each.count + 1)
            self._keep(line)
            yield _reminder(each.notice, at, each.count + 1)

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take one entry that ``changes`` returned."""
        notice = NoticeV1.model_validate(kept["notice"])
        at = datetime.fromisoformat(kept["at"])
        self._lines[line_of(notice)] = _Reminder(notice, at, kept["count"])

    def _keep(self, line: Line) -> None:
        each = self._lines[line]
        self._changed[_name(line)] = orjson.dumps(
            {"notice": orjson.Fragment(each.notice.to_wire()), "at": each.at, "count": each.count}
        )


def _reminder(notice: NoticeV1, at: datetime, count: int) -> NoticeV1:
    timing = notice.timing
    if timing is None or timing.repeat is None:
        message = "a notice without a repeat interval has no reminders"
        raise ValueError(message)
    said = f"nothing new was said for {written(timing.repeat)}"
    return notice.model_copy(
        update={
            "occurred_at": at,
            "notice_id": derived(notice.notice_id, f"~{count}"),
            "purpose": Purpose.REMINDER,
            "reason": f"{said}; {notice.reason}"[: limits.LINE_LENGTH],
            "update": f"still open: {said}",
            "next_update_at": at + timing.repeat,
            # It has waited long enough; only times of the day can still hold it back.
            "timing": timing.model_copy(
                update={"wait": timing.wait * 0, "interval": timing.interval * 0}
            ),
        }
    )


def _name(line: Line) -> str:
    # JSON, because names may hold any separator; no notice's id begins so.
    return orjson.dumps(["remind", *line]).decode()
