//! Text messages by Twilio's REST API, version 2010-04-01.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{Job, kinds::notify_send::NotifySend};
use notify::{Cost, Sms};
use reqwest::{Client, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    Answer, Asked, Carries, Letter, STILL_MAX,
    http::{ANSWER_MAX, Said, call, call_for, meaning},
};

/// Twilio's words for a number that nobody has, cannot be reached or takes no text messages.
const NOBODY: [u32; 4] = [21_211, 21_214, 21_217, 21_614];
/// Twilio's word for a number whose owner answered STOP.
const STOPPED: u32 = 21_610;
/// For so long after a message was begun its absence from their list proves nothing: whoever began it may have stood still
/// before the call, and the call takes its time.
pub(crate) const LISTED_AFTER: TimeDelta = TimeDelta::seconds(60);
const _: () = assert!(LISTED_AFTER.num_seconds() as u64 > STILL_MAX.as_secs() + ANSWER_MAX.as_secs());
/// For so long after a message was begun they are asked again when they do not answer.
const ASKED_FOR: TimeDelta = TimeDelta::hours(1);
/// Messages to a number on one page of their list, and pages that are looked at.
const PAGE_MAX: usize = 200;
const PAGES_MAX: usize = 10;
/// Bytes of a page: the longest texts, with every character of them escaped.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// After so long no further page is asked for.
const LISTING_MAX: Duration = Duration::from_mins(1);
const _: () = assert!(LISTING_MAX.as_secs() + ANSWER_MAX.as_secs() < NotifySend::POLICY.timeout_s as u64);
/// How soon they are asked again when they do not answer.
const ASK_AGAIN: Duration = Duration::from_mins(1);
/// Longest wait for what a message cost.
const COST_MAX: Duration = Duration::from_secs(5);
/// Clocks of two houses may disagree by so much.
const CLOCKS_DISAGREE: TimeDelta = TimeDelta::minutes(5);

/// Sends text messages.
pub struct Carrier {
    client: Client,
    base: String,
    /// Of messages, beneath the base.
    path: String,
    account: String,
    token: SecretString,
    from: String,
}

#[derive(Deserialize)]
struct Taken {
    sid: String,
}

#[derive(Deserialize)]
struct Refusal {
    code: u32,
    message: String,
}

#[derive(Deserialize)]
struct Billed {
    price: Option<String>,
    price_unit: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Entry>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    body: String,
    date_created: String,
}

impl Carries for Carrier {
    type What = Sms;
    const NAME: &'static str = "twilio";

