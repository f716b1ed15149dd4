//! Tokens: what opens a calendar for an hour, renewed by one process at a time.

use calendar::{Access, Grant};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{CalendarLinkId, TenantId};
use outbound::Asked;
use reqwest::Url;
use serde::Deserialize;
use store::calendars::{self, Renewal};

use super::{providers::Client, trouble::Trouble};
use crate::deps::Deps;

/// Bytes of an answer with tokens in it.
const TOKENS_BYTES_MAX: usize = 64 * 1024;
/// The longest that a token is believed to last, whatever its provider says.
const TOKEN_LIFE_MAX: TimeDelta = TimeDelta::hours(24);

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
}

/// What opens the calendar of a link at this moment. Not `ended`, which does not any more.
pub(super) async fn token(
    deps: &Deps,
    (tenant, link): (TenantId, CalendarLinkId),
    client: &Client<'_>,
    access: &Access,
    ended: Option<&str>,
) -> Result<String, Trouble> {
    if let Some(token) = access.grant.as_ref().and_then(|grant| good(grant, ended)) {
        return Ok(token.to_owned());
    }
    let opened = match calendars::renew(&deps.db, tenant, link).await? {
        Renewal::Yours(access) => access,
        Renewal::Others => return Err(Trouble::Renewing),
        Renewal::Gone => return Err(Trouble::unusable("the link is gone")),
    };
    let renewed = renewed(deps, client, &opened, ended).await;
    let kept = renewed.as_ref().ok().and_then(|(access, _)| access.as_deref());
    calendars::renewed(&deps.db, tenant, link, kept).await?;
    renewed.map(|(_, token)| token)
}

/// What opens a calendar that was removed here, and so is renewed by nobody else; and the access from then on, if it is not as before.
pub(super) async fn last(
    deps: &Deps,
    client: &Client<'_>,
    access: &str,
) -> Result<(Option<String>, String), Trouble> {
    renewed(deps, client, access, None).await
}

/// The token that there is, while it holds.
fn good<'a>(grant: &'a Grant, ended: Option<&str>) -> Option<&'a str> {
    grant.token(Utc::now()).filter(|token| Some(*token) != ended)
}

/// The access as it is from then on, if it is not as before, and the token in it.
async fn renewed(
    deps: &Deps,
    client: &Client<'_>,
    opened: &str,
    ended: Option<&str>,
) -> Result<(Option<String>, String), Trouble> {
    let mut access: Access = serde_json::from_str(opened).map_err(Trouble::unusable)?;
    let grant = access.grant.as_mut().ok_or_else(|| Trouble::unusable("there is no token"))?;
    // Somebody else was here a moment ago.
    if let Some(token) = good(grant, ended) {
        let token = token.to_owned();
        return Ok((None, token));
    }
    let tokens = ask(deps, client, &grant.refresh_token).await?;
    let lasts =
        TimeDelta::try_seconds(tokens.expires_in.max(0)).unwrap_or(TOKEN_LIFE_MAX).min(TOKEN_LIFE_MAX);
    take(grant, tokens, Utc::now() + lasts);
    let token = grant.access_token.as_ref().map(|(token, _)| token.clone()).unwrap_or_default();
    Ok((Some(serde_json::to_string(&access).map_err(Trouble::unusable)?), token))
}

fn take(grant: &mut Grant, tokens: Tokens, until: DateTime<Utc>) {
    grant.access_token = Some((tokens.access_token, until));
    // Some take the old one back.
    if let Some(next) = tokens.refresh_token {
        grant.refresh_token = next;
    }
}

async fn ask(deps: &Deps, client: &Client<'_>, refresh_token: &str) -> Result<Tokens, Trouble> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", client.name),
        ("client_secret", client.secret()),
    ];
    // Written as a query is, for so a form is written too.
    let mut form = Url::parse("form:").map_err(Trouble::unusable)?;
    form.query_pairs_mut().extend_pairs(fields);
    let body = form.query().unwrap_or_default().as_bytes().to_vec();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    let asked = Asked { method: "POST", url: client.tokens.as_str(), user: None, headers: &headers, body };
    let answer = deps.outbound.send(asked, TOKENS_BYTES_MAX).await?;
    match answer.status {
        200 => {
            serde_json::from_slice(&answer.body).map_err(|_| Trouble::unusable("its tokens cannot be read"))
        }
        // How it says that whoever keeps the calendar has taken back what they allowed.
        400 => Err(Trouble::Refused(400)),
        _ => Err(Trouble::of(&answer, "a question for a token")),
    }
}
