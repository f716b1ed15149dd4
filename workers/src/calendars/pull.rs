//! Reading a calendar: what changed there, when somebody is busy because of it, and what became of our entries in it.

use std::collections::{BTreeMap, HashSet};

use calendar::{Access, Busy, CALENDAR_BYTES_MAX, Event, busy, read};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{CalendarLinkId, TenantId, kinds::calendar_pull::CalendarPulled};
use matching::Span;
use outbound::{Answer, Asked, Outbound};
use reqwest::Url;
use schedule::Zone;
use sha2::{Digest, Sha256};
use store::{
    Db,
    calendars::{self, Object, Opened, Own, Reading, Took},
};

use super::{
    book::Fetched,
    caldav::{Caldav, spelled},
    provided,
    trouble::Trouble,
};
use crate::deps::Deps;

/// How far ahead anybody is busy, and how far back.
pub(super) const AHEAD: TimeDelta = TimeDelta::days(366);
pub(super) const BACK: TimeDelta = TimeDelta::days(1);
/// Appointments that change between two readings.
const EVENTS_MAX: usize = 50_000;
/// Stretches in which somebody is busy.
const BUSY_SPANS_MAX: usize = 10_000;
/// Entries that are fetched before they are kept, so that a reading that is stopped goes on from there.
const KEPT_TOGETHER_MAX: usize = 100;
/// Bytes of where an entry is, and of how it is.
const HREF_BYTES_MAX: usize = 2_000;
const ETAG_BYTES_MAX: usize = 1_000;
/// Bytes of the word up to where it was read; a longer one is forgotten, and everything listed again.
const TOKEN_BYTES_MAX: usize = 4_000;
/// Times that a feed may say it is elsewhere.
const HOPS_MAX: usize = 5;
/// Where the one entry of a feed is.
const FEED: &str = "feed";

/// What a calendar says, before it is known what follows.
#[derive(Default)]
pub(super) struct Said {
    /// When that was, where it began before the calendar was opened.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) collection: Option<String>,
    pub(super) token: Option<String>,
    /// Where, how, and when.
    pub(super) changed: Vec<(String, String, Vec<Event>)>,
    pub(super) removed: Vec<String>,
}

/// Entries by where they are: how, and when.
pub(super) type Entries = BTreeMap<String, (String, Vec<Event>)>;

/// Reads the calendar of a link; none when there is no such link, or somebody else read it meanwhile.
pub(crate) async fn pull(
    deps: &Deps,
    tenant: TenantId,
    link: CalendarLinkId,
) -> Result<Option<CalendarPulled>, Trouble> {
    let Some(opened) = calendars::open(&deps.db, tenant, link).await? else { return Ok(None) };
    let access: Access = serde_json::from_str(&opened.access).map_err(Trouble::unusable)?;
    let mut entries = known(&opened)?;
    let said = match opened.provider.as_str() {
        "ics" => read_feed(&deps.outbound, &access, &entries).await?,
        "google" | "microsoft" | "cronofy" => {
            provided::read(deps, (tenant, link), &access, &opened, &entries).await?
        }
        _ => read_caldav(deps, (tenant, link), &access, &opened, &entries).await?,
    };
    let removed = said.removed.iter().filter(|href| entries.remove(*href).is_some()).count();
    for (href, etag, events) in &said.changed {
        entries.insert(href.clone(), (etag.clone(), events.clone()));
    }
    // A name of ours that is none of theirs is somebody else's appointment: another tenant's, or another installation's.
    for event in entries.values_mut().flat_map(|(_, events)| events) {
        event.ours = event.ours.take().filter(|ours| opened.own.contains(&ours.booking));
    }
    let Busy { spans, doubts } = follow(entries, &opened.timezone, opened.at).await?;
    let pulled = CalendarPulled {
        link,
        read: true,
        changed: said.changed.len() as u32,
        removed: removed as u32,
        busy: spans.len() as u32,
        doubts: doubts as u32,
    };
    let reading = Reading {
        reading: opened.reading,
        at: said.at.unwrap_or(opened.at),
        collection: said.collection,
        token: said.token.filter(|token| token.len() <= TOKEN_BYTES_MAX),
        changed: objects(said.changed)?,
        removed: said.removed,
        busy: spans,
        doubts,
    };
    match calendars::take(&deps.db, tenant, link, &reading).await? {
        Took::Taken => Ok(Some(pulled)),
        Took::Overtaken => Ok(None),
        Took::Outdated => {
            calendars::forget_parts(&deps.db, tenant, link).await?;
            Err(Trouble::Outdated)
        }
    }
}

