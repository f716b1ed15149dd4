//! Reading calendars of Google, Microsoft and Cronofy.

use std::collections::BTreeMap;

use calendar::{
    Access, Ours,
    provided::{NoPage, Page, Provided, cronofy, google, microsoft},
};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{CalendarLinkId, TenantId};
use reqwest::Url;
use store::calendars::{Noted, Opened};

use super::{Calendar, cronofy::AHEAD as CRONOFY_AHEAD, microsoft::Microsoft, stamp};
use crate::{
    calendars::{
        pull::{AHEAD, BACK, Entries, Said},
        trouble::Trouble,
    },
    deps::Deps,
};

/// Parts of a list, and entries of all.
pub(super) const PARTS_MAX: usize = 200;
const ENTRIES_MAX: usize = 20_000;
/// A window of Microsoft's stays where it was; after so long another is opened.
const WINDOW_AGE_MAX: TimeDelta = TimeDelta::days(7);

/// What a list says, of all its parts.
#[derive(Default)]
struct List {
    is_all: bool,
    /// Entries by their names, none for one that is gone. Of what is told twice the last holds.
    told: BTreeMap<String, Option<Provided>>,
    token: Option<String>,
}

/// What a calendar says since it was read before.
pub(in crate::calendars) async fn read(
    deps: &Deps,
    ids: (TenantId, CalendarLinkId),
    access: &Access,
    opened: &Opened,
    known: &Entries,
) -> Result<Said, Trouble> {
    let mut calendar = Calendar::open(deps, ids, &opened.provider, access).await?;
    match calendar.said(opened, known).await {
        // A token may end before its time: its provider is asked for another, once.
        Err(Trouble::Refused(401)) => {
            calendar.renew().await?;
            calendar.said(opened, known).await
        }
        said => said,
    }
}

fn said(list: List, known: &Entries) -> Said {
    let is_left_out = |href: &&String| list.is_all && !list.told.contains_key(*href);
    let mut removed: Vec<String> = known.keys().filter(is_left_out).cloned().collect();
    let mut changed = Vec::new();
    for (id, entry) in list.told {
        match entry {
            None => removed.push(id),
            // Some have no word for how an entry is.
            Some(entry) if is_known(&entry, known) => {}
            Some(entry) => changed.push((id, entry.etag, vec![entry.event])),
        }
    }
    Said { collection: None, token: list.token, changed, removed }
}

/// Whether an entry is as it was read before. Some have no word for how one is.
fn is_known(entry: &Provided, known: &Entries) -> bool {
    !entry.etag.is_empty() && known.get(&entry.id).is_some_and(|(etag, _)| *etag == entry.etag)
}

