//! Bookings in a calendar of Microsoft's, which names them by itself: what nobody knows the name of is asked for by its booking.

use calendar::{Tongue, provided::microsoft};
use jobs::BookingId;
use outbound::Answer;
use reqwest::Url;
use serde_json::Value;

use super::{Calendar, said, text_of};
use crate::calendars::{
    book::{Book, Fetched, Wrote},
    trouble::Trouble,
};

/// A calendar that is written.
pub(super) struct Microsoft<'a>(pub(super) &'a Calendar<'a>);

impl Microsoft<'_> {
    fn entries(&self) -> Result<Url, Trouble> {
        match self.0.name() {
            "primary" => self.0.client.address(&["v1.0", "me", "events"]),
            name => self.0.client.address(&["v1.0", "me", "calendars", name, "events"]),
        }
    }

    fn entry(&self, id: &str) -> Result<Url, Trouble> {
        self.0.client.address(&["v1.0", "me", "events", id])
    }

    /// An entry with its seal.
    pub(super) async fn get(&self, id: &str) -> Result<Option<Fetched>, Trouble> {
        let mut url = self.entry(id)?;
        let (name, value) = microsoft::with_seal();
        url.query_pairs_mut().append_pair(name, &value);
        let answer = self.0.get(&url).await?;
        match answer.status {
            200 => fetched(&said(&answer)?).map(Some),
            404 | 410 => Ok(None),
            _ => Err(Trouble::of(&answer, "a question for an entry")),
        }
    }

    async fn find(&self, booking: BookingId) -> Result<Option<Fetched>, Trouble> {
        let mut url = self.entries()?;
        for (name, value) in [microsoft::for_booking(booking), microsoft::with_seal()] {
            url.query_pairs_mut().append_pair(name, &value);
        }
        let answer = self.0.get(&url).await?;
        match answer.status {
            200 => said(&answer)?.pointer("/value/0").map(fetched).transpose(),
            _ => Err(Trouble::of(&answer, "a question for the entry of a booking")),
        }
    }
}

fn fetched(said: &Value) -> Result<Fetched, Trouble> {
    Ok(Fetched { href: text_of(said, "id")?, etag: text_of(said, "@odata.etag")?, text: said.to_string() })
}

fn wrote(answer: &Answer) -> Result<Wrote, Trouble> {
    let entry = fetched(&said(answer)?)?;
    Ok(Wrote::Done(entry.href, Some(entry.etag)))
}

impl Book for Microsoft<'_> {
    const TONGUE: Tongue = Tongue::Microsoft;
    const REFUSES_SECOND: bool = false;

    async fn look(&self, booking: BookingId, href: Option<&str>) -> Result<Option<Fetched>, Trouble> {
        if let Some(id) = href
            && let Some(found) = self.get(id).await?
        {
            return Ok(Some(found));
        }
        self.find(booking).await
    }

    async fn write(
        &self,
        _booking: BookingId,
        over: Option<&Fetched>,
        text: String,
    ) -> Result<Wrote, Trouble> {
        let answer = match over {
            Some(seen) => self.0.ask("PATCH", &self.entry(&seen.href)?, Some(&seen.etag), text).await?,
            None => self.0.ask("POST", &self.entries()?, None, text).await?,
        };
        match answer.status {
            200 | 201 => wrote(&answer),
            409 | 412 => Ok(Wrote::Moved),
            404 | 410 if over.is_some() => Ok(Wrote::Moved),
            _ => Err(Trouble::of_write(&answer, "an entry")),
        }
    }

    async fn take_out(&self, seen: &Fetched) -> Result<Wrote, Trouble> {
        let answer = self.0.ask("DELETE", &self.entry(&seen.href)?, Some(&seen.etag), String::new()).await?;
        match answer.status {
            200 | 204 | 404 | 410 => Ok(Wrote::Done(seen.href.clone(), None)),
            409 | 412 => Ok(Wrote::Moved),
            _ => Err(Trouble::of_write(&answer, "taking an entry out")),
        }
    }
}
