//! Somebody at the dashboard: who works there, their browser, what they press, and what is wrong with what they see.

use std::{path::Path, process::Command, sync::OnceLock};

use api::{UserRole, ops};
use fantoccini::Locator;
use jobs::UserId;
use store::{Role, users};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::{
    browser::{Browser, Viewer},
    journeys::{Client, serve},
    world::{SOON, World},
};

pub(crate) const EMAIL: &str = "ann@acme.test";
const PASSWORD: &str = "correct horse battery";
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";
/// A phone whose owner likes it dark.
pub(crate) const PHONE: Viewer = Viewer { window: (360, 740), in_the_dark: true, scripts: true };
pub(crate) const DARK_DESK: Viewer = Viewer { window: (1440, 900), in_the_dark: true, scripts: true };
pub(crate) const LIGHT_PHONE: Viewer = Viewer { window: (360, 740), in_the_dark: false, scripts: true };

/// A world with somebody who may do everything in it.
pub(crate) async fn staffed() -> (World, Client, CancellationToken) {
    let world = World::new().await;
    let (client, stop) = serve(&world).await;
    let (owner, ann) = (world.database.db(Role::Owner).unwrap(), UserId::new());
    owner
        .transact(None, async |tx| {
            users::add(tx, ann, EMAIL, "Ann", &ops::hash_password(PASSWORD).unwrap()).await
        })
        .await
        .unwrap();
    owner.transact(None, async |tx| users::grant(tx, ann, None, UserRole::Admin, true).await).await.unwrap();
    owner.transact(None, async |tx| users::show_private(tx, ann, None).await).await.unwrap();
    (world, client, stop)
}

/// A browser in which Ann has signed in, by the keyboard.
pub(crate) async fn signed_in(client: &Client, viewer: Viewer) -> Browser {
    let browser = Browser::open(viewer).await;
    browser.client.goto(&format!("{}/ops/t/acme", client.url)).await.unwrap();
    for keys in [EMAIL, TAB, PASSWORD, ENTER] {
        press(&browser, keys).await;
    }
    comes_true(&browser, "document.querySelector('h1')?.textContent == 'Home'").await;
    browser
}

/// Presses `keys` where the focus is. What has it may be hidden a moment later, and then nothing was pressed.
pub(crate) async fn press(browser: &Browser, keys: &str) {
    eventually("something to take the keys", SOON, || async {
        browser.client.active_element().await.unwrap().send_keys(keys).await.ok()
    })
    .await;
}

/// Presses Tab until what has the focus is one that `wanted` says: an expression about `it`.
pub(crate) async fn tab_to(browser: &Browser, wanted: &str) {
    const STEPS_MAX: usize = 300;
    comes_true(browser, "document.readyState == 'complete'").await;
    for _ in 0..STEPS_MAX {
        press(browser, TAB).await;
        if browser.value(&format!("((it) => !!({wanted}))(document.activeElement)")).await == true {
            return;
        }
    }
    unreachable!("{wanted} cannot be reached by Tab");
}

pub(crate) async fn comes_true(browser: &Browser, expression: &str) {
    eventually(expression, SOON, || async { (browser.value(expression).await == true).then_some(()) }).await;
}

pub(crate) async fn text(browser: &Browser) -> String {
    browser.value("document.querySelector('main').innerText").await.as_str().unwrap().to_owned()
}

pub(crate) async fn open(browser: &Browser, client: &Client, path: &str) {
    browser.client.goto(&format!("{}{path}", client.url)).await.unwrap();
}

pub(crate) async fn click(browser: &Browser, css: &str) {
    browser.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
}

/// What axe finds serious on the page that is shown.
pub(crate) async fn complaints(browser: &Browser) -> Vec<String> {
    static AXE: OnceLock<String> = OnceLock::new();
    let axe = AXE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(
            Command::new(root.join("dev.d/vendors.sh")).status().unwrap().success(),
            "dev.d/vendors.sh says why"
        );
        std::fs::read_to_string(root.join(".dev/vendors/node/node_modules/axe-core/axe.min.js")).unwrap()
    });
    browser.client.execute(axe, Vec::new()).await.unwrap();
    let run = "const done = arguments[arguments.length - 1];
        axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((found) => done(
            found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)))";
    let found = browser.client.execute_async(run, Vec::new()).await.unwrap();
    serde_json::from_value(found).unwrap()
}
