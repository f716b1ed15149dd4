//! Having providers say at once that a calendar changed. What changed is read as ever.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use calendar::Access;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use jobs::{CalendarChannelId, CalendarLinkId, TenantId, failure::Problem};
use outbound::Asked;
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::calendars::{self, Channel, Farewell};

use super::{granted, providers::Client, trouble::Trouble};
use crate::deps::Deps;

/// Bytes of an answer about a channel.
const CHANNEL_BYTES_MAX: usize = 64 * 1024;
/// How long a channel is asked for: Microsoft allows 70 hours and a half, and those of Cronofy do not end by themselves.
const LIFE: TimeDelta = TimeDelta::days(7);
const MICROSOFT_LIFE: TimeDelta = TimeDelta::hours(70);
/// A channel is made anew after four fifths of its life, and not sooner than this.
const RENEW_AFTER_MIN: TimeDelta = TimeDelta::minutes(30);
/// Bytes of what a provider repeats in each call.
const SECRET_BYTES: usize = 32;

/// A channel that is about to be.
struct New {
    id: CalendarChannelId,
    secret: String,
    /// Where its provider is to call.
    address: String,
    until: DateTime<Utc>,
}

/// Has the provider of a link say when the calendar changes; answers until when. None where nobody can be asked. Of a link that was
/// removed, has it say so no more.
pub(crate) async fn watch(
    deps: &Deps,
    (tenant, link): (TenantId, CalendarLinkId),
) -> Result<Option<DateTime<Utc>>, Trouble> {
    if let Some(left) = calendars::farewell(&deps.db, tenant, link).await? {
        return part(deps, (tenant, link), &left).await.map(|()| None);
    }
    let Some(public_url) = &deps.senders.public_url else { return Ok(None) };
    let id = CalendarChannelId::new();
    let secret = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>());
    let hash = Sha256::digest(&secret).into();
    let Some(to_watch) = calendars::watch(&deps.db, tenant, link, (id, hash)).await? else { return Ok(None) };
    let Some(client) = deps.calendars.client(&to_watch.provider) else { return Ok(None) };
    let access: Access = serde_json::from_str(&to_watch.access).map_err(Trouble::unusable)?;
    let token = granted::token(deps, (tenant, link), &client, &access, None).await?;
    let provider = Provider { deps, client, token, name: &access.url };
    let now = Utc::now();
    let life = if to_watch.provider == "microsoft" { MICROSOFT_LIFE } else { LIFE };
    let address = format!("{}/v1/hooks/calendars/{id}", public_url.trim_end_matches('/'));
    let new = New { id, secret, address, until: now + life };
    let (remote, until) = match to_watch.provider.as_str() {
        "google" => provider.google(&new).await?,
        "microsoft" => provider.microsoft(&new).await?,
        _ => provider.cronofy(&new).await?,
    };
    let lasts = (until - now).clamp(TimeDelta::zero(), life);
    let renew_at = now + (lasts * 4 / 5).max(RENEW_AFTER_MIN);
    calendars::watched(&deps.db, tenant, link, (id, &remote), (until, renew_at)).await?;
    for former in &to_watch.former {
        // It ends by itself too, and what it says until then is heard by nobody.
        if let Err(trouble) = provider.end(&to_watch.provider, former).await {
            let error = Problem::of("calendar", &trouble).message;
            tracing::info!(tenant.id = %tenant, error, "A provider did not end a channel");
        }
    }
    Ok(Some(until))
}

/// Ends the channels of a link that was removed.
async fn part(
    deps: &Deps,
    (tenant, link): (TenantId, CalendarLinkId),
    left: &Farewell,
) -> Result<(), Trouble> {
    let nobody = || Trouble::unusable(format!("no client is set up for {}", left.provider));
    let client = deps.calendars.client(&left.provider).ok_or_else(nobody)?;
    let (kept, token) = granted::last(deps, &client, &left.access).await?;
    if let Some(kept) = kept {
        calendars::keep_farewell(&deps.db, tenant, link, &kept).await?;
    }
    let provider = Provider { deps, client, token, name: "" };
    for channel in &left.channels {
        provider.end(&left.provider, channel).await?;
    }
    Ok(calendars::parted(&deps.db, tenant, link).await?)
}

