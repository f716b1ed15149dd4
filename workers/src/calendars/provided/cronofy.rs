//! Bookings in a calendar behind Cronofy. It takes what is written whatever is there, and writes it later: so what is there is looked
//! at right before, and not while it may still be writing.

use calendar::{
    Tongue,
    provided::cronofy::{find, first, mark_of},
};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::BookingId;
use reqwest::Url;
use serde_json::json;
use store::calendars::ToPush;

use super::{Calendar, reading::PARTS_MAX};
use crate::calendars::{
    book::{Book, Fetched, Wrote},
    pull::BACK,
    trouble::Trouble,
};

/// How far ahead Cronofy tells, and how far back.
pub(super) const AHEAD: TimeDelta = TimeDelta::days(200);
const BACK_MAX: TimeDelta = TimeDelta::days(41);

/// A calendar that is written.
pub(super) struct Cronofy<'a> {
    calendar: &'a Calendar<'a>,
    /// What Cronofy calls it.
    id: String,
    from: DateTime<Utc>,
}

impl<'a> Cronofy<'a> {
    /// The calendar of a link; none while Cronofy does not tell of the days of the booking yet.
    pub(super) async fn open(calendar: &'a Calendar<'a>, to_push: &ToPush) -> Result<Option<Self>, Trouble> {
        let now = Utc::now();
        if to_push.is_wanted && to_push.during.until > now + AHEAD {
            return Ok(None);
        }
        if to_push.is_fresh {
            return Err(Trouble::Settling);
        }
        let from = (to_push.during.from - BACK).clamp(now - BACK_MAX, now - BACK);
        let id = match calendar.name() {
            "primary" => first_of(calendar).await?,
            name => name.to_owned(),
        };
        Ok(Some(Self { calendar, id, from }))
    }

    fn entries(&self) -> Result<Url, Trouble> {
        self.calendar.client.address(&["v1", "calendars", &self.id, "events"])
    }
}

/// What Cronofy calls the first calendar of somebody.
async fn first_of(calendar: &Calendar<'_>) -> Result<String, Trouble> {
    let answer = calendar.get(&calendar.client.address(&["v1", "calendars"])?).await?;
    if answer.status != 200 {
        return Err(Trouble::of(&answer, "a question for calendars"));
    }
    let none = || Trouble::unusable("there is no first calendar that can be written");
    first(&answer.body).map_err(Trouble::unusable)?.ok_or_else(none)
}

impl Book for Cronofy<'_> {
    const TONGUE: Tongue = Tongue::Cronofy;
    const REFUSES_SECOND: bool = false;

    async fn look(&self, booking: BookingId, _href: Option<&str>) -> Result<Option<Fetched>, Trouble> {
        let mut url = self.calendar.client.address(&["v1", "events"])?;
        let [from, to] = [self.from, Utc::now() + AHEAD].map(|at| at.format("%Y-%m-%d").to_string());
        url.query_pairs_mut().extend_pairs([
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("tzid", "Etc/UTC"),
            ("only_managed", "true"),
            ("calendar_ids[]", self.id.as_str()),
        ]);
        for _ in 0..PARTS_MAX {
            let answer = self.calendar.get(&url).await?;
            if answer.status != 200 {
                return Err(Trouble::of(&answer, "a question for an entry"));
            }
            let (found, next) = find(&answer.body, booking).map_err(Trouble::unusable)?;
            if let Some(text) = found {
                return Ok(Some(Fetched { href: booking.to_string(), etag: mark_of(&text), text }));
            }
            match next {
                Some(next) => url = self.calendar.same(&next)?,
                None => return Ok(None),
            }
        }
        Err(Trouble::unusable(format!("its list comes in more than {PARTS_MAX} parts")))
    }

    async fn write(
        &self,
        booking: BookingId,
        _over: Option<&Fetched>,
        text: String,
    ) -> Result<Wrote, Trouble> {
        let mark = mark_of(&text);
        let answer = self.calendar.ask("POST", &self.entries()?, None, text).await?;
        match answer.status {
            200..=204 => Ok(Wrote::Done(booking.to_string(), Some(mark))),
            _ => Err(Trouble::of_write(&answer, "an entry")),
        }
    }

    async fn take_out(&self, seen: &Fetched) -> Result<Wrote, Trouble> {
        let body = json!({"event_id": seen.href}).to_string();
        let answer = self.calendar.ask("DELETE", &self.entries()?, None, body).await?;
        match answer.status {
            200..=204 | 404 | 410 => Ok(Wrote::Done(seen.href.clone(), None)),
            _ => Err(Trouble::of_write(&answer, "taking an entry out")),
        }
    }
}
