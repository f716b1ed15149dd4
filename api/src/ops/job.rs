//! One job: what became of it, from the request to the result, and what can be done to it.

use ::jobs::{JobId, private, spec};
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::Utc;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    attempts, leases,
    leases::Held,
    logs::{self, Line},
    payload::Payload,
    reads::{self, JobRecord},
    why,
};
use telemetry::trace_context;
use tr::tr;

use super::{
    access::Right,
    cloning,
    guard::Visit,
    layout::{self, Page, state},
    preview, redacted, relatives, timeline,
    words::{self, rich},
};
use crate::{
    AppState,
    auth::{Retrier, Writer},
    extract::Id,
    limits::{OPS_LINES_MAX, WORDS_CHARS_MAX},
    problem::{Code, Problem},
    routes::steer,
    waiting::{self, WhyResource},
};

/// The page.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Query(look): Query<Look>,
) -> Result<Response, Problem> {
    let (id, tenant, words) = (read(&id)?, visit.tenant()?, look.check()?);
    let record = reads::get(&app.db, tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let record = visit.sight().record(record);
    let (tried, facts, held) = tokio::try_join!(
        attempts::of_job(&app.db, tenant, id),
        why::facts(&app.db, tenant, id),
        leases::of_job(&app.db, tenant, id),
    )?;
    let lines = if visit.sees_payloads {
        logs::latest(&app.db, tenant, id, words, OPS_LINES_MAX).await?
    } else {
        Vec::new()
    };
    let is = record.state()?;
    let why = (!is.is_final()).then(|| waiting::explain(&record, facts.as_ref(), Utc::now())).transpose()?;
    let base = format!("/ops/t/{slug}/jobs");
    let changed = cloning::difference(&app, &visit, &record).await?;
    let preview = preview::of(&app, &visit, &record).await?;
    let relatives = relatives::of(&app, &visit, &record).await?;
    let body = html! {
        div #job data-live {
            p.head { (state(is.name())) " " code.id { (id) } }
            @if visit.may(Right::Operate) { (actions(&visit, &format!("{base}/{id}"), is)) }
            @if let Some(percent) = record.progress_percent.filter(|_| is == ::jobs::State::Running) { (progress(&record, percent)) }
            @if let Some(held) = &held { (lease(held)) }
            @if let Some(why) = &why { (waits(why, &base)) }
            @if let Some(error) = record.error.as_ref() { (failure(&error.0)) }
            h2 { (tr!("What happened")) }
            (timeline::of(&app, &visit, &record, &tried).await?)
            (timeline::errors(&tried))
        }
        @if visit.sees_payloads {
            h2 { (tr!("Log")) }
            @if !lines.is_empty() || !words.is_empty() { (look.form()) }
            div #log data-live { (log(&lines, !words.is_empty())) }
        }
        @if let Some(preview) = &preview { h2 { (tr!("What came of it")) } (preview.shown) }
        (relatives)
        (facts_of(&app, &record, &slug))
        @if let Some(changed) = changed { (changed) }
        (payloads(&record, visit.sees_payloads))
        @if visit.sees_payloads { (request(&record, &app.settings.public_url)) }
    };
    let live = (!is.is_final()).then(|| format!("{base}/{id}/live"));
    let origin = preview.and_then(|preview| preview.origin);
    Ok(Page { live, origin, ..Page::new(&visit, "/jobs", &record.kind, body) }.into_response())
}

/// Runs it again.
pub(super) async fn retry(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    steer::retry_job(State(app), Retrier::of(visit.caller()?)?, Id(read(&id)?)).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/jobs/{id}")))
}

/// Stops it.
pub(super) async fn cancel(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    steer::cancel_job(State(app), Writer::of(visit.caller()?)?, Id(read(&id)?)).await?;
    Ok(Redirect::to(&format!("/ops/t/{slug}/jobs/{id}")))
}

fn read(id: &str) -> Result<JobId, Problem> {
    id.parse().map_err(|_| Problem::not_found("job"))
}

