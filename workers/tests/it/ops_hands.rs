//! The dashboard under the hands: anywhere by keys, times by the clock of the browser, a request to copy.

use fantoccini::Locator;
use jobs::{
    State,
    kinds::{probe_work::ProbeWork, video_transcode::VideoTranscode},
};
use store::enqueue::NewJob;

use crate::{
    browser::{Browser, Viewer},
    ops_desk::{ENTER, PHONE, comes_true, complaints, open, press, signed_in, staffed},
    world::film,
};

/// Holds Control until the end of what is pressed with it.
const CONTROL_K: &str = "\u{E009}k";
const DOWN: &str = "\u{E015}";
const ESCAPE: &str = "\u{E00C}";

/// Keys are heard once the page's script has run.
async fn loaded(browser: &Browser) {
    comes_true(browser, "document.readyState == 'complete'").await;
}

async fn ask_where(browser: &Browser) {
    loaded(browser).await;
    press(browser, CONTROL_K).await;
    comes_true(browser, "!!document.activeElement.closest('dialog[open]')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gets_anywhere_by_keys() {
    let (world, client, stop) = staffed().await;
    let job = world.probe(ProbeWork::default()).await;
    for viewer in [Viewer::DESK, PHONE] {
        let browser = signed_in(&client, viewer).await;
        ask_where(&browser).await;
        assert_eq!(complaints(&browser).await, Vec::<String>::new());
        let wide = browser.value("document.documentElement.scrollWidth - innerWidth").await;
        assert!(wide.as_i64().unwrap() <= 0, "{wide} pixels too wide");
        press(&browser, "schedu").await;
        press(&browser, DOWN).await;
        comes_true(&browser, "document.activeElement.matches('dialog li a[href$=\"/schedules\"]')").await;
        press(&browser, ENTER).await;
        comes_true(&browser, "document.querySelector('h1').textContent == 'Schedules'").await;

        ask_where(&browser).await;
        press(&browser, ESCAPE).await;
        comes_true(&browser, "!document.querySelector('dialog[open]')").await;
        press(&browser, "/").await;
        comes_true(&browser, "!!document.activeElement.closest('dialog[open]')").await;
        press(&browser, &job.to_string()).await;
        press(&browser, ENTER).await;
        comes_true(&browser, &format!("document.querySelector('.head .id')?.textContent == '{job}'")).await;

        loaded(&browser).await;
        press(&browser, "?").await;
        comes_true(&browser, "!!document.querySelector('dialog[open] kbd')").await;
        assert_eq!(complaints(&browser).await, Vec::<String>::new());
        press(&browser, ESCAPE).await;
        comes_true(&browser, "!document.querySelector('dialog[open]')").await;
        browser.close().await;
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_browser_if_somebody_likes() {
    let (world, client, stop) = staffed().await;
    let job = world.probe(ProbeWork::default()).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    let path = format!("/ops/t/acme/jobs/{job}");
    open(&browser, &client, "/ops/time-zone").await;
    comes_true(&browser, "!document.querySelector('#browser-zone').hidden").await;
    let zone = browser.value("Intl.DateTimeFormat().resolvedOptions().timeZone").await;
    browser.client.find(Locator::Css("#browser-zone")).await.unwrap().click().await.unwrap();
    open(&browser, &client, &path).await;
    let shown = "document.querySelector('.timeline time')?.title.split(' ').pop()";
    comes_true(&browser, &format!("{shown} == {zone}")).await;
    comes_true(&browser, "!document.querySelector('[data-copy]').hidden").await;
    browser.client.find(Locator::XPath("//summary[.='As a request']")).await.unwrap().click().await.unwrap();
    browser.client.find(Locator::Css("[data-copy]")).await.unwrap().click().await.unwrap();
    // A page over http on this machine may copy; elsewhere it marks what to copy. Both are said.
    comes_true(
        &browser,
        "['Copied.', 'It is marked: copy it.'].includes(document.querySelector('#said').textContent)",
    )
    .await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_plays_in_the_quality_that_one_chooses() {
    let (world, client, stop) = staffed().await;
    let _worker = world.start(&[]);
    let asset = world.asset(film("1280x720", 4)).await;
    let args = VideoTranscode { asset, preset: VideoTranscode::default_preset() };
    let job = world.enqueue(&[NewJob::of(&args).unwrap()]).await[0];
    world.reaches(job, State::Completed).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    comes_true(&browser, "document.querySelector('.quality')?.hidden === false").await;
    assert_eq!(complaints(&browser).await, Vec::<String>::new());
    let film = "document.querySelector('video')";
    browser.value(&format!("void {film}.play()")).await;
    comes_true(&browser, &format!("{film}.currentTime > 0.1")).await;
    let choice = browser.client.find(Locator::Css(".quality select")).await.unwrap();
    for (quality, height) in [("360p", 360), ("720p", 720)] {
        choice.select_by_label(quality).await.unwrap();
        comes_true(&browser, &format!("{film}.currentSrc.endsWith('?quality={quality}')")).await;
        comes_true(&browser, &format!("{film}.videoHeight == {height}")).await;
        comes_true(&browser, &format!("{film}.currentTime > 0.1 && {film}.error == null")).await;
    }
    browser.close().await;
    stop.cancel();
}
