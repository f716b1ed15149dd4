//! The dashboard in a browser, as operators use it: on a desk and on a phone, in the light and in the dark, and what they steer by keys alone.

use chrono::{TimeDelta, Utc};
use jobs::{
    State,
    kinds::probe_work::{Ending, ProbeWork},
};
use serde_json::Value;
use store::enqueue::NewJob;
use testkit::{SmtpServer, eventually};

use crate::{
    browser::Viewer,
    journeys::serve,
    ops_desk::{
        DARK_DESK, EMAIL, ENTER, LIGHT_PHONE, PHONE, TAB, click, comes_true, open, press, signed_in, staffed,
        tab_to, text,
    },
    ops_pages::doubted,
    outbound,
    world::SOON,
};

pub(crate) fn giving_up() -> ProbeWork {
    ProbeWork { endings: vec![Ending::Discard], ..ProbeWork::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_while_it_runs() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let browser = signed_in(&client, LIGHT_PHONE).await;
    let job = world.probe(crate::world::working(6_000)).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    browser.value("window.stays = true").await;
    comes_true(&browser, "!!document.querySelector('.state.running')").await;
    comes_true(&browser, "document.querySelectorAll('.log li').length > 0").await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    assert_eq!(browser.value("window.stays").await, true, "the page was not loaded again");
    comes_true(&browser, "!document.querySelector('#live')").await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_are_retried_by_what_they_have_in_common() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let failing: Vec<NewJob> = (0..500).map(|_| NewJob::of(&giving_up()).unwrap()).collect();
    world.enqueue(&failing).await;
    world.reaches(failing[499].id, State::Discarded).await;
    eventually("all to be given up", SOON, || async {
        (world.database.number("select count(*) from job").await.ok()? == 0).then_some(())
    })
    .await;
    let message: Value =
        world.database.json("select error from attempt where error is not null limit 1").await.unwrap();
    let said = message["message"].as_str().unwrap().split_whitespace().last().unwrap().to_owned();

    let browser = signed_in(&client, DARK_DESK).await;
    press(&browser, "/").await;
    for keys in [said.as_str(), ENTER] {
        press(&browser, keys).await;
    }
    comes_true(&browser, "document.querySelector('h1').textContent == 'Jobs'").await;
    assert_eq!(browser.value("document.querySelectorAll('#jobs tbody .state.discarded').length").await, 50);
    press(&browser, "ge").await;
    comes_true(&browser, "document.querySelector('h1').textContent == 'Errors'").await;
    tab_to(&browser, "it.textContent == 'Retry all 500'").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('500 jobs fit')").await;
    tab_to(&browser, "it.name == 'typed'").await;
    for keys in ["500", ENTER] {
        press(&browser, keys).await;
    }
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    assert_eq!(browser.value("document.querySelector('#changed').textContent").await, "500");
    world.reaches(failing[0].id, State::Completed).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_paused_until_a_time_and_a_job_says_why_it_waits() {
    let (world, client, stop) = staffed().await;
    let worker = world.start(&[]);
    worker.ready().await;
    let browser = signed_in(&client, PHONE).await;
    open(&browser, &client, "/ops/t/acme/queues").await;
    tab_to(&browser, "it.tagName == 'SUMMARY'").await;
    for keys in [ENTER, TAB, "default", TAB, "the printer is being moved"] {
        press(&browser, keys).await;
    }
    tab_to(&browser, "it.name == 'until'").await;
    let until = Utc::now() + TimeDelta::hours(3);
    for keys in [until.format("%m%d%Y").to_string().as_str(), TAB, &until.format("%I%M%p").to_string(), ENTER]
    {
        press(&browser, keys).await;
    }
    comes_true(&browser, "document.querySelector('main').innerText.includes('in 2 h')").await;
    let job = world.probe(ProbeWork::default()).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    let why = browser.value("document.querySelector('.why strong').textContent").await;
    let why = why.as_str().unwrap();
    assert!(
        why.contains("paused until") && why.contains(EMAIL) && why.contains("the printer is being moved"),
        "{why}"
    );
    open(&browser, &client, "/ops/t/acme/queues").await;
    press(&browser, "l").await;
    assert_eq!(browser.value("document.querySelector('#live').textContent").await, "Paused");
    tab_to(&browser, "it.textContent == 'Resume'").await;
    press(&browser, ENTER).await;
    world.reaches(job, State::Completed).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_says_why_and_a_person_says_what_became_of_it() {
    let ((world, client, stop), smtp) = (staffed().await, SmtpServer::start().unwrap());
    let worker = outbound::start(&world, &smtp, &[]);
    worker.ready().await;
    let id = doubted(&world).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, "/ops/t/acme/messages?state=unknown").await;
    click(&browser, "tbody a").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('Nobody knows')").await;
    assert!(text(&browser).await.contains("12 Elm Street"), "{}", text(&browser).await);
    click(&browser, "button[value=sent]").await;
    comes_true(&browser, "!!document.querySelector('.head .state.sent')").await;
    assert_eq!(outbound::message(&world, id).await.state, "sent");
    open(&browser, &client, "/ops/t/acme/audit").await;
    assert!(text(&browser).await.contains("message.resolve"), "{}", text(&browser).await);
    browser.close().await;
    stop.cancel();
}

/// A page that asks in vain is not live, though its stream is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_out_of_date_says_so() {
    let (world, client, stop) = staffed().await;
    let browser = signed_in(&client, DARK_DESK).await;
    let says = |word: &str| format!("document.querySelector('#live').textContent.startsWith('{word}')");
    comes_true(&browser, &says("Live")).await;
    world.database.execute("update user_session set expires_at = now()").await.unwrap();
    world.enqueue(&[NewJob::of(&giving_up()).unwrap()]).await;
    comes_true(&browser, &says("Stale")).await;
    world.database.execute("update user_session set expires_at = now() + interval '1 hour'").await.unwrap();
    comes_true(&browser, &says("Live")).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_told_to_go_and_hands_back_what_it_has() {
    let (world, client, stop) = staffed().await;
    let mut worker = world.start(&["--grace-s", "0"]);
    worker.ready().await;
    let job = world.probe(crate::world::working(60_000)).await;
    world.reaches(job, State::Running).await;
    let browser = signed_in(&client, Viewer::DESK).await;
    open(&browser, &client, "/ops/workers").await;
    assert!(text(&browser).await.contains("MiB"), "{}", text(&browser).await);
    click(&browser, "tbody a[href^='/ops/workers/']").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('What it runs')").await;
    assert!(text(&browser).await.contains(&job.to_string()), "{}", text(&browser).await);
    click(&browser, "form[action$='/drain'] button").await;
    comes_true(&browser, "document.querySelector('main').innerText.includes('asked to end')").await;
    assert_eq!(worker.exits().await, Some(0));
    world.reaches(job, State::Available).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_without_s3_and_without_workers_it_answers() {
    let (mut world, client, stop) = staffed().await;
    let browser = signed_in(&client, Viewer::DESK).await;
    let job = world.probe(ProbeWork::default()).await;
    open(&browser, &client, "/ops/t/acme").await;
    assert!(text(&browser).await.contains("jobs wait and no worker listens"), "{}", text(&browser).await);
    let worker = world.start(&[]);
    worker.ready().await;
    world.reaches(job, State::Completed).await;
    world.redis.kill();
    let job = world.probe(ProbeWork::default()).await;
    world.reaches(job, State::Completed).await;
    open(&browser, &client, &format!("/ops/t/acme/jobs/{job}")).await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    eventually("Home to say that Redis is gone", SOON, || async {
        open(&browser, &client, "/ops/t/acme").await;
        text(&browser).await.contains("Redis does not answer 1 worker").then_some(())
    })
    .await;
    worker.kill();
    world.database.execute("update worker set seen_at = now() - interval '1 min'").await.unwrap();
    open(&browser, &client, "/ops/t/acme").await;
    assert!(text(&browser).await.contains("1 worker says nothing any more"), "{}", text(&browser).await);

    let nowhere = blob::Options { endpoint: Some("http://127.0.0.1:1".into()), ..world.s3.clone() };
    world.blobs = blob::Blobs::connect(&nowhere).unwrap();
    let (without_s3, stop_too) = serve(&world).await;
    open(&browser, &without_s3, "/ops/t/acme").await;
    assert!(text(&browser).await.contains("The object store does not answer"), "{}", text(&browser).await);
    open(&browser, &without_s3, &format!("/ops/t/acme/jobs/{job}")).await;
    comes_true(&browser, "!!document.querySelector('.head .state.completed')").await;
    browser.close().await;
    stop.cancel();
    stop_too.cancel();
}
