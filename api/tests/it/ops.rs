//! The dashboard as a browser speaks to it: signing in, forms, and what is written down.

use std::time::{SystemTime, UNIX_EPOCH};

use api::{UserRole, ops};
use jobs::{TenantId, UserId};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};
use store::{audit, users};

use crate::app::{TestApp, completed};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Sends a form, as a browser does.
pub(crate) trait Form {
    /// With these fields.
    fn form(self, fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> Self;
}

impl Form for RequestBuilder {
    fn form(self, fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }
}

/// Somebody with a browser that keeps cookies and follows nothing by itself.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) id: UserId,
    http: Client,
    base: String,
    cookie: Option<String>,
}

impl Person {
    /// Somebody new, with these roles; has not signed in.
    pub(crate) async fn new(app: &TestApp, name: &str, roles: &[(Option<TenantId>, UserRole, bool)]) -> Self {
        let (id, email) = (UserId::new(), format!("{name}@acme.test"));
        // The same hash for everybody: making one takes a while in a debug build.
        let hash = ops::hash_password(PASSWORD).unwrap();
        assert!(
            app.owner.transact(None, async |tx| users::add(tx, id, &email, name, &hash).await).await.unwrap()
        );
        for (tenant, role, sees_payloads) in roles {
            app.owner
                .transact(None, async |tx| users::grant(tx, id, *tenant, *role, *sees_payloads).await)
                .await
                .unwrap();
        }
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { email, id, http, base: app.url(""), cookie: None }
    }

    /// Somebody new who has signed in.
    pub(crate) async fn signed_in(
        app: &TestApp,
        name: &str,
        roles: &[(Option<TenantId>, UserRole, bool)],
    ) -> Self {
        let mut person = Self::new(app, name, roles).await;
        assert_eq!(person.sign_in(PASSWORD, "").await.status(), StatusCode::SEE_OTHER);
        person
    }

