//! The page of a delivery, in a browser: by hand, without script, on a phone.

use fantoccini::Locator;
use jobs::AssetId;
use serde_json::{Value, json};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{Browser, Viewer},
    deliveries::deliver,
    journeys::{Client, serve},
    world::{SOON, World, film, photo},
};

/// A photograph, a film and another photograph, handed over.
async fn delivered(world: &World) -> (Client, CancellationToken, Value) {
    let (client, stop) = serve(world).await;
    let kitchen: AssetId = world.asset(photo("LadyBird.jpg")).await;
    let tour = world.asset(film("320x180", 2)).await;
    let garden = world.asset(photo("Garden.jpg")).await;
    let files = json!([
        {"asset": kitchen, "name": "Kitchen.jpg"}, {"asset": tour, "name": "Tour.mov"}, {"asset": garden, "name": "<Garden>.jpg"},
    ]);
    let delivery = deliver(&client, &json!({"title": "12 Elm Street", "files": files})).await;
    (client, stop, delivery)
}

async fn comes_true(browser: &Browser, expression: &str) {
    eventually(expression, SOON, || async { (browser.value(expression).await == true).then_some(()) }).await;
}

const LARGE: &str = "document.querySelector('.large:target')?.id";

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_looked_through_and_a_film_plays() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop, delivery) = delivered(&world).await;
    let browser = Browser::open(Viewer::DESK).await;
    let page = &browser.client;
    page.goto(delivery["link"].as_str().unwrap()).await.unwrap();
    assert_eq!(page.title().await.unwrap(), "12 Elm Street");
    comes_true(
        &browser,
        "[...document.querySelectorAll('.gallery img')].every(i => i.complete && i.naturalWidth > 0)",
    )
    .await;
    assert_eq!(browser.value("document.querySelectorAll('.gallery img').length").await, 3);

    page.find(Locator::Css("#g1 a")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.value(LARGE).await, "p1");
    comes_true(&browser, "document.querySelector('#p1 img').naturalWidth > 1000").await;
    let press = async |key: &str| page.active_element().await.unwrap().send_keys(key).await.unwrap();
    press("\u{E014}").await;
    assert_eq!(browser.value(LARGE).await, "p2", "the arrow to the right shows the next");
    // Nothing waits for what play() promises: a change of the address would break the wait off.
    browser.value("void document.querySelector('#p2 video').play()").await;
    comes_true(&browser, "document.querySelector('#p2 video').currentTime > 0.5").await;
    assert_eq!(browser.value("document.querySelector('#p2 video').videoWidth > 0").await, true);
    press("\u{E014}").await;
    assert_eq!(browser.value(LARGE).await, "p3");
    comes_true(&browser, "document.querySelector('#p2 video').paused").await;
    press("\u{E00C}").await;
    assert_eq!(browser.value(LARGE).await, Value::Null, "Escape closes it");
    // The keyboard is where it was, once the page has heard that its address changed.
    comes_true(&browser, "document.activeElement.closest('li')?.id == 'g3'").await;

    page.find(Locator::Css("#g3 a")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#p3 summary")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css("#p3 img")).await.unwrap().click().await.unwrap();
    browser.value("document.querySelector('#p3 input[name=x]').value = 250").await;
    page.find(Locator::Css("#p3 textarea")).await.unwrap().send_keys("Remove the <hose>").await.unwrap();
    page.find(Locator::Css("#p3 button")).await.unwrap().click().await.unwrap();
    comes_true(&browser, "document.querySelector('#p3 .pin')?.title == 'Remove the <hose>'").await;
    let pin = "(document.querySelector('#n1').getBoundingClientRect().x + 16 - innerWidth / 2) < 0";
    assert_eq!(browser.value(pin).await, true, "the pin is left of the middle");
    let read = client.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await;
    let note = &read["notes"][0];
    assert_eq!((&note["text"], &note["x"]), (&json!("Remove the <hose>"), &json!(250)));
    let pointed_at = note["y"].as_i64().unwrap();
    assert!((400..600).contains(&pointed_at), "the click was about in the middle: {note}");
    page.find(Locator::Css("#p3 a[data-role=close]")).await.unwrap().click().await.unwrap();
    page.find(Locator::Css(".verdict button")).await.unwrap().click().await.unwrap();
    comes_true(
        &browser,
        "document.querySelector('.verdict [role=status]')?.textContent.startsWith('Approved on')",
    )
    .await;

    // A page that somebody smuggles markup into runs none of it.
    browser
        .value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
        .await;
    assert_eq!(page.title().await.unwrap(), "12 Elm Street");
    browser.close().await;
    stop.cancel();
}

