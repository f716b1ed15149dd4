//! Reading calendars of Google, Microsoft and Cronofy.

use std::collections::BTreeMap;

use calendar::{
    Access, Ours,
    provided::{NoPage, Page, Provided, cronofy, google, microsoft},
};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{CalendarLinkId, TenantId};
use reqwest::Url;
use store::calendars::{self, Begun, Noted, Opened, Part};

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
/// Bytes of where the next part is; a longer one is not kept.
const NEXT_BYTES_MAX: usize = 4_000;
/// A window of Microsoft's stays where it was; after so long another is opened.
const WINDOW_AGE_MAX: TimeDelta = TimeDelta::days(7);

/// What a list says, of the parts that were read.
struct List {
    /// When it was begun, and of how many parts it tells.
    at: DateTime<Utc>,
    parts: usize,
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
    Said { at: Some(list.at), collection: None, token: list.token, changed, removed }
}

/// Whether an entry is as it was read before. Some have no word for how one is.
fn is_known(entry: &Provided, known: &Entries) -> bool {
    !entry.etag.is_empty() && known.get(&entry.id).is_some_and(|(etag, _)| *etag == entry.etag)
}

impl Calendar<'_> {
    async fn said(&self, opened: &Opened, known: &Entries) -> Result<Said, Trouble> {
        let mut list = self.list(opened).await?;
        self.fill(&mut list, opened, known).await?;
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

    /// Asks for entries by themselves of which the list does not say when they are. What nobody knew before lies outside of its window.
    async fn fill(&self, list: &mut List, opened: &Opened, known: &Entries) -> Result<(), Trouble> {
        let is_known = |id: &String| known.contains_key(id) || opened.noted.contains_key(id);
        list.told.retain(|id, told| told.as_ref().is_none_or(|entry| !entry.is_hollow) || is_known(id));
        for (id, told) in &mut list.told {
            if told.as_ref().is_some_and(|entry| entry.is_hollow) {
                let found = Microsoft(self).get(id).await?;
                *told = found.and_then(|found| microsoft::asked(&found.text));
            }
        }
        Ok(())
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

    /// The rest of a list that was begun; what changed since the token; all of it where that is forgotten.
    async fn list(&self, opened: &Opened) -> Result<List, Trouble> {
        if let Some(begun) = &opened.begun {
            match self.rest(opened, List::of(begun)?, Some(begun.next.clone())).await {
                // Nobody knows there any more where we were.
                Err(Trouble::Answered(400 | 404 | 410, _)) => {}
                list => return list,
            }
        }
        if is_told_changes(opened) {
            match self.rest(opened, List::begin(opened.at, false), None).await {
                Err(Trouble::Answered(410, _)) => {}
                Err(Trouble::Answered(400 | 404, _)) if opened.provider == "microsoft" => {}
                list => return list,
            }
        }
        self.rest(opened, List::begin(opened.at, true), None).await
    }

    /// The parts that are left of a list. Each but the last is kept, for whoever goes on when this is stopped.
    async fn rest(&self, opened: &Opened, mut list: List, mut next: Option<String>) -> Result<List, Trouble> {
        let read = match opened.provider.as_str() {
            "google" => google::page,
            "microsoft" => microsoft::page,
            _ => cronofy::page,
        };
        while list.parts < PARTS_MAX {
            let page = self.part(&self.address(opened, &list, next.as_deref())?, read).await?;
            let Some(part) = list.take(page)? else { return Ok(remembered(list, opened)) };
            next = Some(part.next.clone());
            if part.next.len() <= NEXT_BYTES_MAX {
                calendars::keep_part(&self.deps.db, self.ids, opened.reading, &part).await?;
            }
        }
        Err(Trouble::unusable(format!("its list comes in more than {PARTS_MAX} parts")))
    }

    /// Where a part of a list is: the first, or the next in the words of its provider.
    fn address(&self, opened: &Opened, list: &List, next: Option<&str>) -> Result<Url, Trouble> {
        match (opened.provider.as_str(), next) {
            ("google", _) => self.google(opened, list, next),
            (_, Some(next)) => self.same(next),
            ("microsoft", None) => self.microsoft(opened, list),
            (_, None) => self.cronofy(list.at),
        }
    }

    fn google(&self, opened: &Opened, list: &List, next: Option<&str>) -> Result<Url, Trouble> {
        let mut url = self.client.address(&["calendar", "v3", "calendars", self.name(), "events"])?;
        let since = opened.token.as_deref().filter(|_| !list.is_all);
        let from = stamp(list.at - BACK);
        let (name, value) = since.map_or(("timeMin", from.as_str()), |token| ("syncToken", token));
        url.query_pairs_mut().append_pair("maxResults", "2500").append_pair(name, value);
        if let Some(next) = next {
            url.query_pairs_mut().append_pair("pageToken", next);
        }
        Ok(url)
    }

    fn microsoft(&self, opened: &Opened, list: &List) -> Result<Url, Trouble> {
        if let Some((_, link)) = opened.token.as_deref().and_then(window).filter(|_| !list.is_all) {
            return self.same(link);
        }
        let mut url = match self.name() {
            "primary" => self.client.address(&["v1.0", "me", "calendarView", "delta"])?,
            name => self.client.address(&["v1.0", "me", "calendars", name, "calendarView", "delta"])?,
        };
        let (from, until) = (stamp(list.at - BACK), stamp(list.at + AHEAD));
        url.query_pairs_mut().append_pair("startDateTime", &from).append_pair("endDateTime", &until);
        Ok(url)
    }

    fn cronofy(&self, at: DateTime<Utc>) -> Result<Url, Trouble> {
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
        Ok(url)
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
    fn begin(at: DateTime<Utc>, is_all: bool) -> Self {
        Self { at, parts: 0, is_all, told: BTreeMap::new(), token: None }
    }

    /// What was told of a list that was begun.
    fn of(begun: &Begun) -> Result<Self, Trouble> {
        let mut list = Self { parts: begun.told.len(), ..Self::begin(begun.at, begun.is_all) };
        for told in &begun.told {
            let told: Vec<(String, Option<Provided>)> =
                serde_json::from_value(told.clone()).map_err(Trouble::unusable)?;
            list.told.extend(told);
        }
        Ok(list)
    }

    /// Takes a part; answers how it is kept, and where the next is, unless it is the last.
    fn take(&mut self, page: Page) -> Result<Option<Part>, Trouble> {
        let entries = page.entries.into_iter().map(|entry| (entry.id.clone(), Some(entry)));
        let told: Vec<(String, Option<Provided>)> =
            entries.chain(page.gone.into_iter().map(|id| (id, None))).collect();
        let next = page.next.map(|next| {
            let told = serde_json::to_value(&told).map_err(Trouble::unusable)?;
            Ok(Part { at: self.at, is_all: self.is_all, number: self.parts, next, told })
        });
        self.parts += 1;
        self.told.extend(told);
        self.token = page.token;
        if self.told.len() > ENTRIES_MAX {
            return Err(Trouble::unusable(format!("it has more than {ENTRIES_MAX} entries")));
        }
        next.transpose()
    }
}

/// Whether its provider can be asked for what changed. A window of Microsoft's is left when it is old.
fn is_told_changes(opened: &Opened) -> bool {
    let token = opened.token.as_deref();
    match opened.provider.as_str() {
        "google" => token.is_some(),
        "microsoft" => {
            token.and_then(window).is_some_and(|(began_at, _)| opened.at - began_at < WINDOW_AGE_MAX)
        }
        _ => false,
    }
}

/// With when its window was opened, as the token of Microsoft's is kept.
fn remembered(list: List, opened: &Opened) -> List {
    if opened.provider != "microsoft" {
        return list;
    }
    let before = opened.token.as_deref().and_then(window).filter(|_| !list.is_all);
    let began_at = before.map_or(list.at, |(began_at, _)| began_at);
    List { token: list.token.map(|token| windowed(&token, began_at)), ..list }
}

/// A token with when its window was opened.
fn windowed(token: &str, began_at: DateTime<Utc>) -> String {
    format!("{} {token}", stamp(began_at))
}

fn window(token: &str) -> Option<(DateTime<Utc>, &str)> {
    let (began_at, link) = token.split_once(' ')?;
    Some((DateTime::parse_from_rfc3339(began_at).ok()?.to_utc(), link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_remembers_when_its_window_was_opened() {
        let at: DateTime<Utc> = "2026-07-01T10:00:00Z".parse().unwrap();
        let link = "https://graph.microsoft.com/x?$deltatoken=1";
        assert_eq!(window(&windowed(link, at)), Some((at, link)));
        assert_eq!(window("https://graph.microsoft.com/x"), None);
    }
}
