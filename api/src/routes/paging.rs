//! Pages of lists that are sorted by id, newest first.

use std::str::FromStr;

use axum::{
    Json as Body,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use uuid::Uuid;

use super::{
    jobs::{link_next, page_size, read_cursor, write_cursor},
    schedules::PageParams,
};
use crate::{
    limits::{PAGE_DEFAULT, PAGE_MAX},
    problem::Problem,
};

/// Which page is wanted.
pub(super) struct Paging {
    limit: u16,
    /// Where the page before ended.
    pub(super) before: Option<Uuid>,
}

impl Paging {
    /// Of things whose ids are read by `T`.
    pub(super) fn of<T: FromStr>(params: &PageParams, uuid: impl Fn(T) -> Uuid) -> Result<Self, Problem> {
        let limit = page_size(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
        let before = params.cursor.as_deref().map(read_cursor::<T>).transpose()?;
        Ok(Self { limit, before: before.map(uuid) })
    }

    /// How many to ask for: one more than are shown, to know whether there is another page.
    pub(super) fn most(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The answer: what is shown of `found`, and where the next page begins.
    pub(super) fn answer<T, P: Serialize>(
        &self,
        path: &str,
        mut found: Vec<T>,
        id: impl Fn(&T) -> String,
        page: impl FnOnce(Vec<T>, Option<String>) -> Result<P, Problem>,
    ) -> Result<Response, Problem> {
        let limit = usize::from(self.limit);
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|last| write_cursor(id(last)));
        let link = next.as_ref().and_then(|next| link_next(path, self.limit, next));
        let mut response = Body(page(found, next)?).into_response();
        response.headers_mut().extend(link.map(|link| (header::LINK, link)));
        Ok(response)
    }
}
