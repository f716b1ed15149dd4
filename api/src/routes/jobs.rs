//! `GET /v1/jobs` and `GET /v1/jobs/{id}`.

use std::{
    fmt::{Display, Write as _},
    str::FromStr,
};

use ::jobs::{JobId, Queue, State, limits::TAG_BYTES_MAX};
use axum::{
    Json,
    extract::State as App,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use store::{listing::Filter, reads};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Reader,
    extract::{Id, Params},
    large,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, Problem, ProblemDocument},
    resource::JobResource,
    search::{self, Search},
    seeing::{Shown, Sight},
};

/// Look at a job.
///
/// While it has not ended, `Retry-After` says when it is worth to look again.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "Jobs", operation_id = "get_job",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, description = "The job, with its result once it is completed", body = JobResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_job(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Id(id): Id<JobId>,
) -> Result<Response, Problem> {
    let record = reads::get(&app.db, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let mut job = JobResource::of(record)?;
    large::link(&app, &mut job).await?;
    let again = job.look_again_in_s();
    let mut response = Shown(caller.sight(), job).into_response();
    if let Some(seconds) = again {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only jobs in this state.
    #[param(value_type = Option<String>)]
    state: Option<State>,
    /// Only jobs of this kind.
    kind: Option<String>,
    /// Only jobs in this queue.
    #[param(value_type = Option<String>)]
    queue: Option<Queue>,
    /// Only jobs with this tag.
    tag: Option<String>,
    /// Only jobs that failed with these words in their error, or the one with this id; up to 200 characters.
    words: Option<String>,
    /// Only jobs whose arguments have in this field what `holds` says: the name of a member, or a JSON pointer such as
    /// `/customer/id`. Arguments over 64 KiB are not looked into. Takes the scope `payloads:read`.
    field: Option<String>,
    /// What the field holds: a text, a number or a word of JSON as it is written, or one of them in a list.
    holds: Option<String>,
    /// Only jobs that were asked for then or later.
    created_after: Option<DateTime<Utc>>,
    /// Only jobs that were asked for earlier.
    created_before: Option<DateTime<Utc>>,
    /// Only jobs that ended then or later.
    finished_after: Option<DateTime<Utc>>,
    /// Only jobs that ended earlier.
    finished_before: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Jobs on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

impl ListParams {
    /// The times that are asked for, by name.
    fn times(&self) -> [(&'static str, Option<DateTime<Utc>>); 4] {
        [
            ("created_after", self.created_after),
            ("created_before", self.created_before),
            ("finished_after", self.finished_after),
            ("finished_before", self.finished_before),
        ]
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// The jobs, without args, result and metadata.
    jobs: Vec<JobResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
    /// There when the page holds fewer than `limit` and there is a `next`: everything that was asked for since then was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_back_to: Option<DateTime<Utc>>,
}

/// List jobs, newest first.
///
/// Follow `next`, or the `Link` header, until there is none: every job that was there when you began comes once. Where few fit,
/// a page may hold fewer than `limit`, or none, and still have a `next`: it says how far was looked.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "Jobs", operation_id = "list_jobs", params(ListParams),
    responses(
        (status = 200, description = "A page", body = JobPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_jobs(
    App(app): App<AppState>,
    Reader(caller): Reader,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    if params.field.is_some() || params.holds.is_some() {
        caller.sight().check()?;
    }
    let wanted = wanted(&params, caller.sight())?;
    let page = wanted.page(&app.db, caller.tenant, usize::from(limit)).await?;
    let is_short = page.jobs.len() < usize::from(limit);
    let looked_back_to = page.next.filter(|_| is_short).map(|next| next.created_at());
    let next = page.next.map(write_cursor);
    let jobs = page.jobs.into_iter().map(JobResource::line).collect::<Result<Vec<_>, _>>()?;
    let link = next.as_ref().map(|next| link(&params, limit, next));
    let mut response = Json(JobPage { jobs, next, looked_back_to }).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// A page size from 1 to `most`.
pub(crate) fn page_size(wanted: Option<u16>, default: u16, most: u16) -> Result<u16, Problem> {
    let limit = wanted.unwrap_or(default);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::InvalidParameter, format!("limit takes 1 to {most}")))
}

fn wanted(params: &ListParams, sight: Sight) -> Result<Search, Problem> {
    let refuse = |detail: &str| Err(Problem::new(Code::InvalidParameter, detail));
    if params.kind.as_ref().is_some_and(|kind| ::jobs::spec(kind).is_none()) {
        return refuse("kind takes a name that GET /v1/kinds lists");
    }
    if params.tag.as_ref().is_some_and(|tag| tag.len() > TAG_BYTES_MAX || tag.chars().any(char::is_control)) {
        return refuse("tag takes up to 64 bytes without control characters");
    }
    let times = params.times();
    if times.iter().filter_map(|(_, at)| *at).any(|at| !(2000..=9999).contains(&at.year())) {
        return refuse("times are in the years 2000 to 9999");
    }
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let words = search::words(&said(&params.words))?.to_owned();
    let held = search::held(&said(&params.field), &said(&params.holds), sight)?;
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let (kind, tag) = (params.kind.clone(), params.tag.clone());
    let [created_after, created_before, finished_after, finished_before] = times.map(|(_, at)| at);
    let filter = Filter {
        state: params.state,
        kind,
        queue: params.queue,
        tag,
        created_after,
        created_before,
        finished_after,
        finished_before,
        among: None,
        before,
    };
    Ok(Search { filter, words, held })
}

/// Where a page ended.
pub(crate) fn write_cursor(last: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(last.to_string())
}

/// Where the page before ended.
pub(crate) fn read_cursor<T: FromStr>(cursor: &str) -> Result<T, Problem> {
    let read = || String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok();
    read().ok_or_else(|| {
        Problem::new(Code::InvalidParameter, "cursor takes what `next` of the page before said")
    })
}

/// The `Link` to the page after, of a list without filters.
pub(crate) fn link_next(path: &str, limit: u16, next: &str) -> Option<HeaderValue> {
    let mark = if path.contains('?') { '&' } else { '?' };
    HeaderValue::try_from(format!("<{path}{mark}limit={limit}&cursor={next}>; rel=\"next\"")).ok()
}

fn link(params: &ListParams, limit: u16, next: &str) -> String {
    let mut filters = vec![
        ("state", params.state.map(|state| state.name().to_owned())),
        ("kind", params.kind.clone()),
        ("queue", params.queue.map(|queue| queue.name().to_owned())),
        ("tag", params.tag.clone()),
        ("words", params.words.clone()),
        ("field", params.field.clone()),
        ("holds", params.holds.clone()),
    ];
    let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    filters.extend(params.times().map(|(name, at)| (name, at.map(written))));
    filters.push(("cursor", Some(next.to_owned())));
    link_filtered("/v1/jobs", limit, &filters)
}

/// The `Link` to the page after, with what was filtered by.
pub(crate) fn link_filtered(path: &str, limit: u16, filters: &[(&str, Option<String>)]) -> String {
    let mut link = format!("<{path}?limit={limit}");
    for (name, value) in filters {
        let Some(value) = value else { continue };
        let _ = write!(link, "&{name}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                link.push(char::from(byte));
            } else {
                let _ = write!(link, "%{byte:02X}");
            }
        }
    }
    link.push_str(">; rel=\"next\"");
    link
}

#[cfg(test)]
mod tests {
    use ::jobs::JobId;

    use super::{read_cursor, write_cursor};

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        let id = JobId::new();
        assert_eq!(read_cursor::<JobId>(&write_cursor(id)).ok(), Some(id));
        for wrong in ["", "x", "am9i", "'; drop table job", &id.to_string()] {
            assert!(read_cursor::<JobId>(wrong).is_err(), "{wrong:?}");
        }
    }
}
