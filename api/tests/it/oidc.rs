//! Signing in at an issuer: a browser between the dashboard and `oidc-provider`, which is certified.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::{SystemTime, UNIX_EPOCH},
};

use api::{
    Settings, UserRole,
    ops::{self, OidcSettings},
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};
use store::users;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    app::{TestApp, settings},
    ops::{Form, Person},
};

const OIDC: &str = "/ops/sign-in/oidc";
/// Where the issuer sends people: it is told so before a port is known.
const PUBLIC: &str = "http://crewline.test";
/// More redirects than the issuer makes.
const HOPS_MAX: usize = 10;

/// An issuer, until this is dropped.
struct AtIssuer {
    process: Child,
    address: String,
}

impl AtIssuer {
    async fn start(mut wanted: Value) -> Self {
        let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let fetched =
            Command::new(root.join("dev.d/vendors.sh")).stdout(Stdio::null()).status().await.unwrap();
        assert!(fetched.success(), "npm did not get oidc-provider; dev.d/vendors.sh says why");
        wanted["redirect"] = format!("{PUBLIC}{OIDC}").into();
        let mut process = Command::new("node")
            .arg(root.join("crates/webhooks/tests/vendors/node/issuer.mjs"))
            .arg(root.join(".dev/vendors/node"))
            .arg(wanted.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("./dev test installs nodejs");
        let mut printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = printed.next_line().await.unwrap().expect("the issuer says where it is");
        Self { process, address }
    }

    /// The settings of a server that knows it.
    fn known(&self, asks_for_code: bool) -> Settings {
        let oidc = OidcSettings {
            issuer: self.address.clone(),
            client_id: "crewline".to_owned(),
            client_secret: "a secret: & more".to_owned().into(),
            button: "Sign in at <Acme>".to_owned(),
            asks_for_code,
        };
        Settings { oidc: Some(oidc), public_url: PUBLIC.to_owned(), ..settings() }
    }
}

type Cookies = HashMap<String, String>;

/// A browser that keeps cookies, and follows nothing by itself.
struct Browser {
    http: Client,
    app: String,
    ours: Cookies,
    theirs: Cookies,
}

impl Browser {
    fn new(app: &TestApp) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, app: app.url(""), ours: Cookies::new(), theirs: Cookies::new() }
    }

    fn ours(&self, method: Method, path: &str) -> RequestBuilder {
        with(self.http.request(method, format!("{}{path}", self.app)), &self.ours)
    }

    /// Presses the button: where it leads.
    async fn leave(&mut self, next: &str) -> String {
        let answer = self.ours(Method::POST, OIDC).form(&[("next", next)]).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        keep(&mut self.ours, &answer);
        let refresh = answer.headers()["refresh"].to_str().unwrap();
        refresh.strip_prefix("0; url=").unwrap().to_owned()
    }

    /// Is `who` at the issuer: where that sends them back to.
    async fn prove(&mut self, address: &str, who: &str) -> String {
        let mut at = address.to_owned();
        for _ in 0..HOPS_MAX {
            let answer = with(self.http.get(&at), &self.theirs).send().await.unwrap();
            keep(&mut self.theirs, &answer);
            let to = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
            let to = to.expect("the issuer leads somewhere");
            if let Some(back) = to.strip_prefix(PUBLIC) {
                return back.to_owned();
            }
            let host = address.split('/').take(3).collect::<Vec<_>>().join("/");
            at = if to.starts_with('/') { format!("{host}{to}") } else { to };
            if at.contains("/interaction/") {
                at = format!("{at}?as={who}");
            }
        }
        unreachable!("the issuer leads on and on")
    }

    /// Comes back: first from another site, without cookies, then once more.
    async fn land(&mut self, path: &str) -> Response {
        let first = self.http.get(format!("{}{path}", self.app)).send().await.unwrap();
        assert_eq!(first.status(), StatusCode::OK, "the browser is to come once more");
        let refresh = first.headers()["refresh"].to_str().unwrap().to_owned();
        let again = refresh.strip_prefix("0; url=").unwrap();
        assert_eq!(again, format!("{path}&again=1"));
        let answer = self.ours(Method::GET, again).send().await.unwrap();
        keep(&mut self.ours, &answer);
        answer
    }

    /// All the way.
    async fn sign_in(&mut self, who: &str) -> Response {
        let address = self.leave("/ops/t/acme/jobs").await;
        let back = self.prove(&address, who).await;
        self.land(&back).await
    }
}

