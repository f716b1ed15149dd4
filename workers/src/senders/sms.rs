//! Text messages by Twilio's REST API, version 2010-04-01.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    Answer, Asked,
    http::{Said, call, meaning},
};

/// Twilio's words for a number that nobody has, cannot be reached or takes no text messages.
const NOBODY: [u32; 4] = [21_211, 21_214, 21_217, 21_614];
/// Twilio's word for a number whose owner answered STOP.
const STOPPED: u32 = 21_610;
/// For so long after a message was begun its absence from their list proves nothing.
const LISTED_AFTER: TimeDelta = TimeDelta::seconds(30);
/// How soon they are asked again when they do not answer.
const ASK_AGAIN: Duration = Duration::from_mins(1);
/// Clocks of two houses may disagree by so much.
const CLOCKS_DISAGREE: TimeDelta = TimeDelta::minutes(5);

/// Sends text messages.
pub struct Carrier {
    client: Client,
    url: String,
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
struct Listed {
    messages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    body: String,
    date_created: String,
}

impl Carrier {
    /// One that calls `base` for `account`.
    pub fn new(client: Client, base: &str, account: String, token: SecretString, from: String) -> Self {
        let url = format!("{base}/2010-04-01/Accounts/{account}/Messages.json");
        Self { client, url, account, token, from }
    }

    /// `callback` is told what becomes of it.
    pub(super) async fn send(&self, to: &str, text: &str, callback: Option<&str>) -> Answer {
        let fields = [("To", to), ("From", self.from.as_str()), ("Body", text)];
        let told = callback.map(|url| ("StatusCallback", url));
        let body = form(&fields.into_iter().chain(told).collect::<Vec<_>>());
        let request = self
            .client
            .post(&self.url)
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

    /// Looks for the message in their list.
    pub(super) async fn ask(&self, to: &str, text: &str, begun_at: DateTime<Utc>) -> Asked {
        let listed_at = begun_at + LISTED_AFTER;
        if let Ok(wait) = (listed_at - Utc::now()).to_std() {
            return Asked::Later(wait);
        }
        let since = begun_at - CLOCKS_DISAGREE;
        let day = since.format("%Y-%m-%d").to_string();
        let query = form(&[("To", to), ("DateSent>", &day), ("PageSize", "1000")]);
        let request = self
            .client
            .get(format!("{}?{query}", self.url))
            .basic_auth(&self.account, Some(self.token.expose_secret()));
        // Whoever does not answer now may answer in a while.
        let Ok(Said { status: StatusCode::OK, body, .. }) = call(request).await else {
            return Asked::Later(ASK_AGAIN);
        };
        let Ok(listed) = serde_json::from_slice::<Listed>(&body) else { return Asked::CannotSay };
        let is_it = |entry: &&Entry| {
            let created = DateTime::parse_from_rfc2822(&entry.date_created);
            entry.body == text && created.is_ok_and(|created| created >= since)
        };
        match listed.messages.iter().find(is_it) {
            Some(entry) => Asked::Found(entry.sid.clone()),
            None => Asked::NotFound,
        }
    }
}

fn refused(said: &Said) -> Answer {
    let Ok(Refusal { code, message }) = serde_json::from_slice(&said.body) else { return meaning(said) };
    let told = format!("{} {code}: {message}", said.status);
    match (said.status.as_u16(), code) {
        (_, STOPPED) => Answer::Failed(told),
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
        assert!(matches!(said(400, r#"{"code": 21610, "message": "x"}"#), Answer::Failed(_)));
        assert!(matches!(said(404, r#"{"code": 20404, "message": "x"}"#), Answer::Failed(_)));
        assert!(matches!(said(429, r#"{"code": 20429, "message": "x"}"#), Answer::Away(..)));
        assert!(matches!(said(500, "oh"), Answer::Unknown(_)));
        assert!(matches!(said(503, "busy"), Answer::Away(..)));
    }
}
