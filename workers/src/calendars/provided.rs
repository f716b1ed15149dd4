//! Reading calendars of Google, Microsoft and Cronofy.

use std::{collections::BTreeMap, time::Duration};

use calendar::{
    Access,
    provided::{NoPage, Page, Provided, cronofy, google, microsoft},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use jobs::{CalendarLinkId, TenantId};
use outbound::Asked;
use reqwest::Url;
use store::calendars::Opened;

use super::{
    granted,
    providers::Client,
    pull::{AHEAD, BACK, Entries, Said},
    trouble::Trouble,
};
use crate::deps::Deps;

/// Bytes of one part of a list.
const PART_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Parts of a list, and entries of all.
const PARTS_MAX: usize = 200;
const ENTRIES_MAX: usize = 20_000;
/// How far ahead Cronofy tells.
const CRONOFY_AHEAD: TimeDelta = TimeDelta::days(200);
/// A window of Microsoft's stays where it was; after so long another is opened.
const WINDOW_AGE_MAX: TimeDelta = TimeDelta::days(7);
/// How Microsoft is to write: parts of this size, times of one clock.
const PREFER: &str = "odata.maxpagesize=200,outlook.timezone=\"UTC\"";

/// A calendar, and who may read it.
struct Calendar<'a> {
    deps: &'a Deps,
    client: Client<'a>,
    token: String,
    /// What the provider calls it.
    name: &'a str,
}

/// What a list says, of all its parts.
#[derive(Default)]
struct List {
    is_all: bool,
    /// Entries by their names, none for one that is gone. Of what is told twice the last holds.
    told: BTreeMap<String, Option<Provided>>,
    token: Option<String>,
}

/// What a calendar says since it was read before.
pub(super) async fn read(
    deps: &Deps,
    (tenant, link): (TenantId, CalendarLinkId),
    access: &Access,
    opened: &Opened,
    known: &Entries,
) -> Result<Said, Trouble> {
    let nobody = || Trouble::unusable(format!("no client is set up for {}", opened.provider));
    let client = deps.calendars.client(&opened.provider).ok_or_else(nobody)?;
    let token = granted::token(deps, (tenant, link), &client, access, None).await?;
    let mut calendar = Calendar { deps, client, token, name: &access.url };
    let list = match calendar.list(opened).await {
        // A token may end before its time: its provider is asked for another, once.
        Err(Trouble::Refused(401)) => {
            let ended = std::mem::take(&mut calendar.token);
            let client = &calendar.client;
            calendar.token = granted::token(deps, (tenant, link), client, access, Some(&ended)).await?;
            calendar.list(opened).await?
        }
        list => list?,
    };
    Ok(said(list, known))
}

fn said(list: List, known: &Entries) -> Said {
    let is_left_out = |href: &&String| list.is_all && !list.told.contains_key(*href);
    let mut removed: Vec<String> = known.keys().filter(is_left_out).cloned().collect();
    let mut changed = Vec::new();
    for (id, entry) in list.told {
        match entry {
            None => removed.push(id),
            // Some have no word for how an entry is.
            Some(entry)
                if !entry.etag.is_empty() && known.get(&id).is_some_and(|(etag, _)| *etag == entry.etag) => {}
            Some(entry) => changed.push((id, entry.etag, vec![entry.event])),
        }
    }
    Said { collection: None, token: list.token, changed, removed }
}

impl Calendar<'_> {
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
        let first = self.client.address(&["calendar", "v3", "calendars", self.name, "events"])?;
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
        let mut url = match self.name {
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
        ]);
        if self.name != "primary" {
            url.query_pairs_mut().append_pair("calendar_ids[]", self.name);
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
        let bearer = format!("Bearer {}", self.token);
        let headers =
            [("authorization", bearer.as_str()), ("accept", "application/json"), ("prefer", PREFER)];
        let asked =
            Asked { method: "GET", url: url.as_str(), user: None, headers: &headers, body: Vec::new() };
        let answer = self.deps.outbound.send(asked, PART_BYTES_MAX).await?;
        match answer.status {
            200 if answer.is_cut => {
                Err(Trouble::unusable(format!("a part of its list has more than {PART_BYTES_MAX} bytes")))
            }
            200 => read(&answer.body).map_err(Trouble::unusable),
            403 if is_limited(&answer.body) => {
                Err(Trouble::Busy(403, answer.retry_after_s.map(Duration::from_secs)))
            }
            _ => Err(Trouble::of(&answer, "a question for its entries")),
        }
    }

    /// An address that the provider named: of its API, for the token goes there.
    fn same(&self, named: &str) -> Result<Url, Trouble> {
        let url = Url::parse(named).map_err(Trouble::unusable)?;
        let is_same = url.origin() == self.client.api.origin();
        if is_same { Ok(url) } else { Err(Trouble::unusable("it leads to somebody else's server")) }
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

/// Whether a refusal only says that we ask too often: Google's words for it.
fn is_limited(body: &[u8]) -> bool {
    let said = String::from_utf8_lossy(body);
    ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"].iter().any(|word| said.contains(word))
}

fn too_many_parts() -> Trouble {
    Trouble::unusable(format!("its list comes in more than {PARTS_MAX} parts"))
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
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
    fn who_asks_too_often_is_told_from_who_may_not_ask() {
        assert!(is_limited(br#"{"error": {"errors": [{"reason": "rateLimitExceeded"}], "code": 403}}"#));
        assert!(!is_limited(br#"{"error": {"errors": [{"reason": "forbidden"}], "code": 403}}"#));
    }

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
