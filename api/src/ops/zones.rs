//! By which clocks somebody reads the pages: their browser keeps it, and without it they read UTC.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use chrono::Utc;
use cookie::{Cookie, time::Duration as CookieAge};
use maud::{Markup, html};
use schedule::{UnknownZone, Zone};
use serde::Deserialize;
use tr::tr;

use super::{
    guard::Visit,
    languages::{Language, language},
    layout::{Page, token},
    session,
    sign_in::inside,
    words::{self, rich},
};
use crate::{
    AppState,
    limits::BROWSER_KNOWN_DAYS_MAX,
    problem::{FieldError, Problem},
};

const NAME: &str = "crewline_zone";

/// The zone that the browser kept.
pub(super) fn kept(headers: &HeaderMap) -> Zone {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = all.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == NAME);
    ours.and_then(|cookie| cookie.value().parse().ok()).unwrap_or(Zone::UTC)
}

/// Where to go on afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// Where one is chosen.
pub(super) async fn show(visit: Visit, Query(to): Query<Next>) -> Response {
    let zone = words::zone().name();
    let next: Markup = html! { (token(&visit)) input type="hidden" name="next" value=(inside(&to.next)); };
    let body = html! {
        p { (rich(tr!("Times are shown by the clocks of {zone}. It is {time}.", zone = html! { strong { (zone) } }.0, time = words::exact(Utc::now())))) }
        form.acts method="post" {
            (next)
            button name="zone" value=(Zone::UTC.name()) { "UTC" }
            button #browser-zone name="zone" hidden { (tr!("As this browser")) }
        }
        form.confirm method="post" {
            (next)
            label { (tr!("Another zone, by its name")) input name="zone" list="zones" value=(zone) required autocomplete="off"; }
            datalist #zones { @for name in Zone::names() { option value=(name) {} } }
            button { (tr!("Show times so")) }
        }
        p.soft { (tr!("This browser keeps it. Schedules go on by their own clocks.")) }
        h2 { (tr!("Language")) }
        form.acts method="post" action="/ops/language" {
            (next)
            @for one in Language::ALL {
                button name="language" value=(one.tag()) lang=(one.tag()) aria-pressed=[(one == language()).then_some("true")] { (one.name()) }
            }
        }
        p.soft { (tr!("What data say stays as it is: names, states, and what jobs answered.")) }
    };
    Page::new(&visit, super::TENANTS_OF_MINE, &tr!("Time zone and language"), body).into_response()
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct ZoneForm {
    zone: String,
    #[serde(default)]
    next: String,
}

/// Keeps one.
pub(super) async fn set(
    State(app): State<AppState>,
    _: Visit,
    Form(form): Form<ZoneForm>,
) -> Result<Response, Problem> {
    let wrong = |unknown: UnknownZone| Problem::invalid(vec![FieldError::new("/zone", unknown.to_string())]);
    let zone: Zone = form.zone.trim().parse().map_err(wrong)?;
    let age = CookieAge::days(BROWSER_KNOWN_DAYS_MAX);
    let cookie = session::cookie((NAME, zone.name()), super::ROOT, &app.settings.public_url, age);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(inside(&form.next))).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};
    use schedule::Zone;

    use super::kept;

    #[test]
    fn a_zone_comes_back_and_nothing_else_is_one() {
        let read = |cookie: &'static str| {
            kept(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))])).name()
        };
        assert_eq!(read("a=b; crewline_zone=America/New_York; c=d"), "America/New_York");
        for other in ["crewline_zone=Mars", "crewline_zone=", "zone=Europe/Berlin"] {
            assert_eq!(read(other), Zone::UTC.name(), "{other}");
        }
    }
}
