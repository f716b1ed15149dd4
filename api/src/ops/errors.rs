//! What fails, grouped by what it looks like, and what people say of it.

use ::jobs::{TenantId, UserId};
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use store::error_groups::{self, Affected, ErrorGroup, ErrorVersion, Said, Steering};
use tr::tr;

use super::{
    access::Right,
    guard::Visit,
    layout::{Page, state, token},
    words::{self, rich},
};
use crate::{
    AppState,
    limits::{ERROR_NOTE_CHARS_MAX, ERROR_VERSIONS_MAX, OPS_ROWS_MAX},
    problem::{FieldError, Problem},
    routes::{
        error_steer::judgement,
        error_versions::ends,
        errors::{LOOK_BACK, Lately, fingerprint, standing},
    },
};

/// The group of a tenant that is called so, if it failed lately.
pub(super) async fn find(app: &AppState, tenant: TenantId, id: &str) -> Result<Option<ErrorGroup>, Problem> {
    Ok(Lately::of(app, tenant).await?.find(id))
}

async fn found(app: &AppState, visit: &Visit, id: &str) -> Result<ErrorGroup, Problem> {
    find(app, visit.tenant()?, id).await?.ok_or_else(|| Problem::not_found("group of errors"))
}

/// The page.
pub(super) async fn list(State(app): State<AppState>, visit: Visit) -> Result<Response, Problem> {
    let place = visit.here()?;
    let lately = Lately::of(&app, place.id).await?;
    let base = format!("/ops/t/{}", place.slug);
    let groups = lately.groups.iter().map(|group| Ok((group, standing(group)?)));
    let groups = groups.collect::<Result<Vec<_>, Problem>>()?;
    let (open, settled): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|(_, is)| ["open", "regressed"].contains(is));
    let body = html! {
        div #errors data-live="quiet" {
            @if open.is_empty() { p.calm { (nothing(!settled.is_empty())) } }
            @if !lately.is_exact() { p.soft { (tr!(
                "Among the latest {count} failures, and what else is known.",
                count = words::count(lately.looked_at())
            )) } }
            @if !open.is_empty() { (table(&visit, &base, &open)) }
            @if !settled.is_empty() { h2 { (tr!("Ignored and resolved")) } (table(&visit, &base, &settled)) }
        }
    };
    Ok(Page::live(&visit, "/errors", &tr!("Errors"), body).into_response())
}

/// That there is nothing to be looked at, though something that is settled may have failed.
fn nothing(is_any_settled: bool) -> String {
    let span = words::span(LOOK_BACK);
    if is_any_settled {
        return tr!("✓ Nothing has failed in {span} that is to be looked at.", span);
    }
    tr!("✓ Nothing has failed in {span}.", span)
}

fn table(visit: &Visit, base: &str, groups: &[(&ErrorGroup, &str)]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("What")) } th.number { (tr!("Failures")) } th.number.wide { (tr!("Given up")) } th { (tr!("Latest")) } th.wide { (tr!("First")) } th { "" } } }
            tbody { @for (group, is) in groups {
                tr {
                    td.cut {
                        a href={ (base) "/errors/" (fingerprint(group)) } { strong { (group.kind) } " " code { (group.code) } }
                        @if *is != "open" { " " (state(is)) }
                        div.soft { (group.message.as_deref().unwrap_or_default()) }
                        @if let Some(who) = &group.assignee { div.soft { (tr!("with {who}", who)) } }
                    }
                    td.number { (words::count(group.failures)) }
                    td.number.wide { (words::count(group.given_up)) }
                    td { (latest(base, group)) }
                    td.wide { (first(group)) }
                    td { @if visit.may(Right::Operate) && group.given_up > 0 { (retry_all(base, group)) } }
                }
            } }
        }
    }
}

fn latest(base: &str, group: &ErrorGroup) -> Markup {
    html! {
        @match group.last_job() {
            Some(job) => a href={ (base) "/jobs/" (job) } { (words::when(group.last_at)) },
            None => (words::when(group.last_at)),
        }
    }
}