    pub(crate) async fn sign_in(&mut self, password: &str, code: &str) -> Response {
        let form =
            [("email", self.email.as_str()), ("password", password), ("code", code), ("next", "/ops/mine")];
        let answer = self.request(Method::POST, "/ops/sign-in").form(&form).send().await.unwrap();
        if let Some(cookie) = answer.headers().get(header::SET_COOKIE) {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        answer
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    /// The cookie of the session.
    pub(crate) fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap_or_default()
    }

    /// A page: its status and its text.
    pub(crate) async fn page(&self, path: &str) -> (StatusCode, String) {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// What forms have to carry.
    pub(crate) async fn csrf(&self) -> String {
        let answer = self.request(Method::GET, "/ops/mine").send().await.unwrap();
        let only = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let page = self.page(only.as_deref().unwrap_or("/ops/mine")).await.1;
        let (_, after) = page.split_once("name=\"csrf\" value=\"").expect("every page has a form");
        after.split('"').next().unwrap().to_owned()
    }

    /// Sends a form of ours.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let csrf = self.csrf().await;
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        let answer = self.request(Method::POST, path).form(&fields).send().await.unwrap();
        let location = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        (answer.status(), location.unwrap_or(answer.text().await.unwrap()))
    }
}

/// What was written down in a chain, oldest first.
pub(crate) async fn log(app: &TestApp, tenant: TenantId) -> Vec<Value> {
    let entries = audit::list(&app.owner, tenant, None, 10_000).await.unwrap();
    entries.into_iter().rev().map(|entry| serde_json::from_str(&entry.entry).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_signs_in_is_led_on_and_signs_out() {
    let app = TestApp::start().await;
    let mut ann = Person::new(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let turned_away = ann.request(Method::GET, "/ops/t/acme/jobs?state=running").send().await.unwrap();
    assert_eq!(turned_away.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        turned_away.headers()["location"],
        "/ops/sign-in?next=%2Fops%2Ft%2Facme%2Fjobs%3Fstate%3Drunning"
    );
    let (status, form) = ann.page("/ops/sign-in?next=%2Fops%2F%22%3E%3Cb%3E").await;
    assert!(status.is_success() && form.contains("value=\"/ops/&quot;&gt;&lt;b&gt;\""), "{form}");

    let wrong = ann.sign_in("wrong", "").await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(wrong.text().await.unwrap().contains("is not right"));
    let right = ann.sign_in(PASSWORD, "").await;
    let cookie = right.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Path=/ops"), "{cookie}");
    assert_eq!(right.headers()["location"], "/ops/mine");
    let only = ann.request(Method::GET, "/ops/mine").send().await.unwrap();
    assert_eq!(only.headers()["location"], "/ops/t/acme", "there is but one");

    let page = ann.request(Method::GET, "/ops/t/acme").send().await.unwrap();
    let csp = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let (status, to) = ann.post("/ops/sign-out", &[]).await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/ops/sign-in"));
    assert_eq!(ann.page("/ops/t/acme").await.0, StatusCode::SEE_OTHER, "the session is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_asked_for_and_taken_once() {
    let app = TestApp::start().await;
    let mut ann = Person::new(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let secret = ops::new_totp_secret().unwrap();
    app.owner
        .transact(None, async |tx| users::set_totp(&app.owner, tx, ann.id, Some(&secret)).await)
        .await
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(ann.sign_in(PASSWORD, "").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ann.sign_in("wrong", &ops::totp_code(&secret, now)).await.status(), StatusCode::UNAUTHORIZED);
    let code = ops::totp_code(&secret, now);
    assert_eq!(ann.sign_in(PASSWORD, &code).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(ann.sign_in(PASSWORD, &code).await.status(), StatusCode::UNAUTHORIZED, "seen over a shoulder");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_waits_and_locks_nobody_out() {
    let app = TestApp::start_with(api::Settings { proxies: 1, ..crate::app::settings() }).await;
    let roles = [(Some(app.tenant), UserRole::Viewer, false)];
    let mut ann = Person::signed_in(&app, "ann", &roles).await;
    let mallory = Person::new(&app, "mallory", &[]).await;
    let guess = async |from: &str, cookie: Option<&str>| {
        let form = [("email", "ann@acme.test"), ("password", "guess"), ("next", "")];
        let mut request =
            mallory.request(Method::POST, "/ops/sign-in").form(&form).header("x-forwarded-for", from);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(guess("6.6.6.6", None).await, 401);
    }
    assert_eq!(guess("6.6.6.6", None).await, 429);
    assert_eq!(
        guess("6.6.6.6", Some("crewline_session=0000")).await,
        429,
        "a cookie that is none helps nobody"
    );
    // Ann sits at the same address, and her browser is known.
    ann.post("/ops/sign-out", &[]).await;
    let form = [("email", "ann@acme.test"), ("password", PASSWORD), ("next", "")];
    let in_again = ann
        .request(Method::POST, "/ops/sign-in")
        .form(&form)
        .header("x-forwarded-for", "6.6.6.6")
        .send()
        .await
        .unwrap();
    assert_eq!(in_again.status(), StatusCode::SEE_OTHER);
    // From elsewhere she gets in without one.
    ann.cookie = None;
    let elsewhere = ann
        .request(Method::POST, "/ops/sign-in")
        .form(&form)
        .header("x-forwarded-for", "7.7.7.7")
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_others_do_nothing() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let csrf = ann.csrf().await;
    let pause = [("queue", "default"), ("reason", "x"), ("until", "")];
    let with = |csrf: &str| {
        pause
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .chain([("csrf".to_owned(), csrf.to_owned())])
            .collect::<Vec<_>>()
    };
    let send = async |form: Vec<(String, String)>, name: &'static str, value: &str| {
        ann.request(Method::POST, "/ops/t/acme/pauses")
            .form(&form)
            .header(name, value)
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(send(with(""), "x-nothing", "x").await, StatusCode::FORBIDDEN);
    assert_eq!(send(with(&"0".repeat(64)), "x-nothing", "x").await, StatusCode::FORBIDDEN);
    assert_eq!(send(with(&csrf), "origin", "https://evil.test").await, StatusCode::FORBIDDEN);
    assert_eq!(send(with(&csrf), "sec-fetch-site", "cross-site").await, StatusCode::FORBIDDEN);
    assert_eq!(app.number("select count(*) from pause").await, 0);
    assert_eq!(send(with(&csrf), "sec-fetch-site", "same-origin").await, StatusCode::SEE_OTHER);
    assert_eq!(app.number("select count(*) from pause").await, 1);
    let followed = ann
        .http
        .get(app.url("/ops/t/acme/jobs"))
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(
        followed.headers()["refresh"],
        "0; url=/ops/t/acme/jobs",
        "a link in a mail leads here once more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_is_written_down_with_before_and_after() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    let until = (chrono::Utc::now() + chrono::TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M").to_string();
    let form = [("queue", "default"), ("reason", "stock-taking"), ("until", until.as_str())];
    assert_eq!(ann.post("/ops/t/acme/pauses", &form).await.0, StatusCode::SEE_OTHER);
    let job = app.submit(json!({})).await;
    let (_, page) = ann.page(&format!("/ops/t/acme/jobs/{job}")).await;
    assert!(page.contains("stock-taking") && page.contains("Why it waits"), "{page}");
    assert_eq!(ann.post(&format!("/ops/t/acme/jobs/{job}/cancel"), &[]).await.0, StatusCode::SEE_OTHER);
    let (status, page) = ann.post(&format!("/ops/t/acme/jobs/{}/cancel", jobs::JobId::new()), &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("there is no such job"), "{page}");

    let log = log(&app, app.tenant).await;
    let said: Vec<_> = log
        .iter()
        .map(|said| (said["action"].as_str().unwrap_or(""), said["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            ("pause", "asked"),
            ("", "done"),
            ("job.cancel", "asked"),
            ("", "done"),
            ("job.cancel", "asked"),
            ("", "failed")
        ]
    );
    assert_eq!(
        (&log[0]["before"], &log[0]["by"], &log[0]["role"]),
        (&json!([]), &json!("ann@acme.test"), &json!("tenant_operator"))
    );
    assert_eq!((&log[1]["of"], &log[1]["after"][0]["reason"]), (&json!(1), &json!("stock-taking")));
    assert_eq!(
        (&log[2]["before"]["state"], &log[3]["after"]["state"]),
        (&json!("available"), &json!("cancelled"))
    );
    assert!(log[0]["asked"].get("csrf").is_none());
    let whole = audit::verify(&app.owner, Some(app.tenant)).await.unwrap();
    assert!(matches!(whole, audit::Verified::Whole { entries: 6, .. }), "{whole:?}");
    let (_, page) = ann.page("/ops/t/acme/audit").await;
    assert!(page.contains("stock-taking") && page.contains("job.cancel"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_are_for_those_who_may_see_them() {
    let app = TestApp::start().await;
    let job = app.submit(json!({ "args": { "echo": "a <secret> word" }, "tags": ["<b>"] })).await;
    app.work(completed()).await;
    let roles = |sees| [(Some(app.tenant), UserRole::Viewer, sees)];
    let (ann, bob) = (
        Person::signed_in(&app, "ann", &roles(false)).await,
        Person::signed_in(&app, "bob", &roles(true)).await,
    );
    let path = format!("/ops/t/acme/jobs/{job}");
    let (_, page) = ann.page(&path).await;
    assert!(!page.contains("secret") && page.contains("for those who may see payloads"), "{page}");
    let (_, page) = bob.page(&path).await;
    assert!(
        page.contains("a &lt;secret&gt; word") && page.contains("&lt;b&gt;") && !page.contains("<secret>"),
        "{page}"
    );
    assert!(page.contains("As a request") && page.contains("http://crewline.test/v1/jobs"), "{page}");
    assert!(!page.contains("/retry\""), "a viewer is offered nothing to do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_retried_by_what_they_have_in_common() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, false)]).await;
    for _ in 0..3 {
        app.submit(json!({ "tags": ["odd"] })).await;
    }
    let problem = jobs::failure::Problem::new("timeout", "the <printer> is out of paper");
    app.work(store::verdict::Verdict::Discarded { problem }).await;
    let (_, page) = ann.page("/ops/t/acme/errors").await;
    assert!(page.contains("Retry all 3") && page.contains("the &lt;printer&gt; is out of paper"), "{page}");
    let (_, found) = ann.page("/ops/t/acme/jobs?words=paper").await;
    assert_eq!(found.matches("<tr>").count(), 4, "a head and three jobs: {found}");
    let (_, preview) =
        ann.page("/ops/t/acme/bulk/new?action=retry&states=discarded&error_code=timeout").await;
    assert!(preview.contains("<strong>3</strong> jobs fit") && preview.contains("Retry 3"), "{preview}");
    let form = [
        ("action", "retry"),
        ("states", "discarded"),
        ("error_code", "timeout"),
        ("count", "3"),
        ("key", "k-1"),
    ];
    let (status, to) = ann.post("/ops/t/acme/bulk", &form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{to}");
    let again = ann.post("/ops/t/acme/bulk", &form).await.1;
    assert_eq!(again, to, "pressed twice is done once");
    assert!(ann.page(&to).await.1.contains("▶"), "it runs");
    assert!(ann.page("/ops/t/acme/bulk").await.1.contains(&to));
    let unsure =
        [("action", "retry"), ("states", "discarded"), ("count", "200"), ("key", "k-2"), ("typed", "20")];
    let (status, page) = ann.post("/ops/t/acme/bulk", &unsure).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("write 200 to confirm"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_understood_is_refused_in_words() {
    let app = TestApp::start().await;
    let ann = Person::signed_in(&app, "ann", &[(Some(app.tenant), UserRole::TenantOperator, true)]).await;
    let long = "x".repeat(300);
    for (path, status) in [
        ("/ops/t/acme/jobs?state=odd", 400),
        ("/ops/t/acme/jobs?queue=odd", 400),
        ("/ops/t/acme/jobs?words=%00", 400),
        (&format!("/ops/t/acme/jobs?words={long}"), 400),
        ("/ops/t/acme/jobs?before=x", 400),
        ("/ops/t/acme/jobs/x", 404),
        ("/ops/t/acme/bulk/new?action=odd&states=discarded", 422),
        ("/ops/t/acme/bulk/new?action=retry&states=running", 422),
        ("/ops/t/acme/bulk/new", 400),
        ("/ops/t/%00/jobs", 404),
        ("/ops/t/acme/schedules/x", 404),
        ("/ops/t/acme/webhooks/in/x", 404),
        ("/ops/t/acme/messages/x", 404),
        ("/ops/t/acme/messages?state=odd", 404),
    ] {
        let answer = ann.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/html"), "{path}: {kind}");
    }
    let (status, page) =
        ann.post("/ops/t/acme/pauses", &[("queue", "default"), ("reason", ""), ("until", "soon")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    let (status, _) = ann.post("/ops/t/acme/pauses", &[("reason", &"x".repeat(40_000))]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
