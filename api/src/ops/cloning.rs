//! The same job once more, with other arguments, and what was changed in them.

use ::jobs::{JobId, private::COVER};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use store::{
    payload::Field,
    reads::{self, JobRecord},
};
use tr::tr;

use super::{
    guard::Visit,
    layout::{Page, token},
    words::rich,
};
use crate::{
    AppState,
    auth::Writer,
    cloning::{self, CLONE_OF, Original, Other},
    limits::CLONE_ARGS_BYTES_MAX,
    problem::{Code, FieldError, Problem},
};

/// What keys of forms are kept for.
const ROUTE: &str = "POST /ops/t/{tenant}/jobs/{id}/clone";

/// The form.
pub(super) async fn show(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let Original { record, args } = original(&app, &visit, &id).await?;
    let args = format!("{:#}", visit.sight().value(&record.kind, Field::Args, args));
    if args.len() > CLONE_ARGS_BYTES_MAX {
        let detail = "its arguments are too large for a form; submit the job through the API";
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    let job = link(&slug, &id);
    let body = html! {
        p {
            (rich(tr!("A new job like {job}, with these arguments. The log of what people do does not keep them.", job)))
            @if !visit.sees_private { " " (tr!("What is covered by {cover} stays as it is if nothing else changes; otherwise it has to be said anew.", cover = COVER)) }
        }
        form.wide method="post" {
            (token(&visit))
            // Twice the same form is one job.
            input type="hidden" name="key" value=(JobId::new());
            label { (tr!("Arguments"))
                textarea name="args" rows="16" spellcheck="false" required maxlength=(CLONE_ARGS_BYTES_MAX) { (args) } }
            button { (tr!("Submit")) }
        }
    };
    Ok(Page::new(&visit, "/jobs", &tr!("Clone of {kind}", kind = record.kind), body).into_response())
}

/// A link to a job, for a sentence.
fn link(slug: &str, id: &str) -> String {
    html! { a href={ "/ops/t/" (slug) "/jobs/" (id) } { code { (id) } } }.0
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct CloneForm {
    key: String,
    args: String,
}

/// Submits it.
pub(super) async fn submit(
    State(app): State<AppState>,
    visit: Visit,
    Path((slug, id)): Path<(String, String)>,
    Form(form): Form<CloneForm>,
) -> Result<Redirect, Problem> {
    let original = original(&app, &visit, &id).await?;
    let wrong =
        |error: serde_json::Error| Problem::invalid(vec![FieldError::new("/args", error.to_string())]);
    let args: Value = serde_json::from_str(&form.args).map_err(wrong)?;
    let key = HeaderValue::try_from(form.key).map_err(|_| Problem::not_found("key"))?;
    let headers: HeaderMap =
        [(header::HeaderName::from_static("idempotency-key"), key)].into_iter().collect();
    let Writer(caller) = Writer::of(visit.caller()?)?;
    let other = Other { args, queue: None, priority: None, scheduled_at: None };
    let answer = cloning::submit(&app, &caller, &headers, ROUTE, &original, other).await?;
    let place = answer.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    let job = place.and_then(|place| place.rsplit('/').next()).unwrap_or(&id);
    Ok(Redirect::to(&format!("/ops/t/{slug}/jobs/{job}")))
}

/// The job.
async fn original(app: &AppState, visit: &Visit, id: &str) -> Result<Original, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("job"))?;
    cloning::original(app, visit.tenant()?, id).await
}

/// What was changed in the arguments, when `record` is a clone and what it was cloned from is still there.
pub(super) async fn difference(
    app: &AppState,
    visit: &Visit,
    record: &JobRecord,
) -> Result<Option<Markup>, Problem> {
    let named = record.metadata.as_ref().and_then(|kept| kept.0[CLONE_OF].as_str()?.parse::<JobId>().ok());
    let Some(from) = named.filter(|_| visit.sees_payloads) else { return Ok(None) };
    let before = reads::get(&app.db, visit.tenant()?, from).await?;
    let Some(before) = before.map(|before| visit.sight().record(before)) else { return Ok(None) };
    let (Some(old), Some(new)) = (before.args.0.inline(), record.args.0.inline()) else { return Ok(None) };
    let slug = &visit.here()?.slug;
    Ok(Some(html! {
        h2 { (tr!("Changed arguments")) }
        p.soft { (rich(tr!("A clone of {job}.", job = link(slug, &from.to_string())))) }
        (lines(&format!("{old:#}"), &format!("{new:#}")))
    }))
}

/// Two texts, line by line.
fn lines(old: &str, new: &str) -> Markup {
    if old == new {
        return html! { p { (tr!("Nothing was changed.")) } };
    }
    let diff = TextDiff::from_lines(old, new);
    html! {
        pre.diff tabindex="0" {
            @for change in diff.iter_all_changes() {
                @let line = change.value().trim_end_matches('\n');
                @match change.tag() {
                    ChangeTag::Insert => ins { "+ " (line) "\n" },
                    ChangeTag::Delete => del { "- " (line) "\n" },
                    ChangeTag::Equal => { "  " (line) "\n" },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn what_was_changed_is_told_line_by_line() {
        let told =
            lines("{\n  \"a\": 1,\n  \"b\": \"<i>\"\n}", "{\n  \"a\": 2,\n  \"b\": \"<i>\"\n}").into_string();
        assert!(
            told.contains("<del>-   &quot;a&quot;: 1,\n</del><ins>+   &quot;a&quot;: 2,\n</ins>"),
            "{told}"
        );
        assert!(told.contains("&lt;i&gt;") && !told.contains("<i>"));
        assert!(lines("{}", "{}").into_string().contains("Nothing"));
    }
}
