# Reads, on each line, a calendar and a stretch of time as JSON; answers when its entries are, as python3-recurring-ical-events
# says. Times without a zone are in UTC, and so are days.
import datetime
import json
import sys

import icalendar
import recurring_ical_events

UTC = datetime.timezone.utc


def moment(said):
    if not isinstance(said, datetime.datetime):
        said = datetime.datetime(said.year, said.month, said.day)
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)


for line in sys.stdin:
    asked = json.loads(line)
    calendar = icalendar.Calendar.from_ical(asked["text"])
    start, stop = (datetime.datetime.fromisoformat(asked[end]) for end in ("from", "until"))
    found = recurring_ical_events.of(calendar).between(start, stop)
    spans = set()
    for event in found:
        span = [moment(event[end].dt).strftime("%Y-%m-%dT%H:%M:%SZ") for end in ("DTSTART", "DTEND")]
        spans.add(tuple(span))
    print(json.dumps(sorted(spans)), flush=True)
