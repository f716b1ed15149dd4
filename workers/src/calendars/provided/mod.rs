//! Calendars of Google, Microsoft and Cronofy.

mod cronofy;
mod google;
mod microsoft;
mod reading;

use std::time::Duration;

use calendar::Access;
use chrono::{DateTime, SecondsFormat, Utc};
use jobs::{CalendarLinkId, TenantId};
use outbound::{Answer, Asked};
use reqwest::Url;
use serde_json::Value;
use store::calendars::Stands;

pub(super) use self::reading::read;
use self::{cronofy::Cronofy, google::Google, microsoft::Microsoft};
use super::{
    granted,
    providers::Client,
    push::{self, Wanted},
    trouble::Trouble,
};
use crate::deps::Deps;

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How Microsoft is to write: parts of this size, times of one clock.
const PREFER: &str = "odata.maxpagesize=200,outlook.timezone=\"UTC\"";

/// A calendar, and who may read it.
struct Calendar<'a> {
    deps: &'a Deps,
    ids: (TenantId, CalendarLinkId),
    client: Client<'a>,
    access: &'a Access,
    token: String,
}

/// Brings a calendar up to date with a booking; answers how it stands. None where that has to wait until the calendar tells so far
/// ahead.
pub(super) async fn bring(
    deps: &Deps,
    ids: (TenantId, CalendarLinkId),
    access: &Access,
    wanted: &Wanted<'_>,
) -> Result<Option<Stands>, Trouble> {
    let mut calendar = Calendar::open(deps, ids, &wanted.to_push.provider, access).await?;
    match bring_there(&calendar, wanted).await {
        // A token may end before its time: its provider is asked for another, once.
        Err(Trouble::Refused(401)) => {
            calendar.renew().await?;
            bring_there(&calendar, wanted).await
        }
        stands => stands,
    }
}

async fn bring_there(calendar: &Calendar<'_>, wanted: &Wanted<'_>) -> Result<Option<Stands>, Trouble> {
    match wanted.to_push.provider.as_str() {
        "google" => push::bring(&Google(calendar), wanted).await.map(Some),
        "microsoft" => push::bring(&Microsoft(calendar), wanted).await.map(Some),
        _ => match Cronofy::open(calendar, &wanted.to_push).await? {
            Some(cronofy) => push::bring(&cronofy, wanted).await.map(Some),
            None => Ok(None),
        },
    }
}

impl<'a> Calendar<'a> {
    async fn open(
        deps: &'a Deps,
        ids: (TenantId, CalendarLinkId),
        provider: &str,
        access: &'a Access,
    ) -> Result<Self, Trouble> {
        let nobody = || Trouble::unusable(format!("no client is set up for {provider}"));
        let client = deps.calendars.client(provider).ok_or_else(nobody)?;
        let token = granted::token(deps, ids, &client, access, None).await?;
        Ok(Self { deps, ids, client, access, token })
    }

    /// Asks for another token than that which ended.
    async fn renew(&mut self) -> Result<(), Trouble> {
        let ended = std::mem::take(&mut self.token);
        self.token = granted::token(self.deps, self.ids, &self.client, self.access, Some(&ended)).await?;
        Ok(())
    }

    /// What the provider calls it.
    fn name(&self) -> &str {
        &self.access.url
    }

    async fn get(&self, url: &Url) -> Result<Answer, Trouble> {
        self.ask("GET", url, None, String::new()).await
    }

    /// Asks for something; where it says how an entry was seen, only as long as it is so.
    async fn ask(
        &self,
        method: &'static str,
        url: &Url,
        seen: Option<&str>,
        body: String,
    ) -> Result<Answer, Trouble> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers =
            vec![("authorization", bearer.as_str()), ("accept", "application/json"), ("prefer", PREFER)];
        headers.extend(seen.map(|etag| ("if-match", etag)));
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let asked =
            Asked { method, url: url.as_str(), user: None, headers: &headers, body: body.into_bytes() };
        let answer = self.deps.outbound.send(asked, ANSWER_BYTES_MAX).await?;
        match answer.status {
            403 if is_limited(&answer.body) => {
                Err(Trouble::Busy(403, answer.retry_after_s.map(Duration::from_secs)))
            }
            _ if answer.is_cut => {
                Err(Trouble::unusable(format!("an answer of it has more than {ANSWER_BYTES_MAX} bytes")))
            }
            _ => Ok(answer),
        }
    }

    /// An address that the provider named: of its API, for the token goes there.
    fn same(&self, named: &str) -> Result<Url, Trouble> {
        let url = Url::parse(named).map_err(Trouble::unusable)?;
        let is_same = url.origin() == self.client.api.origin();
        if is_same { Ok(url) } else { Err(Trouble::unusable("it leads to somebody else's server")) }
    }
}

/// What was written, as its provider says it is then.
fn said(answer: &Answer) -> Result<Value, Trouble> {
    serde_json::from_slice(&answer.body)
        .map_err(|_| Trouble::unusable("what it says of an entry cannot be read"))
}

/// A text of what a provider says.
fn text_of(said: &Value, name: &str) -> Result<String, Trouble> {
    let text = said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| Trouble::unusable(format!("it does not say the {name} of an entry")))
}

/// Whether a refusal only says that we ask too often: Google's words for it.
fn is_limited(body: &[u8]) -> bool {
    let said = String::from_utf8_lossy(body);
    ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"].iter().any(|word| said.contains(word))
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_told_from_who_may_not_ask() {
        assert!(is_limited(br#"{"error": {"errors": [{"reason": "rateLimitExceeded"}], "code": 403}}"#));
        assert!(!is_limited(br#"{"error": {"errors": [{"reason": "forbidden"}], "code": 403}}"#));
    }
}