/// Who is asked about a calendar.
struct Provider<'a> {
    deps: &'a Deps,
    client: Client<'a>,
    token: String,
    /// What it calls the calendar.
    name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Watched {
    resource_id: String,
    /// In milliseconds since 1970.
    expiration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    id: String,
    expiration_date_time: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Opened {
    channel: OpenedChannel,
}

#[derive(Deserialize)]
struct OpenedChannel {
    channel_id: String,
}

impl Provider<'_> {
    async fn google(&self, new: &New) -> Result<(String, DateTime<Utc>), Trouble> {
        let url = self.client.address(&["calendar", "v3", "calendars", self.name, "events", "watch"])?;
        let asked = json!({"id": new.id, "type": "web_hook", "address": new.address, "token": new.secret,
            "params": {"ttl": LIFE.num_seconds().to_string()}});
        let watched: Watched = self.asks(&url, &asked).await?;
        let until = watched.expiration.parse().ok().and_then(DateTime::from_timestamp_millis);
        Ok((watched.resource_id, until.ok_or_else(|| Trouble::unusable("it does not say until when"))?))
    }

    async fn microsoft(&self, new: &New) -> Result<(String, DateTime<Utc>), Trouble> {
        let resource = match self.name {
            "primary" => "me/events".to_owned(),
            name => format!("me/calendars/{name}/events"),
        };
        let until = new.until.to_rfc3339_opts(SecondsFormat::Secs, true);
        let asked = json!({"changeType": "created,updated,deleted", "notificationUrl": new.address, "resource": resource,
            "expirationDateTime": until, "clientState": new.secret});
        let url = self.client.address(&["v1.0", "subscriptions"])?;
        let subscribed: Subscribed = self.asks(&url, &asked).await?;
        Ok((subscribed.id, subscribed.expiration_date_time))
    }

    async fn cronofy(&self, new: &New) -> Result<(String, DateTime<Utc>), Trouble> {
        let mut asked = json!({"callback_url": new.address});
        if self.name != "primary" {
            asked["filters"] = json!({"calendar_ids": [self.name]});
        }
        let url = self.client.address(&["v1", "channels"])?;
        let opened: Opened = self.asks(&url, &asked).await?;
        Ok((opened.channel.channel_id, new.until))
    }

    async fn end(&self, provider: &str, former: &Channel) -> Result<(), Trouble> {
        let remote = former.remote.as_str();
        let (method, path, body) = match provider {
            "google" => {
                let body = json!({"id": former.id(), "resourceId": remote}).to_string();
                ("POST", vec!["calendar", "v3", "channels", "stop"], body)
            }
            "microsoft" => ("DELETE", vec!["v1.0", "subscriptions", remote], String::new()),
            _ => ("DELETE", vec!["v1", "channels", remote], String::new()),
        };
        match self.send(method, &self.client.address(&path)?, body).await {
            // It has ended by itself.
            Ok(_) | Err(Trouble::Answered(404 | 410, _)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    async fn asks<T: DeserializeOwned>(&self, url: &Url, asked: &Value) -> Result<T, Trouble> {
        let body = self.send("POST", url, asked.to_string()).await?;
        serde_json::from_slice(&body)
            .map_err(|_| Trouble::unusable("what it says of a channel cannot be read"))
    }

    async fn send(&self, method: &'static str, url: &Url, body: String) -> Result<Vec<u8>, Trouble> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        let asked =
            Asked { method, url: url.as_str(), user: None, headers: &headers, body: body.into_bytes() };
        let answer = self.deps.outbound.send(asked, CHANNEL_BYTES_MAX).await?;
        match answer.status {
            200..=204 => Ok(answer.body),
            _ => Err(Trouble::of(&answer, "a wish to be told of changes")),
        }
    }
}
