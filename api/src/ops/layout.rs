//! What every page has around it.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use serde_json::json;
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    languages::language,
    words::{self, mark},
};
use crate::problem::Problem;

/// Nothing but what we serve ourselves, no frame around it, and no script but our own files. Pictures stand last: a page that shows
/// files adds where those come from.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'; img-src 'self'";

/// The pages of a tenant: where, what they are called, and what they take.
const SECTIONS: [(&str, &str, Right); 12] = [
    ("", mark!("Home"), Right::See),
    ("/queues", mark!("Queues"), Right::See),
    ("/kinds", mark!("Kinds"), Right::See),
    ("/jobs", mark!("Jobs"), Right::See),
    ("/errors", mark!("Errors"), Right::See),
    ("/dead-letters", mark!("Dead letters"), Right::See),
    ("/bulk", mark!("Bulk"), Right::See),
    ("/schedules", mark!("Schedules"), Right::See),
    ("/messages", mark!("Messages"), Right::See),
    ("/webhooks", mark!("Webhooks"), Right::See),
    ("/alerts", mark!("Alerts"), Right::See),
    ("/audit", mark!("Audit"), Right::Operate),
];

/// The pages of the installation.
const OF_ALL: [(&str, &str, Right); 3] = [
    ("/ops", mark!("Tenants"), Right::SeeAll),
    ("/ops/workers", mark!("Workers"), Right::SeeAll),
    ("/ops/audit", mark!("Audit"), Right::OperateAll),
];

/// A page, with what it says.
pub(super) struct Page<'a> {
    pub(super) visit: &'a Visit,
    pub(super) title: &'a str,
    /// Which section it belongs to, as its path.
    pub(super) section: &'a str,
    /// The stream that says when to look again.
    pub(super) live: Option<String>,
    /// Where pictures and films on it come from, if not from us.
    pub(super) origin: Option<String>,
    pub(super) body: Markup,
}

impl<'a> Page<'a> {
    /// A page that stays as it is.
    pub(super) fn new(visit: &'a Visit, section: &'a str, title: &'a str, body: Markup) -> Self {
        Self { visit, title, section, live: None, origin: None, body }
    }

    /// A page of a tenant that is looked at again when its jobs move.
    pub(super) fn live(visit: &'a Visit, section: &'a str, title: &'a str, body: Markup) -> Self {
        let live = visit.tenant.as_ref().map(|place| format!("/ops/t/{}/live", place.slug));
        Self { live, ..Self::new(visit, section, title, body) }
    }
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let (place, visit) = (self.visit.tenant.as_ref(), self.visit);
        // Whoever looks at their own things may be nobody in the whole installation.
        let is_mine = place.is_none() && self.section == super::TENANTS_OF_MINE;
        let sections = if is_mine { Vec::new() } else { sections(visit) };
        let whole = place.map_or_else(
            || self.section.to_owned(),
            |place| format!("/ops/t/{}{}", place.slug, self.section),
        );
        let around = place.map_or("Crewline", |place| &place.name);
        let here: String = form_urlencoded::byte_serialize(whole.as_bytes()).collect();
        let body = html! {
            a.skip href="#main" { (tr!("Skip to content")) }
            header {
                a.brand href="/ops" { "Crewline" }
                @if let Some(place) = place { a.tenant href="/ops/mine" title=(tr!("Another tenant")) { (place.name) } }
                nav aria-label=(tr!("Sections")) {
                    @for (path, name) in &sections {
                        a href=(path) aria-current=[(*path == whole).then_some("page")] { (name) }
                    }
                }
                @if let Some(live) = &self.live {
                    button #live type="button" hidden data-stream=(live) { (tr!("Live")) }
                }
                @if !is_mine { a #go href=(path_to_go(visit)) title="Ctrl K" { (tr!("Go to")) } }
                a.zone href={ "/ops/time-zone?next=" (here) } title=(tr!("Time zone and language")) { (words::zone().name()) }
                form.who method="post" action="/ops/sign-out" {
                    (token(visit)) span title=(visit.email) { (visit.name) } button.plain { (tr!("Sign out")) }
                }
            }
            main #main { h1 { (self.title) } (self.body) }
            p #said role="status" {}
        };
        let title = format!("{} · {around}", self.title);
        let mut response = respond(StatusCode::OK, &title, &body);
        let named = self.origin.map(|origin| format!("{CSP} {origin}; media-src 'self' {origin}"));
        if let Some(Ok(csp)) = named.map(HeaderValue::try_from) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, csp);
        }
        response
    }
}