fn actions(visit: &Visit, path: &str, is: ::jobs::State) -> Markup {
    let again = if is.is_final() { tr!("Run again") } else { tr!("Run now") };
    html! {
        p.acts {
            @if is != ::jobs::State::Running { (layout::action(visit, &format!("{path}/retry"), &again)) }
            @if !is.is_final() { (layout::action(visit, &format!("{path}/cancel"), &tr!("Cancel"))) }
            @if visit.may(Right::OperatePayloads) { a href={ (path) "/clone" } { (tr!("Clone")) } }
        }
    }
}

fn progress(record: &JobRecord, percent: i16) -> Markup {
    let ran = record.attempted_at.map(|at| Utc::now() - at);
    let left = ran
        .filter(|_| (1..100).contains(&percent))
        .map(|ran| ran * i32::from(100 - percent) / i32::from(percent));
    html! {
        p.progress {
            progress max="100" value=(percent) aria-label=(tr!("Progress")) {}
            " " (percent) " % " (record.progress_message.as_deref().unwrap_or_default())
            @if let Some(left) = left { span.soft { " " (tr!("about {span} left", span = words::span(left))) } }
        }
    }
}

/// Who has it, and whether they are still at it.
fn lease(held: &Held) -> Markup {
    let (since, until) = (words::when(held.claimed_at).0, words::when(held.until).0);
    let worker = html! { code { (held.worker) } }.0;
    let said = if held.until < Utc::now() {
        tr!(
            "Held by {worker} since {since}, and the lease ran out {until}: somebody else gets it",
            worker,
            since,
            until
        )
    } else {
        tr!("Held by {worker} since {since}, the lease runs out {until}", worker, since, until)
    };
    html! {
        p.lease {
            (rich(said))
            span.soft { (tr!(
                ", after {count} beat, fencing number {fence}" | ", after {count} beats, fencing number {fence}" % held.beats,
                count = words::count(held.beats.into()), fence = held.fence
            )) }
        }
    }
}

fn waits(why: &WhyResource, base: &str) -> Markup {
    html! {
        section.why aria-label=(tr!("Why it waits")) {
            p { strong { (why.summary) } }
            ul {
                @for reason in why.reasons.iter().skip(1) { li { (reason.detail) } }
                @for job in why.reasons.iter().flat_map(|reason| &reason.held_by) {
                    li { (rich(tr!("held by {job}", job = html! { a href={ (base) "/" (job) } { code { (job) } } }.0))) }
                }
            }
            @if let Some(at) = why.likely_at { p.soft { (rich(tr!("Likely to begin {when}.", when = words::when(at).0))) } }
        }
    }
}

fn failure(error: &Value) -> Markup {
    html! { p.alarm { code { (error["code"].as_str().unwrap_or("error")) } " " (error["message"].as_str().unwrap_or_default()) } }
}

/// Which lines of the log are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Look {
    #[serde(default)]
    lines: String,
}

impl Look {
    fn check(&self) -> Result<&str, Problem> {
        if self.lines.contains('\0') || self.lines.chars().count() > WORDS_CHARS_MAX {
            let detail = format!("at most {WORDS_CHARS_MAX} characters, and none that no text has");
            return Err(Problem::new(Code::InvalidParameter, detail));
        }
        Ok(self.lines.trim())
    }

    fn form(&self) -> Markup {
        html! {
            form.search role="search" aria-label=(tr!("Log")) {
                label { (tr!("Lines with these words, or of a level such as warn"))
                    input type="search" name="lines" value=(self.lines) maxlength=(WORDS_CHARS_MAX); }
                button { (tr!("Show")) }
            }
        }
    }
}

