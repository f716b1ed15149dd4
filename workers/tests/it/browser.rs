//! A Chromium of its own for each test, told what to do by WebDriver (W3C), as a person would use it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Drivers that are started before a browser is given up.
const STARTS_MAX: usize = 5;

/// Who looks at a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer {
    /// Width and height of the window, in CSS pixels.
    pub(crate) window: (u32, u32),
    /// Whether the browser was told that the person likes it dark.
    pub(crate) in_the_dark: bool,
    /// Whether pages may run scripts.
    pub(crate) scripts: bool,
}

impl Viewer {
    /// At a desk.
    pub(crate) const DESK: Self = Self { window: (1440, 900), in_the_dark: false, scripts: true };
    /// A phone in the dark whose owner runs nobody's scripts.
    pub(crate) const PHONE: Self = Self { window: (360, 740), in_the_dark: true, scripts: false };

    fn capabilities(self) -> Value {
        let (width, height) = self.window;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            // Tests run as root in containers, where Chromium has no sandbox and little shared memory.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--mute-audio".to_owned(),
            "--autoplay-policy=no-user-gesture-required".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        if self.in_the_dark {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let scripts = if self.scripts { 1 } else { 2 };
        json!({
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {"profile.managed_default_content_settings.javascript": scripts},
                // A window of the desktop is never narrower than 500 pixels.
                "mobileEmulation": {"deviceMetrics": {
                    "width": width, "height": height, "pixelRatio": 1.0, "touch": false, "mobile": false,
                }},
            }
        })
    }
}

/// A driver that listens, and where; none when it ended.
fn driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is not installed; ./dev test installs it");
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    if port.is_none() {
        driver.wait().unwrap();
    }
    port.map(|port| (driver, port))
}

/// A browser, ended with this.
pub(crate) struct Browser {
    driver: Child,
    pub(crate) client: Client,
}

impl Browser {
    /// Opens one.
    pub(crate) async fn open(viewer: Viewer) -> Self {
        // A driver takes a free port and then the same of the other protocol, which somebody may have by then: it ends.
        let (driver, port) =
            (0..STARTS_MAX).find_map(|_| driver()).expect("chromedriver ended without a port");
        let url = format!("http://127.0.0.1:{port}");
        let Value::Object(capabilities) = viewer.capabilities() else { unreachable!() };
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&url).await;
        Self { driver, client: client.expect("no browser; is chromium installed?") }
    }

    /// What an expression comes to in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// Ends the browser; its driver ends when this is dropped.
    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its browser ends with it.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
