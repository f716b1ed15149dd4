//! Streams that break off.

use futures::{StreamExt, TryStreamExt};

use crate::flaky::{Flaky, refused, told};

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off() {
    let first = "event: log\nid: 7\ndata: {\"seq\":7}\n\nevent: log\nid: 8\ndata: {\"cut\n";
    let second =
        "event: log\nid: 8\ndata: {\"seq\":8}\n\nevent: end\nid: 8\ndata: {\"state\":\"completed\"}\n\n";
    let answers = [told(200, first), refused(503, "unavailable", "0"), told(200, second)];
    let flaky = Flaky::answering(answers).await;
    let events: Vec<_> = flaky.client.follow_job("job_1").try_collect().await.unwrap();
    let told: Vec<String> = events.iter().map(|event| format!("{} {}", event.name, event.data)).collect();
    assert_eq!(told, [r#"log {"seq":7}"#, r#"log {"seq":8}"#, r#"end {"state":"completed"}"#]);
    let asked = flaky.asked();
    let resumed: Vec<_> = asked.iter().map(|asked| asked.header("last-event-id")).collect();
    assert_eq!(resumed, [None, Some("7"), Some("7")]);
}

#[tokio::test]
async fn a_stream_of_what_does_not_exist_is_an_error() {
    let flaky = Flaky::answering([refused(404, "not_found", "0")]).await;
    let error = flaky.client.follow_job("job_1").next().await.unwrap().unwrap_err();
    assert_eq!(error.problem().unwrap().status, 404);
}
