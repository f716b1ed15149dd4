//! A calendar on a CalDAV server: found, listed by what changed, fetched, and written under the ETag that was seen.

use std::collections::{BTreeMap, HashSet};

use calendar::Access;
use outbound::{Answer, Asked, Outbound};
use reqwest::Url;

use super::{
    book::{Fetched, Wrote},
    multistatus::{self, Entry, Multistatus},
    trouble::Trouble,
};

/// Bytes read of one answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries fetched in one request.
const FETCH_MAX: usize = 50;
/// Answers that one listing may come in.
const PAGES_MAX: usize = 200;
/// Entries of a calendar.
const ENTRIES_MAX: usize = 20_000;
/// Addresses tried until the calendar is found.
const HOPS_MAX: usize = 8;
const XML: &str = "application/xml; charset=utf-8";
const FIND: &str = r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><current-user-principal/><C:calendar-home-set/><C:supported-calendar-component-set/></prop></propfind>"#;
const ETAGS: &str = r#"<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>"#;

/// A calendar.
pub(super) struct Caldav<'a> {
    outbound: &'a Outbound,
    access: &'a Access,
    pub(super) collection: Url,
}

/// What is not as it was.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Where entries are, and how: all of them, or those that changed.
    pub(super) entries: BTreeMap<String, String>,
    /// Entries that are gone; of a listing of all, nothing is said of those.
    pub(super) gone: HashSet<String>,
    /// It lists all.
    pub(super) is_all: bool,
    /// Up to where it tells.
    pub(super) token: Option<String>,
}

/// Under what an entry may be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum If<'a> {
    /// Nothing is there.
    Absent,
    /// It is as it was seen.
    Seen(&'a str),
}

impl<'a> If<'a> {
    const fn header(self) -> (&'static str, &'a str) {
        match self {
            Self::Absent => ("if-none-match", "*"),
            Self::Seen(etag) => ("if-match", etag),
        }
    }
}

impl<'a> Caldav<'a> {
    /// The calendar that was found at the access before.
    pub(super) fn at(outbound: &'a Outbound, access: &'a Access, collection: &str) -> Result<Self, Trouble> {
        let collection = Url::parse(collection).map_err(Trouble::unusable)?;
        Ok(Self { outbound, access, collection })
    }

    /// Finds the calendar at the access: the address itself, or the first that its user has.
    pub(super) async fn find(outbound: &'a Outbound, access: &'a Access) -> Result<Self, Trouble> {
        let mut at = Url::parse(&access.url).map_err(Trouble::unusable)?;
        let (mut depth, mut has_asked_well_known) = ("0", false);
        for _ in 0..HOPS_MAX {
            let looking = Self { outbound, access, collection: at.clone() };
            let answer = looking.ask("PROPFIND", &at, &[("depth", depth)], FIND).await?;
            if let (301 | 302 | 307 | 308, Some(location)) = (answer.status, &answer.location) {
                at = led(&at, location)?;
                continue;
            }
            if matches!(answer.status, 404 | 405) && !has_asked_well_known {
                has_asked_well_known = true;
                at = led(&at, "/.well-known/caldav")?;
                continue;
            }
            let list = Self::list(&answer, "a look for calendars")?;
            let is_it = |entry: &&Entry| entry.is_calendar && entry.takes_events;
            if let Some(found) = list.entries.iter().find(is_it) {
                let collection = led(&at, &found.href)?;
                return Ok(Self { collection, ..looking });
            }
            let home = list.entries.iter().find_map(|entry| entry.home.as_deref());
            let principal = list.entries.iter().find_map(|entry| entry.principal.as_deref());
            let (next, deeper) = match (home, principal) {
                _ if depth == "1" => break,
                (Some(home), _) => (home, "1"),
                (None, Some(principal)) => (principal, "0"),
                (None, None) => break,
            };
            (at, depth) = (led(&at, next)?, deeper);
        }
        Err(Trouble::unusable("there is no calendar for appointments at the address"))
    }