fn with(request: RequestBuilder, cookies: &Cookies) -> RequestBuilder {
    let all: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    request.header(header::COOKIE, all.join("; "))
}

fn keep(cookies: &mut Cookies, answer: &Response) {
    for cookie in answer.headers().get_all(header::SET_COOKIE) {
        let first = cookie.to_str().unwrap().split(';').next().unwrap();
        let (name, value) = first.split_once('=').unwrap();
        cookies.insert(name.to_owned(), value.to_owned());
    }
}

/// The same address with another value of a parameter.
fn changed(address: &str, name: &str, value: &str) -> String {
    let (path, query) = address.split_once('?').unwrap();
    let pairs = form_urlencoded::parse(query.as_bytes())
        .map(|(key, old)| if key == name { (key, value.into()) } else { (key, old) });
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

async fn noted(app: &TestApp, words: &str) -> i64 {
    app.number(&format!(
        "select count(*) from audit_entry where tenant_id is null and entry like '%{words}%'"
    ))
    .await
}

async fn viewer(app: &TestApp, name: &str) -> Person {
    Person::new(app, name, &[(Some(app.tenant), UserRole::Viewer, false)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_an_admin_added_signs_in_at_the_issuer() {
    for in_token in [false, true] {
        let mut issuer = AtIssuer::start(json!({ "in_token": in_token })).await;
        let app = TestApp::start_with(issuer.known(false)).await;
        viewer(&app, "ann").await;
        let mut browser = Browser::new(&app);
        let page = browser.ours(Method::GET, "/ops/sign-in").send().await.unwrap().text().await.unwrap();
        assert!(page.contains("Sign in at &lt;Acme&gt;"), "{page}");
        let answer = browser.sign_in("ann").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        assert_eq!(answer.headers()["location"], "/ops/t/acme/jobs");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        let page = browser.ours(Method::GET, "/ops/t/acme").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!((noted(&app, "identity.link").await, noted(&app, "sign_in%done").await), (1, 1));

        // From now on it is the subject that counts, whatever her address becomes.
        app.execute("update user_account set email = 'ann.smith@acme.test'").await;
        assert_eq!(Browser::new(&app).sign_in("ann").await.status(), StatusCode::SEE_OTHER);
        assert_eq!((noted(&app, "identity.link").await, noted(&app, "sign_in%done").await), (1, 2));
        app.execute("update user_account set disabled_at = now()").await;
        assert_eq!(Browser::new(&app).sign_in("ann").await.status(), StatusCode::UNAUTHORIZED);

        issuer.process.kill().await.unwrap();
        let address = browser.leave("").await;
        let (_, state) =
            address.split_once("&state=").expect("where it sends people is believed for a while");
        let state = state.split('&').next().unwrap();
        let down = browser.land(&format!("{OIDC}?code=x&state={state}")).await;
        assert_eq!(down.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_lets_themselves_in() {
    let issuer = AtIssuer::start(json!({})).await;
    let app = TestApp::start_with(issuer.known(false)).await;
    viewer(&app, "ann").await;
    viewer(&app, "bob").await;
    // A stranger, and somebody of whose address the issuer is not sure.
    for who in ["eve", "bob"] {
        let answer = Browser::new(&app).sign_in(who).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{who}");
        assert!(answer.headers().get("set-cookie").is_none());
        assert!(answer.text().await.unwrap().contains("opens nothing here"));
    }
    assert_eq!(noted(&app, "sign_in%refused").await, 2);
    // Nobody at all.
    assert_eq!(Browser::new(&app).sign_in("nobody").await.status(), StatusCode::UNAUTHORIZED);
    // Another account that has got her address is not her.
    assert_eq!(Browser::new(&app).sign_in("ann").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(Browser::new(&app).sign_in("other").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(app.number("select count(*) from user_account").await, 2);
    assert_eq!(app.number("select count(*) from user_identity").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_has_to_belong_to_what_left() {
    let issuer = AtIssuer::start(json!({})).await;
    let app = TestApp::start_with(issuer.known(false)).await;
    viewer(&app, "ann").await;
    let mut browser = Browser::new(&app);
    let address = browser.leave("").await;
    for part in ["code_challenge_method=S256", "response_type=code", "scope=openid+email", "nonce=", "state="]
    {
        assert!(address.contains(part), "{part} in {address}");
    }
    let back = browser.prove(&address, "ann").await;
    let elsewhere = Browser::new(&app).land(&back).await;
    assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED, "another browser");
    let wrong = browser.land(&changed(&back, "state", &"0".repeat(64))).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "another state");
    let wrong = browser.land(&changed(&back, "iss", "https://another.test")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "another issuer");
    let right = browser.land(&back).await;
    assert_eq!(right.headers()["location"], "/ops", "none of that took anything from her");
    assert_eq!(browser.land(&back).await.status(), StatusCode::UNAUTHORIZED, "once");

    // As if what belongs to another trip were put into this one.
    for name in ["nonce", "code_challenge"] {
        let mut browser = Browser::new(&app);
        let address = changed(&browser.leave("").await, name, &"A".repeat(43));
        let back = browser.prove(&address, "ann").await;
        assert_eq!(browser.land(&back).await.status(), StatusCode::UNAUTHORIZED, "another {name}");
    }
    assert_eq!(noted(&app, "untrue").await, 2);
    let mut late = Browser::new(&app);
    let address = late.leave("").await;
    app.execute("update sign_in_trip set expires_at = now()").await;
    let back = late.prove(&address, "ann").await;
    assert_eq!(late.land(&back).await.status(), StatusCode::UNAUTHORIZED, "too late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_key_signed_is_not_believed() {
    let issuer = AtIssuer::start(json!({ "another_key": true })).await;
    let app = TestApp::start_with(issuer.known(false)).await;
    viewer(&app, "ann").await;
    assert_eq!(Browser::new(&app).sign_in("ann").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(noted(&app, "untrue").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_ours_is_asked_for_where_that_is_wanted() {
    let issuer = AtIssuer::start(json!({})).await;
    let app = TestApp::start_with(issuer.known(true)).await;
    let ann = viewer(&app, "ann").await;
    let secret = ops::new_totp_secret().unwrap();
    app.owner
        .transact(None, async |tx| users::set_totp(&app.owner, tx, ann.id, Some(&secret)).await)
        .await
        .unwrap();
    let mut browser = Browser::new(&app);
    let asked = browser.sign_in("ann").await;
    assert_eq!(asked.status(), StatusCode::OK);
    assert!(asked.headers().get("set-cookie").is_none());
    assert!(asked.text().await.unwrap().contains("of your generator"));
    let give = async |code: &str| {
        browser.ours(Method::POST, &format!("{OIDC}/code")).form(&[("code", code)]).send().await.unwrap()
    };
    assert_eq!(give("").await.status(), StatusCode::UNAUTHORIZED);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let code = ops::totp_code(&secret, now);
    let right = give(&code).await;
    assert_eq!(right.headers()["location"], "/ops/t/acme/jobs");
    assert_eq!(give(&code).await.status(), StatusCode::UNAUTHORIZED, "once");
    // Who has no generator is not asked.
    app.execute("update user_account set totp_secret = null, totp_master = null").await;
    assert_eq!(Browser::new(&app).sign_in("ann").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_issuer_there_is_nothing_of_it() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app);
    let page = browser.ours(Method::GET, "/ops/sign-in").send().await.unwrap().text().await.unwrap();
    assert!(!page.contains("oidc"), "{page}");
    let answer = browser.ours(Method::POST, OIDC).form(&[("next", "")]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let back = browser.ours(Method::GET, &format!("{OIDC}?code=x&state=y&again=1")).send().await.unwrap();
    assert_eq!(back.status(), StatusCode::UNAUTHORIZED);
    let from_elsewhere = browser.ours(Method::POST, OIDC).form(&[("next", "")]);
    let refused = from_elsewhere.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}