fn log(lines: &[Line], is_part: bool) -> Markup {
    html! {
        @if lines.is_empty() { p.soft { @if is_part { (tr!("No line fits.")) } @else { (tr!("It has said nothing.")) } } }
        @else {
            ol.log tabindex="0" aria-label=(tr!("Log lines")) {
                @for line in lines {
                    li class=(line.level) { time datetime=(line.logged_at.to_rfc3339()) title=(words::exact(line.logged_at)) { (words::zone().wall(line.logged_at).format("%H:%M:%S%.3f")) } " " span.soft { (line.level) " " } (line.message) }
                }
            }
        }
    }
}

fn facts_of(app: &AppState, record: &JobRecord, slug: &str) -> Markup {
    let trace = record.traceparent.as_deref().and_then(trace_context::trace_id);
    html! {
        h2 { (tr!("Facts")) }
        dl.facts {
            div { dt { (tr!("Kind")) } dd { (record.kind) " " a href={ "/docs#" (record.kind) } { (tr!("documentation")) } } }
            div { dt { (tr!("Queue")) } dd { a href={ "/ops/t/" (slug) "/queues#" (record.queue) } { (record.queue) } } }
            div { dt { (tr!("Priority")) } dd { (record.priority) } }
            div { dt { (tr!("Attempts")) } dd { (tr!("{so_far} of {in_all}", so_far = record.attempt, in_all = record.max_attempts)) } }
            div { dt { (tr!("Version")) } dd { (record.kind_version) } }
            @if let Some(worker) = &record.worker { div { dt { (tr!("Worker")) } dd { code { (worker) } } } }
            @if let Some(trace) = trace { div { dt { (tr!("Trace")) } dd {
                @match &app.settings.trace_url {
                    Some(viewer) => a href=(viewer.of(&trace)) rel="noreferrer noopener" { code { (trace) } },
                    None => code { (trace) },
                }
            } } }
            @if let Some(member) = record.member_of() { div { dt { (tr!("Workflow")) } dd {
                (rich(tr!("{workflow} step {step}", workflow = html! { code { (member.workflow) } }.0, step = member.step)))
            } } }
            @if let Some(tags) = &record.tags { div { dt { (tr!("Tags")) } dd {
                @for tag in tags { a.tag href={ "/ops/t/" (slug) "/jobs?tag=" (form_urlencoded::byte_serialize(tag.as_bytes()).collect::<String>()) } { (tag) } " " }
            } } }
        }
    }
}

fn payloads(record: &JobRecord, sees_payloads: bool) -> Markup {
    if !sees_payloads {
        return redacted::of(record);
    }
    let result = record.result.as_ref().map(|result| &result.0);
    html! {
        h2 { (tr!("Arguments")) } (payload(&record.args.0))
        @if let Some(result) = result { h2 { (tr!("Result")) } (payload(result)) }
        @if let Some(metadata) = &record.metadata { h2 { (tr!("Metadata")) } (pretty(&metadata.0)) }
    }
}

/// How the same is asked for once more, from a terminal.
fn request(record: &JobRecord, public_url: &str) -> Markup {
    // What is covered would be sent as it is shown.
    let is_whole =
        |args: &&Value| spec(&record.kind).is_some_and(|spec| !private::is_covered(&spec.args_schema, args));
    let Some(args) = record.args.0.inline().filter(is_whole) else { return html! {} };
    let body = json!({ "kind": record.kind, "args": args }).to_string().replace('\'', r"'\''");
    html! {
        details.form {
            summary { (tr!("As a request")) }
            button.plain type="button" hidden data-copy="request" { (tr!("Copy as curl")) }
            pre #request tabindex="0" {
                "curl -H \"Authorization: Bearer $CREWLINE_KEY\" -H \"Idempotency-Key: $(uuidgen)\" \\\n  --json '" (body) "' "
                (public_url) "/v1/jobs"
            }
        }
    }
}

fn payload(payload: &Payload) -> Markup {
    let large =
        || html! { p.soft { (tr!("It is large and lies in the object store; the API leads to it.")) } };
    payload.inline().map_or_else(large, pretty)
}

fn pretty(value: &Value) -> Markup {
    html! { pre tabindex="0" { (format!("{value:#}")) } }
}
