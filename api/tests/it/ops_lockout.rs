//! Who guesses passwords has to wait, and nobody else does.

use api::UserRole;
use reqwest::{Client, Method, Response, StatusCode, header, redirect::Policy};

use crate::{
    app::{TestApp, settings},
    ops::{Form, PASSWORD, Person},
};

/// Tries as one person from one address, and from one address as whomever, in a quarter of an hour.
const TRIES: [usize; 2] = [5, 50];

/// A server that believes one proxy.
async fn behind_a_proxy() -> TestApp {
    let mut settings = settings();
    settings.proxies = 1;
    TestApp::start_with(settings).await
}

/// Somebody at `address` tries to sign in, in a browser that keeps this cookie.
async fn tries(app: &TestApp, address: &str, email: &str, password: &str, cookie: &str) -> Response {
    let http = Client::builder().redirect(Policy::none()).build().unwrap();
    let request = http.request(Method::POST, app.url("/ops/sign-in")).header("x-forwarded-for", address);
    let fields = [("email", email), ("password", password), ("code", ""), ("next", "/ops/mine")];
    request.header(header::COOKIE, cookie).form(&fields).send().await.unwrap()
}

#[track_caller]
fn has_to_wait(answer: &Response) {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "900");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_locks_out_nobody_but_their_own_address() {
    let app = behind_a_proxy().await;
    let viewer = [(Some(app.tenant), UserRole::Viewer, false)];
    let ann = Person::signed_in(&app, "ann", &viewer).await;
    let bob = Person::new(&app, "bob", &viewer).await;
    let (evil, home) = ("203.0.113.7", "198.51.100.9");
    for _ in 0..TRIES[0] {
        let wrong = tries(&app, evil, &ann.email, "guess", "").await;
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        assert!(wrong.headers().get("retry-after").is_none());
    }
    for password in ["guess", PASSWORD] {
        let refused = tries(&app, evil, &ann.email, password, "").await;
        has_to_wait(&refused);
        assert!(refused.text().await.unwrap().contains("too many tries; wait 15 minutes"));
    }
    // The proxy adds the address last; what stood there before is anybody's word.
    has_to_wait(&tries(&app, &format!("192.0.2.1, {evil}"), &ann.email, PASSWORD, "").await);

    let elsewhere = tries(&app, home, &ann.email, PASSWORD, "").await;
    assert_eq!(elsewhere.status(), StatusCode::SEE_OTHER, "she signs in from where she is");
    let known = tries(&app, evil, &ann.email, PASSWORD, ann.cookie()).await;
    assert_eq!(known.status(), StatusCode::SEE_OTHER, "and from there in her own browser");
    let other = tries(&app, evil, &bob.email, PASSWORD, "").await;
    assert_eq!(other.status(), StatusCode::SEE_OTHER, "and so does whoever else is there");
    has_to_wait(&tries(&app, evil, &ann.email, PASSWORD, "").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_many_names_from_one_address_has_to_wait() {
    let app = behind_a_proxy().await;
    let ann = Person::new(&app, "ann", &[(Some(app.tenant), UserRole::Viewer, false)]).await;
    let (evil, home) = ("2001:db8:1:2::", "2001:db8:1:3::1");
    for number in 0..TRIES[1] {
        // A household has 64 bits of addresses of its own: they are one.
        let (from, email) = (format!("{evil}{number:x}"), format!("guess{number}@acme.test"));
        assert_eq!(tries(&app, &from, &email, "guess", "").await.status(), StatusCode::UNAUTHORIZED);
    }
    has_to_wait(&tries(&app, &format!("{evil}ffff"), &ann.email, PASSWORD, "").await);
    assert_eq!(tries(&app, home, &ann.email, PASSWORD, "").await.status(), StatusCode::SEE_OTHER);
}
