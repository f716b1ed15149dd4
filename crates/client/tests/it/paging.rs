//! Lists to their last page.

use client::ListSchedulesQuery;
use futures::{StreamExt, TryStreamExt};

use crate::flaky::{Flaky, refused, told};

fn page(next: &str) -> axum::http::Response<axum::body::Body> {
    told(200, &format!(r#"{{"schedules":[],"next":{next}}}"#))
}

#[tokio::test]
async fn pages_are_followed_by_their_cursors() {
    let flaky = Flaky::answering([page(r#""one""#), page(r#""two""#), page("null")]).await;
    let query = ListSchedulesQuery { limit: Some(7), ..ListSchedulesQuery::default() };
    let all: Vec<_> = flaky.client.all_schedules(query).try_collect().await.unwrap();
    assert!(all.is_empty());
    let paths: Vec<String> = flaky.asked().into_iter().map(|asked| asked.path).collect();
    let wanted = ["?limit=7", "?cursor=one&limit=7", "?cursor=two&limit=7"];
    assert_eq!(paths, wanted.map(|query| format!("/v1/schedules{query}")));
}

#[tokio::test]
async fn a_page_that_is_refused_ends_the_list() {
    let flaky = Flaky::answering([page(r#""one""#), refused(400, "invalid_parameter", "0")]).await;
    let all: Vec<_> = flaky.client.all_schedules(ListSchedulesQuery::default()).collect().await;
    assert!(all.len() == 1 && all[0].is_err());
}