/// The pages that somebody may see where they are, each with its path.
pub(super) fn sections(visit: &Visit) -> Vec<(String, String)> {
    let (all, base): (&[(&str, &'static str, Right)], String) = match &visit.tenant {
        Some(place) => (&SECTIONS, format!("/ops/t/{}", place.slug)),
        None => (&OF_ALL, String::new()),
    };
    let seen = all.iter().filter(|(.., right)| visit.may(*right));
    seen.map(|&(path, name, _)| (format!("{base}{path}"), tr!(name))).collect()
}

/// The page from which every other is reached by name.
pub(super) fn path_to_go(visit: &Visit) -> String {
    visit.tenant.as_ref().map_or_else(|| "/ops/go".to_owned(), |place| format!("/ops/t/{}/go", place.slug))
}

/// What every form carries.
pub(super) fn token(visit: &Visit) -> Markup {
    html! { input type="hidden" name="csrf" value=(visit.csrf); }
}

/// A button that does one thing.
pub(super) fn action(visit: &Visit, path: &str, word: &str) -> Markup {
    html! { form.inline method="post" action=(path) { (token(visit)) button { (word) } } }
}

/// The page that leads to what is at `path`.
fn section_of(path: &str) -> String {
    let mut parts = path.split('/').skip(2);
    let (Some("t"), Some(slug), Some(section)) = (parts.next(), parts.next(), parts.next()) else {
        return super::ROOT.to_owned();
    };
    let section = match section {
        "pauses" | "limits" => "queues",
        "views" => "jobs",
        section => section,
    };
    let known = SECTIONS.iter().find(|(path, ..)| path.strip_prefix('/') == Some(section));
    format!("/ops/t/{slug}{}", known.map_or("", |(path, ..)| path))
}

/// Says that something went wrong, and what to do.
pub(super) fn problem(problem: &Problem, path: &str) -> Response {
    let code = problem.code();
    let body = html! {
        main #main .alone {
            p.soft { (code.status().as_u16()) }
            h1 { (code.title()) }
            p { (problem.detail()) }
            @if !problem.errors().is_empty() {
                ul { @for error in problem.errors() { li { code { (error.pointer) } " " (error.detail) } } }
            }
            p { a href=(section_of(path)) { (tr!("Back")) } " · " a href="/ops" { (tr!("Home")) } }
        }
    };
    let mut response = respond(code.status(), code.title(), &body);
    if let Some(seconds) = problem.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A page for somebody who has not signed in.
pub(super) fn alone(status: StatusCode, title: &str, body: &Markup) -> Response {
    respond(status, title, &html! { main #main .alone { h1 { (title) } (body) } })
}

/// Has the browser ask for a page again, now from a page of ours.
pub(super) fn once_more(path: &str) -> Response {
    let body = html! { main.alone { p { a href=(path) { (tr!("Go on")) } } } };
    let mut response = respond(StatusCode::OK, "Crewline", &body);
    if let Ok(refresh) = HeaderValue::try_from(format!("0; url={path}")) {
        response.headers_mut().insert("refresh", refresh);
    }
    response
}

/// What scripts say.
fn of_scripts() -> String {
    let words = json!({
        "live": tr!("Live"), "paused": tr!("Paused"), "stale": tr!("Stale for {seconds} s"), "new": tr!("{count} new"),
        "show": tr!("Show them: N"), "close": tr!("Close"), "copied": tr!("Copied."), "marked": tr!("It is marked: copy it."),
        "zone": tr!("As this browser: {zone}"),
    });
    words.to_string()
}

fn respond(status: StatusCode, title: &str, body: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang=(language().tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href="/ops/style.css";
                script src="/ops/live.js" defer {}
                script src="/ops/steer.js" defer {}
            }
            body data-words=(of_scripts()) { (body) }
        }
    };
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let csp = HeaderValue::from_static(CSP);
    // Told no referrer, browsers hide from us that a form is ours.
    let referrer = (header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    (status, [kind, referrer, (header::CONTENT_SECURITY_POLICY, csp)], document.0).into_response()
}

/// A state in its colour, with a sign for those who do not see colours.
pub(super) fn state(state: &str) -> Markup {
    let sign = match state {
        "completed" | "processed" | "sent" | "delivered" | "read" | "done" | "resolved" | "quiet" => "✓",
        "running" => "▶",
        "discarded" | "failed" | "crashed" | "refused" | "bounced" | "complained" | "firing"
        | "regressed" => "✕",
        "cancelled" | "paused" | "ignored" | "dropped" | "skipped" | "superseded" => "■",
        "retryable" | "retried" | "pending" | "resolving" => "↻",
        "unknown" => "?",
        _ => "·",
    };
    html! { span class={ "state " (state) } { span aria-hidden="true" { (sign) } " " (state) } }
}

#[cfg(test)]
mod tests {
    use super::section_of;

    #[test]
    fn what_went_wrong_leads_back_to_a_page() {
        for (path, page) in [
            ("/ops/weights/end", "/ops"),
            ("/ops/t", "/ops"),
            ("/ops/t/acme", "/ops"),
            ("/ops/t/acme/jobs/job_1/clone", "/ops/t/acme/jobs"),
            ("/ops/t/acme/webhooks/in/whs_1", "/ops/t/acme/webhooks"),
            ("/ops/t/acme/pauses/p_1/resume", "/ops/t/acme/queues"),
            ("/ops/t/acme/views/remove", "/ops/t/acme/jobs"),
            ("/ops/t/acme/live", "/ops/t/acme"),
        ] {
            assert_eq!(section_of(path), page, "{path}");
        }
    }
}