/// Since when, and with what it came.
fn first(group: &ErrorGroup) -> Markup {
    html! { (words::when(group.first_at)) @if let Some(version) = &group.came_with { div.soft { (tr!("under {version}", version)) } } }
}

/// What somebody said of a group, and when.
fn said_by(said: Said, who: &str, at: DateTime<Utc>) -> Markup {
    let (who, when) = (html! { (who) }.0, words::when(at).0);
    rich(tr!("{said} by {who} {when}", said = said.name(), who, when))
}

/// To where everything is retried that was given up with this error.
fn retry(base: &str, group: &ErrorGroup) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("{base}/bulk/new?"));
    query.append_pair("action", "retry").append_pair("states", "discarded");
    query.append_pair("kind", &group.kind).append_pair("error_code", &group.code);
    query.finish()
}

fn retry_all(base: &str, group: &ErrorGroup) -> Markup {
    let count = words::count(group.given_up);
    html! { a href=(retry(base, group)) { (tr!("Retry all {count}", count)) } }
}

/// One group.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let group = found(&app, &visit, &id).await?;
    let is = standing(&group)?;
    let (base, operates) = (format!("/ops/t/{slug}"), visit.may(Right::Operate));
    let steering =
        if operates { error_groups::operators(&app.db, visit.tenant()?).await? } else { Vec::new() };
    let since = Utc::now() - LOOK_BACK;
    let versions = error_groups::versions(&app.db, visit.tenant()?, &group, ERROR_VERSIONS_MAX).await?;
    let affected = error_groups::affected(&app.db, visit.user, &group, since, OPS_ROWS_MAX).await?;
    let title = format!("{} {}", group.kind, group.code);
    let body = html! {
        p.head { (state(is)) " " (group.message.as_deref().unwrap_or_default()) }
        @if let Some((by, at)) = group.said_by.as_ref().zip(group.said_at) {
            p.soft { (said_by(group.said()?, by, at)) @if let Some(note) = &group.note { ": " (note) } }
        }
        dl.facts {
            div { dt { (tr!("Failures")) } dd { (words::count(group.failures)) } }
            div { dt { (tr!("Given up lately")) } dd { (words::count(group.given_up)) } }
            div { dt { (tr!("First")) } dd { (first(&group)) } }
            div { dt { (tr!("Latest")) } dd { (latest(&base, &group)) } }
            div { dt { (tr!("With")) } dd { @match &group.assignee { Some(who) => (who), None => (tr!("nobody")) } } }
            @if let Some((first, last)) = ends(&versions) {
                div { dt { (tr!("First version")) } dd { (first.version) } }
                div { dt { (tr!("Last version")) } dd { (last.version) } }
            }
        }
        @if operates && group.given_up > 0 { p { (retry_all(&base, &group)) } }
        @if !versions.is_empty() { h2 { (tr!("Under which versions")) } (versions_table(&versions)) }
        @if let Some(first) = affected.first() { h2 { (tr!("Whom it concerns")) } (concerns(&id, &affected, first.in_all)) }
        @if operates { (say_form(&visit, &base, &id, group.said()?)) (assign_form(&visit, &base, &id, &group, &steering)) }
    };
    Ok(Page::new(&visit, "/errors", &title, body).into_response())
}

fn versions_table(versions: &[ErrorVersion]) -> Markup {
    html! {
        table {
            thead { tr { th { (tr!("Version")) } th.number { (tr!("Failures")) } th { (tr!("First")) } th { (tr!("Latest")) } } }
            tbody { @for of in versions { tr {
                td { (of.version) }
                td.number { (words::count(of.failures)) }
                td { (words::when(of.first_at)) }
                td { (words::when(of.last_at)) }
            } } }
        }
    }
}

