//! Pages that are left open: lists keep still while they are read, and what broke off comes back.

use jobs::kinds::probe_work::ProbeWork;
use serde_json::json;
use store::enqueue::NewJob;

use crate::{
    browser::{Browser, Viewer},
    journeys::Client,
    ops_desk::{comes_true, complaints, open, press, signed_in, staffed},
    world::World,
};

const ROWS: &str = "document.querySelectorAll('#jobs tbody tr').length";
const TOP: &str = "Math.round(document.querySelector('#jobs tbody tr').getBoundingClientRect().top)";

async fn enqueue(world: &World, count: usize) {
    let new: Vec<NewJob> = (0..count).map(|_| NewJob::of(&ProbeWork::default()).unwrap()).collect();
    world.enqueue(&new).await;
}

/// A browser that looks at the list of jobs, by its stream.
async fn reading(client: &Client, viewer: Viewer, query: &str) -> Browser {
    let browser = signed_in(client, viewer).await;
    open(&browser, client, &format!("/ops/t/acme/jobs{query}")).await;
    comes_true(&browser, "document.readyState == 'complete' && source.readyState == EventSource.OPEN").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_keeps_still_while_it_is_read() {
    let (world, client, stop) = staffed().await;
    let job = world.probe(ProbeWork::default()).await;
    let browser = reading(&client, Viewer::DESK, "?state=available").await;
    let top = browser.value(TOP).await;
    let first = format!("document.querySelector('#jobs tbody tr').innerHTML.includes('{job}')");
    enqueue(&world, 2).await;
    comes_true(&browser, "document.querySelector('#news')?.textContent == '2 new'").await;
    enqueue(&world, 60).await;
    comes_true(&browser, "document.querySelector('#news').textContent == '50+ new'").await;
    // By now it is neither among the newest nor does it fit.
    assert_eq!(client.post(&format!("/v1/jobs/{job}/cancel"), json!({})).await.0, 200);
    comes_true(&browser, "!!document.querySelector('#jobs tbody tr .state.cancelled')").await;
    assert_eq!(browser.value(&first).await, true, "what is read stands where it stood");
    assert_eq!((browser.value(TOP).await, browser.value(ROWS).await), (top, json!(1)));
    assert_eq!(complaints(&browser).await, Vec::<String>::new());

    press(&browser, "n").await;
    comes_true(&browser, &format!("{ROWS} == 50")).await;
    assert_eq!(browser.value(&first).await, false);
    assert_eq!(browser.value("document.querySelector('#news')").await, json!(null));
    comes_true(&browser, "document.activeElement.matches('#jobs tbody tr:first-child a')").await;
    assert_eq!(
        browser.value("!!document.querySelector('#jobs a[rel=next]')").await,
        true,
        "and on from there"
    );
    browser.close().await;
    stop.cancel();
}

/// A stream that is refused once never comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_over_is_asked_for_anew() {
    let (world, client, stop) = staffed().await;
    enqueue(&world, 1).await;
    let browser = reading(&client, Viewer::DESK, "").await;
    browser.value("window.stays = true").await;
    browser.value("source.close()").await;
    enqueue(&world, 1).await;
    comes_true(&browser, "document.querySelector('#news')?.textContent == '1 new'").await;
    comes_true(&browser, "source.readyState == EventSource.OPEN").await;
    enqueue(&world, 1).await;
    comes_true(&browser, "document.querySelector('#news').textContent == '2 new'").await;
    assert_eq!(
        browser.value("[window.stays, document.querySelector('#live').textContent]").await,
        json!([true, "Live"])
    );
    browser.close().await;
    stop.cancel();
}
