//! Calendars of Google, Microsoft and Cronofy, by a server that answers as they document.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard},
};

use axum::{
    Form, Json,
    extract::{FromRequestParts, Query, State as Shared},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::{CalendarLinkId, PartyId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    calendars::{self, Link, LinkMade, NewLink},
    submit::Answer,
};
use testkit::eventually;

use crate::{
    calendars::{busy, looked, reads},
    matching::technician,
    provider_books::{self, Fault, Noted},
    provider_channels::{Channel, end, open, stop, subscribe, watch},
    world::{SOON, Worker, World},
};

/// Somebody's calendar, and who may read it.
#[derive(Default)]
pub(crate) struct Kept {
    url: String,
    /// What became of entries, by id; none for one that was deleted.
    pub(crate) entries: Vec<(String, Option<Noted>)>,
    /// What goes wrong with the next writes, the last first; how many there were.
    pub(crate) faults: Vec<Fault>,
    pub(crate) writes: usize,
    pub(crate) is_forgetful: bool,
    /// Entries of which Microsoft tells that they changed, and not when they are.
    pub(crate) hollow: Vec<String>,
    is_taken_back: bool,
    /// The token has ended before its time.
    pub(crate) has_ended: bool,
    /// How many have to come with it before anybody is told, and how many came.
    pub(crate) awaited: usize,
    pub(crate) came: usize,
    /// Which refresh token is good, and how often one was asked for.
    pub(crate) renewals: usize,
    pub(crate) fulls: usize,
    /// From which part of a list on it breaks off, and with which status.
    pub(crate) breaks_at: Option<(usize, u16)>,
    /// For which part somebody waits in vain, and which were asked for.
    pub(crate) holds_at: Option<usize>,
    pub(crate) parts: Vec<usize>,
    /// Who is told of changes, and who was.
    pub(crate) channels: Vec<Channel>,
    pub(crate) ended: Vec<String>,
}

impl Kept {
    /// What there is; or what became of it since so many changes.
    pub(crate) fn shown(&self, is_all: bool, since: usize) -> Vec<(String, Option<Noted>)> {
        if !is_all {
            return self.entries[since..].to_vec();
        }
        let mut shown: Vec<(String, Option<Noted>)> = Vec::new();
        for entry in &self.entries {
            shown.retain(|(id, _)| *id != entry.0);
            shown.push(entry.clone());
        }
        shown.retain(|(_, noted)| noted.as_ref().is_some_and(Noted::is_there));
        shown
    }
}

#[derive(Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<Kept>>);

impl Provider {
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    pub(crate) fn notes(&self, id: &str, hours: Option<i64>) {
        self.kept().entries.push((id.to_owned(), hours.map(Noted::At)));
    }
}

/// The provider, for whoever has the token that is good.
pub(crate) struct LetIn(pub(crate) Provider);

impl FromRequestParts<Provider> for LetIn {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, provider: &Provider) -> Result<Self, StatusCode> {
        provider.comes_in().await;
        let kept = provider.kept();
        let wanted = format!("Bearer access-{}", kept.renewals);
        let is_good =
            !kept.has_ended && parts.headers.get("authorization").is_some_and(|token| *token == *wanted);
        is_good.then(|| Self(provider.clone())).ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// The second in which the tests began: an hour that turns meanwhile moves nothing.
static BEGAN: LazyLock<DateTime<Utc>> = LazyLock::new(|| Utc::now().trunc_subsecs(0));

/// So many hours after that.
pub(crate) fn ahead(hours: i64) -> DateTime<Utc> {
    *BEGAN + TimeDelta::hours(hours)
}

#[derive(Deserialize)]
struct Renewal {
    grant_type: String,
    refresh_token: String,
    client_id: String,
    client_secret: String,
}

/// Takes the old one back, as Microsoft and others may.
async fn renew(Shared(provider): Shared<Provider>, Form(asked): Form<Renewal>) -> Response {
    let mut kept = provider.kept();
    assert_eq!((asked.grant_type.as_str(), asked.client_id.as_str()), ("refresh_token", "us"));
    assert_eq!(asked.client_secret, "s3cret");
    if kept.is_taken_back || asked.refresh_token != format!("refresh-{}", kept.renewals) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    kept.renewals += 1;
    kept.has_ended = false;
    let number = kept.renewals;
    Json(json!({"access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"),
        "expires_in": 3_600, "token_type": "Bearer"}))
    .into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoogleAsked {
    sync_token: Option<String>,
    time_min: Option<String>,
    page_token: Option<String>,
}

/// One entry on each page.
async fn google(LetIn(provider): LetIn, Query(asked): Query<GoogleAsked>) -> Response {
    let at: usize = asked.page_token.as_deref().map_or(0, |token| token.parse().unwrap());
    provider.comes_to(at).await;
    let mut kept = provider.kept();
    assert!(asked.sync_token.is_none() || asked.time_min.is_none(), "one goes without the other");
    if (asked.sync_token.is_some() || at > 0) && std::mem::take(&mut kept.is_forgetful) {
        return (StatusCode::GONE, Json(json!({"error": {"code": 410}}))).into_response();
    }
    let since = asked.sync_token.as_deref().map_or(0, |token| token.parse().unwrap());
    kept.fulls += usize::from(asked.sync_token.is_none() && asked.page_token.is_none());
    if let Some((_, status)) = kept.breaks_at.filter(|(part, _)| at >= *part) {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let time = |hours: i64| json!({"dateTime": ahead(hours).to_rfc3339(), "timeZone": "UTC"});
    let item = |(id, noted): &(String, Option<Noted>)| match noted {
        Some(Noted::Written(value)) => value.clone(),
        Some(Noted::At(hours)) => {
            json!({"id": id, "etag": format!("\"{hours}\""), "status": "confirmed", "iCalUID": id,
            "start": time(*hours), "end": time(hours + 1)})
        }
        None => json!({"id": id, "etag": "\"x\"", "status": "cancelled"}),
    };
    let shown = kept.shown(asked.sync_token.is_none(), since);
    let items: Vec<Value> = shown.get(at).map(item).into_iter().collect();
    let mut list = json!({"kind": "calendar#events", "items": items});
    if at + 1 < shown.len() {
        list["nextPageToken"] = json!((at + 1).to_string());
    } else {
        list["nextSyncToken"] = json!(kept.entries.len().to_string());
    }
    Json(list).into_response()
}

#[derive(Deserialize)]
struct MicrosoftAsked {
    #[serde(rename = "$deltatoken")]
    token: Option<usize>,
    /// Since when, if not always, and which part.
    #[serde(rename = "$skiptoken")]
    skip: Option<String>,
    #[serde(rename = "startDateTime")]
    from: Option<String>,
}

/// One entry on each page.
async fn microsoft(
    LetIn(provider): LetIn,
    headers: HeaderMap,
    Query(asked): Query<MicrosoftAsked>,
) -> Response {
    assert!(headers["prefer"].to_str().unwrap().contains("outlook.timezone=\"UTC\""));
    let (since, at) = asked.skip.as_deref().map_or((asked.token, 0), |skip| {
        let (since, at) = skip.split_once('.').unwrap();
        (since.parse().ok(), at.parse().unwrap())
    });
    provider.comes_to(at).await;
    let mut kept = provider.kept();
    if (since.is_some() || at > 0) && std::mem::take(&mut kept.is_forgetful) {
        return (StatusCode::GONE, Json(json!({"error": {"code": "syncStateNotFound"}}))).into_response();
    }
    kept.fulls += usize::from(asked.from.is_some());
    let item = |(id, noted): &(String, Option<Noted>)| match noted {
        _ if kept.hollow.contains(id) => {
            json!({"@odata.type": "#microsoft.graph.event", "@odata.etag": "W/\"x\"", "id": id})
        }
        Some(Noted::Written(value)) => provider_books::without_seal(value.clone()),
        Some(Noted::At(hours)) => provider_books::at_microsoft(id, *hours),
        None => json!({"id": id, "@removed": {"reason": "deleted"}}),
    };
    let shown = kept.shown(since.is_none(), since.unwrap_or(0));
    let value: Vec<Value> = shown.get(at).map(item).into_iter().collect();
    let link = format!("{}/v1.0/me/calendarView/delta", kept.url);
    if at + 1 < shown.len() {
        let since = since.map_or_else(|| "all".to_owned(), |since| since.to_string());
        let next = format!("{link}?$skiptoken={since}.{}", at + 1);
        return Json(json!({"value": value, "@odata.nextLink": next})).into_response();
    }
    let link = format!("{link}?$deltatoken={}", kept.entries.len());
    Json(json!({"value": value, "@odata.deltaLink": link})).into_response()
}

/// One entry on each page.
async fn cronofy(LetIn(provider): LetIn, Query(mut asked): Query<HashMap<String, String>>) -> Response {
    let at: usize = asked.get("page").map_or(0, |page| page.parse().unwrap());
    provider.comes_to(at).await;
    let mut kept = provider.kept();
    if at > 0 && std::mem::take(&mut kept.is_forgetful) {
        return StatusCode::NOT_FOUND.into_response();
    }
    kept.fulls += 1;
    let is_asked = |name: &str| asked.get(name).is_some_and(|word| word == "true");
    let event = |(id, noted): (String, Option<Noted>)| match noted? {
        Noted::Written(value) => (is_asked("include_managed") || is_asked("only_managed")).then_some(value),
        Noted::At(_) if is_asked("only_managed") => None,
        Noted::At(hours) => {
            let [start, end] = [hours, hours + 1].map(|hours| ahead(hours).to_rfc3339());
            Some(
                json!({"calendar_id": "cal_1", "event_uid": id, "start": start, "end": end, "deleted": false,
                "transparency": "opaque", "participation_status": "accepted", "event_status": "confirmed",
                "updated": start}),
            )
        }
    };
    let events: Vec<Value> = kept.shown(true, 0).into_iter().filter_map(event).collect();
    let (total, url) = (events.len(), format!("{}/v1/events", kept.url));
    let mut pages = json!({"current": at + 1, "total": total});
    if at + 1 < total {
        asked.insert("page".into(), (at + 1).to_string());
        pages["next_page"] = json!(reqwest::Url::parse_with_params(&url, &asked).unwrap());
    }
    let events: Vec<Value> = events.into_iter().skip(at).take(1).collect();
    Json(json!({"pages": pages, "events": events})).into_response()
}

pub(crate) async fn serve() -> Provider {
    let provider = Provider::default();
    let router = provider_books::router()
        .route("/oauth/token", post(renew))
        .route("/calendar/v3/calendars/primary/events", get(google).post(provider_books::insert))
        .route("/v1.0/me/calendarView/delta", get(microsoft))
        .route("/v1/events", get(cronofy))
        .route("/calendar/v3/calendars/primary/events/watch", post(watch))
        .route("/calendar/v3/channels/stop", post(stop))
        .route("/v1.0/subscriptions", post(subscribe))
        .route("/v1.0/subscriptions/{remote}", delete(end))
        .route("/v1/channels", post(open))
        .route("/v1/channels/{remote}", delete(end))
        .with_state(provider.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    provider.kept().url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    provider
}

pub(crate) fn start(world: &World, provider: &Provider) -> Worker {
    let url = provider.kept().url.clone();
    let tokens = format!("{url}/oauth/token");
    let mut arguments = vec!["--webhooks-loopback", "true", "--public-url", "https://api.acme.test"];
    arguments.extend(["--google-client", "us", "--google-secret", "s3cret", "--google-url", &url]);
    arguments.extend([
        "--google-token-url",
        &tokens,
        "--microsoft-client",
        "us",
        "--microsoft-secret",
        "s3cret",
    ]);
    arguments.extend(["--microsoft-url", &url, "--microsoft-token-url", &tokens]);
    arguments.extend(["--cronofy-client", "us", "--cronofy-secret", "s3cret", "--cronofy-url", &url]);
    world.start(&arguments)
}

pub(crate) async fn link(world: &World, party: PartyId, provider: &'static str) -> CalendarLinkId {
    link_so(world, party, provider, false).await
}

pub(crate) async fn link_so(
    world: &World,
    party: PartyId,
    provider: &'static str,
    is_written: bool,
) -> CalendarLinkId {
    let access = json!({"url": "primary", "grant": {"refresh_token": "refresh-0"}});
    let new = NewLink {
        id: CalendarLinkId::new(),
        party,
        provider,
        host: "calendar.example.com".into(),
        access: access.to_string(),
        is_written,
        by: "key".into(),
    };
    let answer = |_: &Link| Answer::of(201, None, &());
    let made = calendars::create(&world.api, world.tenant, &new, 10, None, answer).await.unwrap();
    assert!(matches!(made, LinkMade::New(_)), "{made:?}");
    new.id
}

/// When they are busy, in hours from now.
pub(crate) async fn hours(world: &World, party: PartyId) -> Vec<i64> {
    let mut hours: Vec<i64> =
        busy(world, party).await.iter().map(|(from, _)| (*from - ahead(0)).num_hours()).collect();
    hours.sort_unstable();
    hours
}

#[tokio::test]
async fn what_providers_tell_takes_time_until_they_tell_otherwise() {
    for name in ["google", "microsoft", "cronofy"] {
        let (world, provider) = (World::new().await, serve().await);
        let _worker = start(&world, &provider);
        let party = technician(&world, 0.0).await;
        for (id, at) in [("a", 30), ("b", 40), ("c", 50)] {
            provider.notes(id, Some(at));
        }
        let id = link(&world, party, name).await;
        reads(&world, id, "all to be read", async || hours(&world, party).await == [30, 40, 50]).await;
        provider.notes("b", None);
        provider.notes("d", Some(60));
        reads(&world, id, "what changed to be read", async || hours(&world, party).await == [30, 50, 60])
            .await;
        if name != "cronofy" {
            assert_eq!(provider.kept().fulls, 1, "{name}: only what changed is asked for");
        }
        provider.kept().is_forgetful = true;
        provider.notes("e", Some(70));
        reads(&world, id, "all to be read again", async || hours(&world, party).await == [30, 50, 60, 70])
            .await;
        let kept = provider.kept();
        assert!(kept.renewals == 1 && (name == "cronofy" || kept.fulls == 2), "{name}: a token lasts");
    }
}

#[tokio::test]
async fn a_token_is_renewed_and_kept_and_what_was_taken_back_is_refused() {
    let (world, provider) = (World::new().await, serve().await);
    let _worker = start(&world, &provider);
    let party = technician(&world, 0.0).await;
    provider.notes("a", Some(30));
    let id = link(&world, party, "google").await;
    reads(&world, id, "it to be read", async || hours(&world, party).await == [30]).await;
    let plain = "select count(*) from calendar_link where position('refresh'::bytea in access) > 0";
    assert_eq!(world.database.number(plain).await.unwrap(), 0, "what opens it is sealed");
    let worker = world.database.db(store::Role::Worker).unwrap();
    let opened = calendars::open(&worker, world.tenant, id).await.unwrap().unwrap();
    assert!(opened.access.contains("refresh-1") && opened.access.contains("access-1"), "the new one is kept");

    provider.kept().is_taken_back = true;
    // As if the token had run out there.
    provider.kept().renewals = 7;
    reads(&world, id, "it to be refused", async || looked(&world, id).await.is_refused).await;
    assert_eq!(hours(&world, party).await, [30], "what it said before holds");
    let other = link(&world, party, "microsoft").await;
    eventually("the other to be refused too", SOON, async || {
        looked(&world, other).await.is_refused.then_some(())
    })
    .await;
}