const ENTER: &str = "\u{E007}";
/// Presses of the tab key after which something cannot be reached.
const TABS_MAX: usize = 60;

async fn press(browser: &Browser, keys: &str) {
    browser.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
}

/// Goes on with the tab key until what `css` names has the focus.
async fn reach(browser: &Browser, css: &str) {
    let has_focus = format!("document.activeElement.matches({css:?})");
    let mut presses = 0;
    while browser.value(&has_focus).await != true {
        presses += 1;
        assert!(presses < TABS_MAX, "no key leads to {css}");
        press(browser, "\u{E004}").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_keys_looks_plays_asks_and_approves() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop, delivery) = delivered(&world).await;
    let browser = Browser::open(Viewer::DESK).await;
    browser.client.goto(delivery["link"].as_str().unwrap()).await.unwrap();
    reach(&browser, "#g2 a").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.activeElement.closest('#p2') != null").await;
    reach(&browser, "#p2 video").await;
    press(&browser, " ").await;
    comes_true(&browser, "document.querySelector('#p2 video').currentTime > 0").await;
    reach(&browser, "#p2 a[data-role=close]").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.activeElement.closest('li')?.id == 'g2'").await;

    reach(&browser, "#g3 a").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.activeElement.closest('#p3') != null").await;
    reach(&browser, "#p3 summary").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.querySelector('#p3 .ask').open").await;
    reach(&browser, "#p3 input[name=x]").await;
    let before = browser.value("+document.activeElement.value").await.as_i64().unwrap();
    press(&browser, "\u{E014}").await;
    let moved = browser.value("+document.activeElement.value").await.as_i64().unwrap();
    assert!(moved > before, "the arrow moves the place: {before} to {moved}");
    reach(&browser, "#p3 textarea").await;
    press(&browser, "Too dark").await;
    reach(&browser, "#p3 .ask button").await;
    press(&browser, ENTER).await;
    comes_true(&browser, "document.querySelector('#p3 .pin')?.title == 'Too dark'").await;
    let read = client.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await;
    assert_eq!((&read["notes"][0]["text"], &read["notes"][0]["x"]), (&json!("Too dark"), &json!(moved)));
    reach(&browser, "#p3 a[data-role=close]").await;
    press(&browser, ENTER).await;
    reach(&browser, ".verdict button").await;
    press(&browser, ENTER).await;
    let verdict = "document.querySelector('.verdict [role=status]')?.textContent.startsWith('Approved on')";
    comes_true(&browser, verdict).await;
    browser.close().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_in_the_dark_without_script_sees_and_downloads_everything() {
    let world = World::new().await;
    let _worker = world.start(&[]);
    let (client, stop, delivery) = delivered(&world).await;
    let browser = Browser::open(Viewer::PHONE).await;
    let page = &browser.client;
    page.goto(delivery["link"].as_str().unwrap()).await.unwrap();
    let fits = "innerWidth === 360 && document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.value(fits).await, true);
    assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor").await, "rgb(13, 17, 23)");
    let is_shown =
        async |css: &str| page.find(Locator::Css(css)).await.unwrap().is_displayed().await.unwrap();
    assert!(!is_shown("#p2").await);
    page.find(Locator::Css("#g2 a")).await.unwrap().click().await.unwrap();
    assert!(is_shown("#p2 video").await, "links alone open it");
    page.find(Locator::Css("#p2 a[rel=next]")).await.unwrap().click().await.unwrap();
    assert!(is_shown("#p3").await && !is_shown("#p2").await);
    page.find(Locator::Css("#p3 a[data-role=close]")).await.unwrap().click().await.unwrap();
    assert!(!is_shown("#p3").await);

    // Every link of the page that is no place on it.
    let links = page.find_all(Locator::Css("a:not([href^='#'])")).await.unwrap();
    assert!(links.len() >= 8, "{} links", links.len());
    for link in links {
        let url = link.prop("href").await.unwrap().unwrap();
        let file = client.http.get(&url).send().await.unwrap();
        assert_eq!(file.status(), 200, "{url}");
        let disposition = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment;"), "{url}: {disposition}");
    }
    browser.close().await;
    stop.cancel();
}