    async fn ask(
        &self,
        method: &'static str,
        url: &Url,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Answer, Trouble> {
        let user = self.access.user.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        let mut all = vec![("content-type", XML)];
        if headers.iter().any(|(name, _)| *name == "content-type") || body.is_empty() {
            all.clear();
        }
        all.extend(headers);
        let asked = Asked { method, url: url.as_str(), user, headers: &all, body: body.as_bytes().to_vec() };
        Ok(self.outbound.send(asked, ANSWER_BYTES_MAX).await?)
    }

    fn list(answer: &Answer, asked: &'static str) -> Result<Multistatus, Trouble> {
        // It lets us in, and does not know such a question (RFC 3253, 3.6).
        if answer.status == 403 && multistatus::is_unmet(&answer.body, "supported-report") {
            return Err(Trouble::Answered(403, asked));
        }
        if answer.status != 207 {
            return Err(Trouble::of(answer, asked));
        }
        if answer.is_cut {
            return Err(Trouble::unusable(format!("its answer has more than {ANSWER_BYTES_MAX} bytes")));
        }
        multistatus::parse(&answer.body).ok_or_else(|| Trouble::unusable("its list is not XML, or too long"))
    }

    /// Where an entry is, as it is written down: the path of its address, on the server of the calendar, however that spells it.
    /// None for the calendar itself and folders in it, which some list.
    fn href(&self, said: &str) -> Result<Option<String>, Trouble> {
        let url = self.collection.join(said).map_err(Trouble::unusable)?;
        if url.origin() != self.collection.origin() {
            return Err(Trouble::unusable("it lists entries of another server"));
        }
        let path = spelled(url.path());
        let is_entry = !path.ends_with('/') && path != spelled(self.collection.path().trim_end_matches('/'));
        Ok(is_entry.then_some(path))
    }

    fn url(&self, href: &str) -> Result<Url, Trouble> {
        self.collection.join(href).map_err(Trouble::unusable)
    }

    /// What changed since `token`; everything without one, or when the server does not know it any more. What a server does
    /// with a token that it does not know differs, so whatever it refuses is asked for from the beginning.
    pub(super) async fn changes(&self, token: Option<&str>) -> Result<Changes, Trouble> {
        if let Some(token) = token {
            match self.since(token).await {
                Err(Trouble::Answered(..) | Trouble::Refused(403)) => {}
                changes => return changes,
            }
        }
        match self.since("").await {
            // It knows no such question.
            Err(Trouble::Answered(..)) => self.everything().await,
            changes => changes,
        }
    }

    async fn since(&self, token: &str) -> Result<Changes, Trouble> {
        let mut changes = Changes { is_all: token.is_empty(), ..Changes::default() };
        let mut token = token.to_owned();
        for _ in 0..PAGES_MAX {
            let body = format!(
                r#"<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"#,
                escaped(&token)
            );
            let answer = self.ask("REPORT", &self.collection, &[("depth", "0")], &body).await?;
            let list = Self::list(&answer, "a question for changes")?;
            let is_cut = list.entries.iter().any(|entry| entry.status == Some(507));
            self.collect(list.entries, &mut changes)?;
            let next =
                list.token.ok_or_else(|| Trouble::unusable("its list does not say up to where it tells"))?;
            if !is_cut {
                changes.token = Some(next);
                return Ok(changes);
            }
            token = next;
        }
        Err(Trouble::unusable(format!("its list comes in more than {PAGES_MAX} parts")))
    }

    async fn everything(&self) -> Result<Changes, Trouble> {
        let answer = self.ask("PROPFIND", &self.collection, &[("depth", "1")], ETAGS).await?;
        let list = Self::list(&answer, "a question for its entries")?;
        if list.entries.iter().any(|entry| entry.status == Some(507)) {
            return Err(Trouble::unusable("it does not list all of its entries"));
        }
        let mut changes = Changes { is_all: true, ..Changes::default() };
        self.collect(list.entries, &mut changes)?;
        Ok(changes)
    }

    fn collect(&self, entries: Vec<Entry>, changes: &mut Changes) -> Result<(), Trouble> {
        for entry in entries {
            let Some(href) = self.href(&entry.href)? else { continue };
            match (entry.status, entry.etag) {
                // Only this means that it is gone.
                (Some(404 | 410), _) => drop(changes.gone.insert(href)),
                (None | Some(200), Some(etag)) => drop(changes.entries.insert(href, etag)),
                _ => return Err(unsaid()),
            }
        }
        if changes.entries.len().max(changes.gone.len()) > ENTRIES_MAX {
            return Err(Trouble::unusable(format!("it has more than {ENTRIES_MAX} entries")));
        }
        Ok(())
    }

    /// Entries by where they are, each made into something that is smaller. Those that are gone by now are left out; that one
    /// is gone has to be said of it.
    pub(super) async fn fetch<T>(
        &self,
        hrefs: &[String],
        made: impl Fn(Fetched) -> T,
    ) -> Result<Vec<T>, Trouble> {
        let mut fetched = Vec::with_capacity(hrefs.len());
        for some in hrefs.chunks(FETCH_MAX) {
            let mut missing: HashSet<&str> = some.iter().map(String::as_str).collect();
            let wanted: Vec<String> = some.iter().map(|href| escaped(href)).collect();
            let wanted = wanted.join("</href><href>");
            let body = format!(
                r#"<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop><href>{wanted}</href></C:calendar-multiget>"#
            );
            let answer = self.ask("REPORT", &self.collection, &[("depth", "1")], &body).await?;
            for entry in Self::list(&answer, "a question for entries")?.entries {
                let Some(href) = self.href(&entry.href)?.filter(|href| missing.remove(href.as_str())) else {
                    continue;
                };
                match (entry.status, entry.etag, entry.data) {
                    (Some(404 | 410), ..) => {}
                    (None | Some(200), Some(etag), Some(text)) => {
                        fetched.push(made(Fetched { href, etag, text }));
                    }
                    _ => return Err(unsaid()),
                }
            }
            if !missing.is_empty() {
                return Err(unsaid());
            }
        }
        Ok(fetched)
    }

    /// Where an entry of this name is.
    pub(super) fn href_of(&self, name: &str) -> String {
        let folder = self.collection.path().trim_end_matches('/');
        spelled(&format!("{folder}/{name}"))
    }

    /// An entry as it is; none when there is none.
    pub(super) async fn get(&self, href: &str) -> Result<Option<Fetched>, Trouble> {
        let answer = self.ask("GET", &self.url(href)?, &[], "").await?;
        match (answer.status, answer.etag.clone()) {
            (404 | 410, _) => Ok(None),
            (200, Some(etag)) if !answer.is_cut => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                Ok(Some(Fetched { href: href.to_owned(), etag, text }))
            }
            (200, _) => Err(Trouble::unusable("an entry has no ETag, or is too long")),
            _ => Err(Trouble::of(&answer, "a question for an entry")),
        }
    }

