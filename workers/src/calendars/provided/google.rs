//! Bookings in a calendar of Google's, which lets us name them: what was written twice is there once.

use calendar::{Tongue, provided::google};
use jobs::BookingId;
use outbound::Answer;
use reqwest::Url;

use super::{Calendar, said, text_of};
use crate::calendars::{
    book::{Book, Fetched, Wrote},
    trouble::Trouble,
};

/// A calendar that is written.
pub(super) struct Google<'a>(pub(super) &'a Calendar<'a>);

impl Google<'_> {
    fn entries(&self) -> Result<Url, Trouble> {
        self.0.client.address(&["calendar", "v3", "calendars", self.0.name(), "events"])
    }

    fn entry(&self, id: &str) -> Result<Url, Trouble> {
        self.0.client.address(&["calendar", "v3", "calendars", self.0.name(), "events", id])
    }

    /// An entry, also one that was taken out and is remembered.
    async fn get(&self, id: &str) -> Result<Option<Fetched>, Trouble> {
        let answer = self.0.get(&self.entry(id)?).await?;
        match answer.status {
            200 => fetched(&answer).map(Some),
            404 | 410 => Ok(None),
            _ => Err(Trouble::of(&answer, "a question for an entry")),
        }
    }

    async fn change(&self, seen: &Fetched, text: String) -> Result<Wrote, Trouble> {
        let answer = self.0.ask("PATCH", &self.entry(&seen.href)?, Some(&seen.etag), text).await?;
        match answer.status {
            200 => wrote(&answer),
            404 | 410 | 412 => Ok(Wrote::Moved),
            _ => Err(Trouble::of_write(&answer, "a change of an entry")),
        }
    }
}

fn fetched(answer: &Answer) -> Result<Fetched, Trouble> {
    let said = said(answer)?;
    Ok(Fetched { href: text_of(&said, "id")?, etag: text_of(&said, "etag")?, text: said.to_string() })
}

fn wrote(answer: &Answer) -> Result<Wrote, Trouble> {
    fetched(answer).map(|entry| Wrote::Done(entry.href, Some(entry.etag)))
}

impl Book for Google<'_> {
    const TONGUE: Tongue = Tongue::Google;
    const REFUSES_SECOND: bool = true;

    async fn look(&self, booking: BookingId, href: Option<&str>) -> Result<Option<Fetched>, Trouble> {
        let id = href.map_or_else(|| google::id_of(booking), str::to_owned);
        Ok(self.get(&id).await?.filter(|found| !google::is_gone(&found.text)))
    }

    async fn write(
        &self,
        booking: BookingId,
        over: Option<&Fetched>,
        text: String,
    ) -> Result<Wrote, Trouble> {
        if let Some(seen) = over {
            return self.change(seen, text).await;
        }
        let answer = self.0.ask("POST", &self.entries()?, None, text.clone()).await?;
        match answer.status {
            200 | 201 => wrote(&answer),
            // Something has that name: an entry that is there, or one that was taken out and is put back.
            409 => match self.get(&google::id_of(booking)).await? {
                Some(found) if google::is_gone(&found.text) => self.change(&found, text).await,
                _ => Ok(Wrote::Moved),
            },
            _ => Err(Trouble::of_write(&answer, "an entry")),
        }
    }

    async fn take_out(&self, seen: &Fetched) -> Result<Wrote, Trouble> {
        let answer = self.0.ask("DELETE", &self.entry(&seen.href)?, Some(&seen.etag), String::new()).await?;
        match answer.status {
            200 | 204 | 404 | 410 => Ok(Wrote::Done(seen.href.clone(), None)),
            412 => Ok(Wrote::Moved),
            _ => Err(Trouble::of_write(&answer, "taking an entry out")),
        }
    }
}