/// The tenants for which the same failed, each with its page of it.
fn concerns(id: &str, affected: &[Affected], in_all: i64) -> Markup {
    html! {
        p { (tr!(
            "{count} tenant in {span}, as far as minutes have been summed up."
                | "{count} tenants in {span}, as far as minutes have been summed up." % in_all,
            count = words::count(in_all), span = words::span(LOOK_BACK)
        )) }
        table {
            thead { tr { th { (tr!("Tenant")) } th.number { (tr!("Failures")) } th { (tr!("Latest")) } th.wide { (tr!("First")) } } }
            tbody { @for of in affected { tr {
                td { a href={ "/ops/t/" (of.slug) "/errors/" (id) } { (of.name) } }
                td.number { (words::count(of.failures)) }
                td { (words::when(of.last_at)) }
                td.wide { (words::when(of.first_at)) }
            } } }
        }
        @if in_all > affected.len() as i64 { p.soft { (tr!("Those it fails for most.")) } }
    }
}

fn say_form(visit: &Visit, base: &str, id: &str, said: Said) -> Markup {
    let words = [
        (Said::Resolved, tr!("It is mended")),
        (Said::Ignored, tr!("Ignore it")),
        (Said::Open, tr!("It is to be looked at")),
    ];
    html! {
        h2 { (tr!("What you say of it")) }
        form.confirm method="post" action={ (base) "/errors/" (id) "/state" } {
            (token(visit))
            label { (tr!("Why; may stay empty")) input name="note" maxlength=(ERROR_NOTE_CHARS_MAX); }
            div.acts { @for (word, says) in words { @if word != said { button name="state" value=(word.name()) { (says) } } } }
        }
        p.soft { (tr!("What was mended and fails again comes back by itself. What is ignored is counted on and stays below.")) }
    }
}

fn assign_form(visit: &Visit, base: &str, id: &str, group: &ErrorGroup, steering: &[Steering]) -> Markup {
    let now = group.assignee_id();
    html! {
        h2 { (tr!("Who looks after it")) }
        form.confirm method="post" action={ (base) "/errors/" (id) "/assign" } {
            (token(visit))
            label { (tr!("Somebody who steers this tenant's work")) select name="to" {
                option value="" selected[now.is_none()] { (tr!("nobody")) }
                option value=(visit.user) selected[now == Some(visit.user)] { (tr!("you, {email}", email = visit.email)) }
                @for one in steering.iter().filter(|one| one.id() != visit.user) {
                    option value=(one.id()) selected[now == Some(one.id())] { (one.email) }
                }
            } }
            button { (tr!("Assign")) }
        }
    }
}

/// What somebody says of a group.
#[derive(Debug, Deserialize)]
pub(super) struct SayForm {
    state: String,
    note: String,
}

/// Writes it down.
pub(super) async fn say(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<SayForm>,
) -> Result<Redirect, Problem> {
    let (said, note) = judgement(&form.state, &form.note)?;
    let group = found(&app, &visit, &id).await?;
    // The guard writes it down.
    error_groups::say(&app.db, visit.tenant()?, &group, said, note, &visit.email, None).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/errors/{id}")))
}

/// Who is asked to look after a group.
#[derive(Debug, Deserialize)]
pub(super) struct AssignForm {
    to: String,
}

/// Asks them.
pub(super) async fn assign(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<AssignForm>,
) -> Result<Redirect, Problem> {
    let tenant = visit.tenant()?;
    let steering = error_groups::operators(&app.db, tenant).await?;
    let may = |to: &UserId| *to == visit.user || steering.iter().any(|one| one.id() == *to);
    let to = match form.to.as_str() {
        "" => None,
        to => Some(to.parse::<UserId>().ok().filter(may).ok_or_else(|| {
            let detail = "somebody who steers this tenant's work";
            Problem::invalid(vec![FieldError::new("/to", detail)])
        })?),
    };
    let group = found(&app, &visit, &id).await?;
    error_groups::assign(&app.db, tenant, &group, to, None).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/errors/{id}")))
}