    async fn send(&self, letter: &Letter<'_>, sms: &Sms) -> Answer {
        let fields = [("To", letter.address), ("From", self.from.as_str()), ("Body", sms.text.as_str())];
        let told = letter.callback.map(|url| ("StatusCallback", url));
        let body = form(&fields.into_iter().chain(told).collect::<Vec<_>>());
        let request = self
            .client
            .post(format!("{}{}", self.base, self.path))
            .basic_auth(&self.account, Some(self.token.expose_secret()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        match call(request).await {
            Ok(said) if said.status == StatusCode::CREATED => {
                let taken: Option<Taken> = serde_json::from_slice(&said.body).ok();
                Answer::Done(taken.map(|taken| taken.sid))
            }
            Ok(said) => refused(&said),
            Err(answer) => answer,
        }
    }
}

impl Carrier {
    /// One that calls `base` for `account`.
    pub fn new(client: Client, base: &str, account: String, token: SecretString, from: String) -> Self {
        let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
        Self { client, base: base.to_owned(), path, account, token, from }
    }

    /// What they list for the number since the message was begun; or what they say instead. The list is read to its end:
    /// by when a message was sent it could be narrowed, and one that is in their queue was not sent yet.
    pub(super) async fn list(&self, to: &str, text: &str, begun_at: DateTime<Utc>) -> Result<Listed, Asked> {
        let (now, began) = (Utc::now(), Instant::now());
        if let Ok(wait) = (begun_at + LISTED_AFTER - now).to_std() {
            return Err(Asked::Later(wait));
        }
        // Whoever does not answer now may answer in a while.
        let silent = if now - begun_at < ASKED_FOR { Asked::Later(ASK_AGAIN) } else { Asked::CannotSay };
        let most = PAGE_MAX.to_string();
        let mut uri = format!("{}?{}", self.path, form(&[("To", to), ("PageSize", most.as_str())]));
        let mut listed = Listed { entries: Vec::new(), has_more: true };
        for _ in 0..PAGES_MAX {
            let Some(body) = self.page(&uri).await.filter(|_| began.elapsed() < LISTING_MAX) else {
                return Err(silent);
            };
            let page: Page = serde_json::from_slice(&body).map_err(|_| Asked::CannotSay)?;
            listed.add(&page, text, begun_at - CLOCKS_DISAGREE);
            match page.next_page_uri {
                // Nobody is led elsewhere, with the token in hand.
                Some(next) if next.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('?')) => {
                    uri = next;
                }
                _ => break,
            }
        }
        Ok(listed)
    }

    /// What the message cost that they call `name`; none when they do not say, or not yet.
    pub(super) async fn cost(&self, name: &str) -> Option<Cost> {
        let folder = self
            .path
            .strip_suffix(".json")
            .filter(|_| name.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
        let request = self
            .client
            .get(format!("{}{folder}/{name}.json", self.base))
            .basic_auth(&self.account, Some(self.token.expose_secret()))
            .timeout(COST_MAX);
        let said = call(request).await.ok().filter(|said| said.status == StatusCode::OK)?;
        let billed: Billed = serde_json::from_slice(&said.body).ok()?;
        Cost::read(&billed.price?, &billed.price_unit?)
    }

    /// A page of their list; none when they do not answer well.
    async fn page(&self, uri: &str) -> Option<Vec<u8>> {
        let request = self
            .client
            .get(format!("{}{uri}", self.base))
            .basic_auth(&self.account, Some(self.token.expose_secret()));
        let said = call_for(request, PAGE_BYTES_MAX).await.ok()?;
        (said.status == StatusCode::OK).then_some(said.body)
    }
}

/// Messages to the number of the one that is looked for, which may be among them.
#[derive(Debug)]
pub struct Listed {
    /// Their names, and whether each has the very text.
    entries: Vec<(String, bool)>,
    /// Whether there are others that they did not name.
    has_more: bool,
}

impl Listed {
    /// Notes what `page` has since then: its messages, and whether another page follows.
    fn add(&mut self, page: &Page, text: &str, since: DateTime<Utc>) {
        // One whose time cannot be read may be of any time.
        let is_since = |entry: &&Entry| {
            DateTime::parse_from_rfc2822(&entry.date_created).map_or(true, |created| created >= since)
        };
        let entries = page.messages.iter().filter(is_since);
        self.entries.extend(entries.map(|entry| (entry.sid.clone(), entry.body == text)));
        self.has_more = page.next_page_uri.is_some();
    }

    /// What they call them.
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether the message is among them. Those that are `known` are others; one that is nobody's and has another text may
    /// be the message all the same, for carriers write texts anew.
    pub fn judged(self, known: &[String]) -> Asked {
        let has_more = self.has_more;
        let mut left = self.entries.into_iter().filter(|(name, _)| !known.contains(name)).peekable();
        let is_left = left.peek().is_some();
        match left.find(|(_, is_equal)| *is_equal) {
            Some((name, _)) => Asked::Found(name),
            None if is_left || has_more => Asked::CannotSay,
            None => Asked::NotFound,
        }
    }
}

fn refused(said: &Said) -> Answer {
    let Ok(Refusal { code, message }) = serde_json::from_slice(&said.body) else { return meaning(said) };
    let told = format!("{} {code}: {message}", said.status);
    match (said.status.as_u16(), code) {
        (_, STOPPED) => Answer::Stopped(told),
        (_, code) if NOBODY.contains(&code) => Answer::Nobody(told),
        // No such account is our mistake, and nobody's address.
        (404, _) => Answer::Failed(told),
        _ => match meaning(said) {
            Answer::Away(_, after) => Answer::Away(told, after),
            Answer::Unknown(_) => Answer::Unknown(told),
            _ => Answer::Failed(told),
        },
    }
}

/// Names and values as `application/x-www-form-urlencoded` has them.
fn form(fields: &[(&str, &str)]) -> String {
    let written = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", written(name), written(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_written_so_that_every_byte_arrives() {
        assert_eq!(form(&[("To", "+4912"), ("Body", "a b&c=ü")]), "To=%2B4912&Body=a%20b%26c%3D%C3%BC");
    }

    #[test]
    fn a_refusal_says_whether_there_is_anybody() {
        let said = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            refused(&Said { status, after: None, body: body.as_bytes().to_vec() })
        };
        assert!(matches!(said(400, r#"{"code": 21211, "message": "x"}"#), Answer::Nobody(_)));
        assert!(matches!(said(400, r#"{"code": 21610, "message": "x"}"#), Answer::Stopped(_)));
        assert!(matches!(said(404, r#"{"code": 20404, "message": "x"}"#), Answer::Failed(_)));
        assert!(matches!(said(429, r#"{"code": 20429, "message": "x"}"#), Answer::Away(..)));
        assert!(matches!(said(500, "oh"), Answer::Unknown(_)));
        assert!(matches!(said(503, "busy"), Answer::Away(..)));
    }

    fn asked(entries: &[(&str, &str, &str)], more: bool, known: &[&str]) -> Asked {
        let entries: Vec<_> = entries
            .iter()
            .map(|(sid, body, created)| json!({"sid": sid, "body": body, "date_created": created}))
            .collect();
        let more = more.then_some("/2010-04-01/next");
        let page = json!({"messages": entries, "next_page_uri": more});
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        let since = "2026-07-01T09:00:00Z".parse().unwrap();
        let mut listed = Listed { entries: Vec::new(), has_more: true };
        listed.add(&serde_json::from_value(page).unwrap(), "Come at 9.", since);
        listed.judged(&known)
    }

    #[test]
    fn a_text_that_is_another_messages_is_not_taken_for_this_one() {
        let (before, after) = ("Wed, 01 Jul 2026 08:59:59 +0000", "Wed, 01 Jul 2026 09:00:00 +0000");
        let same = |sid, created| (sid, "Come at 9.", created);
        assert_eq!(asked(&[], false, &[]), Asked::NotFound);
        assert_eq!(asked(&[same("SM1", before)], false, &[]), Asked::NotFound);
        assert_eq!(asked(&[same("SM1", after)], false, &[]), Asked::Found("SM1".to_owned()));
        assert_eq!(asked(&[same("SM1", after)], false, &["SM1"]), Asked::NotFound);
        let two = [same("SM2", after), same("SM1", after)];
        assert_eq!(asked(&two, false, &["SM2"]), Asked::Found("SM1".to_owned()));
        assert_eq!(asked(&two, false, &["SM1", "SM2"]), Asked::NotFound);
    }

    #[test]
    fn what_may_be_it_and_cannot_be_told_is_not_sent_again() {
        let after = "Wed, 01 Jul 2026 09:00:00 +0000";
        assert_eq!(asked(&[("SM1", "Come at 9. Reply STOP to end", after)], false, &[]), Asked::CannotSay);
        assert_eq!(asked(&[("SM1", "Something else", "some day")], false, &[]), Asked::CannotSay);
        assert_eq!(asked(&[], true, &[]), Asked::CannotSay, "they have more than they showed");
        assert_eq!(Listed { entries: Vec::new(), has_more: true }.judged(&[]), Asked::CannotSay);
    }
}
