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
use serde::{Deserialize, Serialize};
use store::{
    listing::{self, Filter},
    reads,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Reader,
    extract::{Id, Params},
    large,
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::{Code, Problem, ProblemDocument},
    resource::JobResource,
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
    let mut response = Json(job).into_response();
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
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Jobs on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// The jobs, without args, result and metadata.
    jobs: Vec<JobResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
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
    let filter = filter(&params)?;
    let page = listing::list(&app.db, caller.tenant, &filter, usize::from(limit)).await?;
    let next = page.next.map(write_cursor);
    let jobs = page.jobs.into_iter().map(JobResource::line).collect::<Result<Vec<_>, _>>()?;
    let link = next.as_ref().map(|next| link(&params, limit, next));
    let mut response = Json(JobPage { jobs, next }).into_response();
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

fn filter(params: &ListParams) -> Result<Filter, Problem> {
    let refuse = |detail: &str| Err(Problem::new(Code::InvalidParameter, detail));
    if params.kind.as_ref().is_some_and(|kind| ::jobs::spec(kind).is_none()) {
        return refuse("kind takes a name that GET /v1/kinds lists");
    }
    if params.tag.as_ref().is_some_and(|tag| tag.len() > TAG_BYTES_MAX || tag.chars().any(char::is_control)) {
        return refuse("tag takes up to 64 bytes without control characters");
    }
    let before = params.cursor.as_deref().map(read_cursor).transpose()?;
    let (kind, tag) = (params.kind.clone(), params.tag.clone());
    Ok(Filter { state: params.state, kind, queue: params.queue, tag, before, ..Filter::default() })
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
    let filters = [
        ("state", params.state.map(|state| state.name().to_owned())),
        ("kind", params.kind.clone()),
        ("queue", params.queue.map(|queue| queue.name().to_owned())),
        ("tag", params.tag.clone()),
        ("cursor", Some(next.to_owned())),
    ];
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