fn known(opened: &Opened) -> Result<Entries, Trouble> {
    let entry = |known: &calendars::Known| {
        let events = serde_json::from_value(known.events.0.clone()).map_err(Trouble::unusable)?;
        Ok((known.href.clone(), (known.etag.clone(), events)))
    };
    opened.known.iter().map(entry).collect()
}

/// When somebody is busy. Rules may take long to follow, so not among what waits for answers.
async fn follow(entries: Entries, timezone: &str, at: DateTime<Utc>) -> Result<Busy, Trouble> {
    let zone: Zone = timezone.parse().map_err(Trouble::unusable)?;
    let horizon = Span { from: at - BACK, until: at + AHEAD };
    let events: Vec<Event> = entries.into_values().flat_map(|(_, events)| events).collect();
    let followed = tokio::task::spawn_blocking(move || busy(&events, zone, horizon)).await;
    let busy = followed.map_err(Trouble::unusable)?.map_err(Trouble::unusable)?;
    if busy.spans.len() > BUSY_SPANS_MAX {
        return Err(Trouble::unusable(format!("somebody is busy more than {BUSY_SPANS_MAX} times")));
    }
    Ok(busy)
}

fn objects(changed: Vec<(String, String, Vec<Event>)>) -> Result<Vec<Object>, Trouble> {
    let mut own = HashSet::new();
    let mut objects = Vec::with_capacity(changed.len());
    for (href, etag, events) in changed {
        if href.len() > HREF_BYTES_MAX || etag.len() > ETAG_BYTES_MAX {
            return Err(Trouble::unusable("the name or the ETag of an entry is too long"));
        }
        let ours = events.iter().find_map(|event| event.ours.as_ref());
        let ours = ours.filter(|ours| !ours.is_copy && own.insert(ours.booking));
        let own = ours.map(|ours| Own { booking: ours.booking, is_untouched: ours.is_untouched });
        objects.push(Object {
            href,
            etag,
            events: serde_json::to_value(events).map_err(Trouble::unusable)?,
            own,
        });
    }
    Ok(objects)
}

async fn read_caldav(
    deps: &Deps,
    ids: (TenantId, CalendarLinkId),
    access: &Access,
    opened: &Opened,
    known: &Entries,
) -> Result<Said, Trouble> {
    let calendar = match &opened.collection {
        Some(collection) => Caldav::at(&deps.outbound, access, collection)?,
        None => Caldav::find(&deps.outbound, access).await?,
    };
    // What is kept in another spelling would not be known by what is told of it: then all is listed.
    let is_spelled = known.keys().all(|href| spelled(href) == *href);
    // Where it is gone, another calendar of its user is not it: somebody has to link it anew.
    let changes = calendar.changes(opened.token.as_deref().filter(|_| is_spelled)).await?;
    if calendar.collection.as_str().len() > HREF_BYTES_MAX {
        return Err(Trouble::unusable("its address is too long"));
    }
    let is_new = |href: &str, etag: &str| known.get(href).is_none_or(|(before, _)| before != etag);
    let wanted = changes.entries.iter().filter(|(href, etag)| is_new(href, etag));
    let wanted: Vec<String> = wanted.map(|(href, _)| href.clone()).collect();
    let owner = access.email.as_deref();
    let read_one = |entry: Fetched| {
        let events = read(entry.text.as_bytes(), owner).unwrap_or_else(|_| vec![Event::unreadable()]);
        (entry.href, (entry.etag, events))
    };
    let mut fresh = Entries::new();
    let mut count = 0;
    for some in wanted.chunks(KEPT_TOGETHER_MAX) {
        let mut fetched: Entries = calendar.fetch(some, read_one).await?.into_iter().collect();
        count += fetched.values().map(|(_, events)| events.len()).sum::<usize>();
        if count > EVENTS_MAX {
            return Err(Trouble::unusable(format!("more than {EVENTS_MAX} appointments changed")));
        }
        if wanted.len() > KEPT_TOGETHER_MAX {
            keep(&deps.db, ids, opened.reading, &fetched).await?;
        }
        fresh.append(&mut fetched);
    }
    // Gone between the listing and the fetching.
    let lost: HashSet<&String> = wanted.iter().filter(|href| !fresh.contains_key(*href)).collect();
    let is_gone = |href: &&String| {
        let is_left_out = changes.is_all && !changes.entries.contains_key(*href);
        is_left_out || lost.contains(href) || changes.gone.contains(*href)
    };
    let mut removed: Vec<String> = known.keys().filter(is_gone).cloned().collect();
    // Also what was written by us and never read.
    removed.extend(changes.gone.iter().filter(|href| !known.contains_key(*href)).cloned());
    Ok(Said {
        at: None,
        collection: Some(calendar.collection.to_string()),
        token: changes.token,
        changed: fresh.into_iter().map(|(href, (etag, events))| (href, etag, events)).collect(),
        removed,
    })
}