impl Calendar<'_> {
    async fn said(&self, opened: &Opened, known: &Entries) -> Result<Said, Trouble> {
        let mut list = self.list(opened).await?;
        for entry in list.told.values_mut().flatten().filter(|entry| !is_known(entry, known)) {
            let noted = opened.noted.get(&entry.id);
            match opened.provider.as_str() {
                "google" => {}
                "microsoft" => self.judge_microsoft(entry, noted, opened).await?,
                _ => judge_cronofy(entry, noted),
            }
        }
        Ok(said(list, known))
    }

    /// Whether an entry of ours is as we wrote it: the list does not tell its seal, so it is asked for unless it is as it was noted.
    async fn judge_microsoft(
        &self,
        entry: &mut Provided,
        noted: Option<&Noted>,
        opened: &Opened,
    ) -> Result<(), Trouble> {
        let made = entry.event.ours.as_ref().filter(|ours| !ours.is_copy).map(|ours| ours.booking);
        let Some(booking) = made.or(noted.map(Noted::booking)).filter(|booking| opened.own.contains(booking))
        else {
            return Ok(());
        };
        let is_noted = noted.is_some_and(|noted| noted.etag.as_ref() == Some(&entry.etag));
        // What is gone by now is told the next time.
        let is_untouched = is_noted
            || Microsoft(self).get(&entry.id).await?.is_none_or(|found| microsoft::is_sealed(&found.text));
        entry.event.ours = Some(Ours { booking, is_untouched, is_copy: false });
        Ok(())
    }

    async fn list(&self, opened: &Opened) -> Result<List, Trouble> {
        let before = opened.token.as_deref();
        match opened.provider.as_str() {
            "google" => self.google(before, opened.at).await,
            "microsoft" => self.microsoft(before, opened.at).await,
            _ => self.cronofy(opened.at).await,
        }
    }

    /// What changed since the token; all of it where that is forgotten.
    async fn google(&self, before: Option<&str>, at: DateTime<Utc>) -> Result<List, Trouble> {
        if let Some(token) = before {
            match self.google_list(("syncToken", token), false).await {
                Err(Trouble::Answered(410, _)) => {}
                list => return list,
            }
        }
        self.google_list(("timeMin", &stamp(at - BACK)), true).await
    }

    async fn google_list(&self, (name, value): (&str, &str), is_all: bool) -> Result<List, Trouble> {
        let first = self.client.address(&["calendar", "v3", "calendars", self.name(), "events"])?;
        let mut list = List { is_all, ..List::default() };
        let mut next: Option<String> = None;
        for _ in 0..PARTS_MAX {
            let mut url = first.clone();
            url.query_pairs_mut().append_pair("maxResults", "2500").append_pair(name, value);
            if let Some(next) = &next {
                url.query_pairs_mut().append_pair("pageToken", next);
            }
            next = list.take(self.part(&url, google::page).await?)?;
            if next.is_none() {
                return Ok(list);
            }
        }
        Err(too_many_parts())
    }

    /// What changed in the window since its token; another window where that is forgotten, or the window old.
    async fn microsoft(&self, before: Option<&str>, at: DateTime<Utc>) -> Result<List, Trouble> {
        if let Some((opened_at, link)) = before.and_then(window)
            && at - opened_at < WINDOW_AGE_MAX
        {
            match self.linked(&self.same(link)?, false, microsoft::page).await {
                Err(Trouble::Answered(400 | 404 | 410, _)) => {}
                list => return list.map(|list| remembered(list, opened_at)),
            }
        }
        let mut url = match self.name() {
            "primary" => self.client.address(&["v1.0", "me", "calendarView", "delta"])?,
            name => self.client.address(&["v1.0", "me", "calendars", name, "calendarView", "delta"])?,
        };
        let (from, until) = (stamp(at - BACK), stamp(at + AHEAD));
        url.query_pairs_mut().append_pair("startDateTime", &from).append_pair("endDateTime", &until);
        Ok(remembered(self.linked(&url, true, microsoft::page).await?, at))
    }

    async fn cronofy(&self, at: DateTime<Utc>) -> Result<List, Trouble> {
        let mut url = self.client.address(&["v1", "events"])?;
        let [from, to] = [at - BACK, at + CRONOFY_AHEAD].map(|at| at.format("%Y-%m-%d").to_string());
        url.query_pairs_mut().extend_pairs([
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("tzid", "Etc/UTC"),
            // Ours too: somebody may change them there.
            ("include_managed", "true"),
        ]);
        if self.name() != "primary" {
            url.query_pairs_mut().append_pair("calendar_ids[]", self.name());
        }
        self.linked(&url, true, cronofy::page).await
    }

    /// A list whose parts say where the next is.
    async fn linked(
        &self,
        first: &Url,
        is_all: bool,
        read: fn(&[u8]) -> Result<Page, NoPage>,
    ) -> Result<List, Trouble> {
        let mut list = List { is_all, ..List::default() };
        let mut url = first.clone();
        for _ in 0..PARTS_MAX {
            match list.take(self.part(&url, read).await?)? {
                Some(next) => url = self.same(&next)?,
                None => return Ok(list),
            }
        }
        Err(too_many_parts())
    }

    async fn part(&self, url: &Url, read: fn(&[u8]) -> Result<Page, NoPage>) -> Result<Page, Trouble> {
        let answer = self.get(url).await?;
        match answer.status {
            200 => read(&answer.body).map_err(Trouble::unusable),
            _ => Err(Trouble::of(&answer, "a question for its entries")),
        }
    }
}

/// Whether an entry of ours is as we wrote it: as it was noted. What was written a moment ago may be told as it was before.
fn judge_cronofy(entry: &mut Provided, noted: Option<&Noted>) {
    let Some(ours) = &mut entry.event.ours else { return };
    ours.is_untouched = noted.is_some_and(|noted| noted.etag.as_ref() == Some(&entry.etag));
    if noted.is_some_and(|noted| noted.is_fresh) && !ours.is_untouched {
        ours.is_copy = true;
        entry.etag.clear();
    }
}

impl List {
    /// Takes a part; answers where the next is.
    fn take(&mut self, page: Page) -> Result<Option<String>, Trouble> {
        self.told.extend(page.entries.into_iter().map(|entry| (entry.id.clone(), Some(entry))));
        self.told.extend(page.gone.into_iter().map(|id| (id, None)));
        self.token = page.token;
        if self.told.len() > ENTRIES_MAX {
            return Err(Trouble::unusable(format!("it has more than {ENTRIES_MAX} entries")));
        }
        Ok(page.next)
    }
}

fn too_many_parts() -> Trouble {
    Trouble::unusable(format!("its list comes in more than {PARTS_MAX} parts"))
}

/// The token with when its window was opened.
fn remembered(list: List, opened_at: DateTime<Utc>) -> List {
    List { token: list.token.map(|token| format!("{} {token}", stamp(opened_at))), ..list }
}

fn window(token: &str) -> Option<(DateTime<Utc>, &str)> {
    let (opened_at, link) = token.split_once(' ')?;
    Some((DateTime::parse_from_rfc3339(opened_at).ok()?.to_utc(), link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_remembers_when_its_window_was_opened() {
        let at: DateTime<Utc> = "2026-07-01T10:00:00Z".parse().unwrap();
        let list =
            List { token: Some("https://graph.microsoft.com/x?$deltatoken=1".into()), ..List::default() };
        let kept = remembered(list, at).token.unwrap();
        assert_eq!(window(&kept), Some((at, "https://graph.microsoft.com/x?$deltatoken=1")));
        assert_eq!(window("https://graph.microsoft.com/x"), None);
    }
}
