# Reads, on each line, a calendar and a stretch of time as JSON; answers when its entries are, as python3-recurring-ical-events
# says; nothing where it says none of it. Times without a zone are in UTC, and so are days. What takes no time by its own word is
# left out.
import datetime
import json
import re
import sys

import icalendar
import recurring_ical_events

UTC = datetime.timezone.utc


def moment(said):
    if not isinstance(said, datetime.datetime):
        said = datetime.datetime(said.year, said.month, said.day)
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)


def is_busy(event):
    word = lambda name: str(event.get(name, "")).upper()
    return (
        word("TRANSP") != "TRANSPARENT"
        and word("STATUS") != "CANCELLED"
        and word("X-MICROSOFT-CDO-BUSYSTATUS") not in ("FREE", "WORKINGELSEWHERE")
    )


def told(asked):
    start, stop = (datetime.datetime.fromisoformat(asked[end]) for end in ("from", "until"))
    spans = set()
    # By it the clocks of whoever looks would be moved, and what is in UTC with them.
    text = re.sub("(?m)^X-WR-TIMEZONE.*$", "X-NO:x", asked["text"])
    for calendar in icalendar.Calendar.from_ical(text, multiple=True):
        for event in filter(is_busy, recurring_ical_events.of(calendar).between(start, stop)):
            begins, ends = event["DTSTART"].dt, event["DTEND"].dt
            if begins == ends and not isinstance(begins, datetime.datetime):
                # A day without an end is as long as a day.
                ends += datetime.timedelta(days=1)
            spans.add(tuple(moment(said).strftime("%Y-%m-%dT%H:%M:%SZ") for said in (begins, ends)))
    return sorted(spans)


for line in sys.stdin:
    try:
        answer = told(json.loads(line))
    except Exception:
        # It reads less than there is in the wild.
        answer = None
    print(json.dumps(answer), flush=True)