/// Keeps what was fetched so far. Not what is ours: of that a reading has to say how it was found.
async fn keep(
    db: &Db,
    (tenant, link): (TenantId, CalendarLinkId),
    reading: i32,
    fetched: &Entries,
) -> Result<(), Trouble> {
    let is_theirs = |events: &[Event]| events.iter().all(|event| event.ours.is_none());
    let theirs = fetched.iter().filter(|(_, (_, events))| is_theirs(events));
    let theirs = theirs.map(|(href, (etag, events))| (href.clone(), etag.clone(), events.clone()));
    Ok(calendars::keep(db, tenant, link, reading, &objects(theirs.collect())?).await?)
}

async fn read_feed(outbound: &Outbound, access: &Access, known: &Entries) -> Result<Said, Trouble> {
    let before = known.get(FEED).map(|(etag, _)| etag.as_str());
    let answer = get(outbound, access, before).await?;
    if answer.status == 304 && before.is_some() {
        return Ok(Said::default());
    }
    if answer.status != 200 {
        return Err(Trouble::of(&answer, "a question for the feed"));
    }
    if answer.is_cut {
        return Err(Trouble::unusable(format!("it has more than {CALENDAR_BYTES_MAX} bytes")));
    }
    let etag = answer.etag.unwrap_or_else(|| hex::encode(Sha256::digest(&answer.body)));
    if before == Some(etag.as_str()) {
        return Ok(Said::default());
    }
    let events = read(&answer.body, access.email.as_deref()).map_err(Trouble::unusable)?;
    Ok(Said { changed: vec![(FEED.to_owned(), etag, events)], ..Said::default() })
}

async fn get(outbound: &Outbound, access: &Access, etag: Option<&str>) -> Result<Answer, Trouble> {
    let first = Url::parse(&access.url).map_err(Trouble::unusable)?;
    let mut at = first.clone();
    let headers: Vec<(&'static str, &str)> = etag.map(|etag| ("if-none-match", etag)).into_iter().collect();
    for _ in 0..HOPS_MAX {
        let user = access.user.as_ref().filter(|_| at.origin() == first.origin());
        let user = user.map(|(user, password)| (user.as_str(), password.as_str()));
        let asked = Asked { method: "GET", url: at.as_str(), user, headers: &headers, body: Vec::new() };
        let answer = outbound.send(asked, CALENDAR_BYTES_MAX).await?;
        match (answer.status, &answer.location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                at = at.join(location).map_err(Trouble::unusable)?;
            }
            _ => return Ok(answer),
        }
    }
    Err(Trouble::unusable("it says again and again that it is elsewhere"))
}