    /// Writes an entry.
    pub(super) async fn put(&self, href: String, text: &str, seen: If<'_>) -> Result<Wrote, Trouble> {
        let headers = [("content-type", "text/calendar; charset=utf-8"), seen.header()];
        let answer = self.ask("PUT", &self.url(&href)?, &headers, text).await?;
        match answer.status {
            200 | 201 | 204 => Ok(Wrote::Done(href, answer.etag)),
            // Some wrap what they refuse into a list.
            207 | 404 | 409 | 412 => Ok(Wrote::Moved),
            _ => Err(Trouble::of(&answer, "an entry")),
        }
    }

    /// Takes an entry out.
    pub(super) async fn delete(&self, href: &str, seen: If<'_>) -> Result<Wrote, Trouble> {
        let answer = self.ask("DELETE", &self.url(href)?, &[seen.header()], "").await?;
        match answer.status {
            200 | 204 | 404 | 410 => Ok(Wrote::Done(href.to_owned(), None)),
            412 => Ok(Wrote::Moved),
            _ => Err(Trouble::of(&answer, "taking an entry out")),
        }
    }
}

/// An entry may be gone, and may as well be there.
fn unsaid() -> Trouble {
    Trouble::unusable("it does not say of each entry how it is")
}

/// Where a server leads to: to itself, or to another server of its site, whose name somebody registered as a whole. The password
/// goes along.
fn led(from: &Url, to: &str) -> Result<Url, Trouble> {
    let to = from.join(to).map_err(Trouble::unusable)?;
    let site = |url: &Url| url.domain().and_then(psl::domain_str).map(str::to_owned);
    let is_near = from.host() == to.host() || site(from).is_some_and(|of| site(&to) == Some(of));
    if is_near { Ok(to) } else { Err(Trouble::unusable("it leads to somebody else's server")) }
}

/// A path in the one way in which it is written down: some servers escape what others do not, and some do both. Whatever may be
/// escaped is.
pub(super) fn spelled(path: &str) -> String {
    let (mut spelled, mut left) = (String::with_capacity(path.len()), path.as_bytes());
    while let [first, rest @ ..] = left {
        let mut byte = [*first];
        let code = rest.get(..2).filter(|_| *first == b'%');
        let is_escaped = code.is_some_and(|code| hex::decode_to_slice(code, &mut byte).is_ok());
        left = if is_escaped { &rest[2..] } else { rest };
        match byte[0] {
            b'/' if !is_escaped => spelled.push('/'),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => spelled.push(char::from(byte)),
            byte => {
                spelled.push('%');
                spelled.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    spelled
}

/// As XML takes it between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_down_in_one_way() {
        for (path, expected) in [
            ("/ada@x.org/a.ics", "/ada%40x.org/a.ics"),
            ("/ada%40x.org/%61.ics", "/ada%40x.org/a.ics"),
            ("/%c3%a9~b/", "/%C3%A9~b/"),
            ("/é%7eb/", "/%C3%A9~b/"),
            ("/a%2fb%2B+", "/a%2Fb%2B%2B"),
            ("/100%/%4", "/100%25/%254"),
            ("", ""),
        ] {
            assert_eq!((spelled(path).as_str(), spelled(expected).as_str()), (expected, expected), "{path}");
        }
    }

    #[test]
    fn a_server_leads_to_its_own_site_and_nowhere_else() {
        let from = Url::parse("https://caldav.example.com/").unwrap();
        for to in ["/ada/", "https://p42-caldav.example.com/1/", "https://EXAMPLE.com:8443/"] {
            assert!(led(&from, to).is_ok(), "{to}");
        }
        for to in
            ["https://example.org/", "https://example.com.evil.org/", "https://1.1.1.1/", "//evil.org/x"]
        {
            assert!(led(&from, to).is_err(), "{to}");
        }
        let shared = Url::parse("https://caldav.acme.co.uk/").unwrap();
        assert!(
            led(&shared, "https://p1.acme.co.uk/").is_ok() && led(&shared, "https://evil.co.uk/").is_err()
        );
        let here = Url::parse("http://127.0.0.1:5232/").unwrap();
        assert!(led(&here, "/ada/").is_ok() && led(&here, "http://127.0.0.2/").is_err());
    }
}
