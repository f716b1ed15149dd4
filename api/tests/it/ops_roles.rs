//! Who may what: everybody tries every page and every action of the route table.

use api::{
    UserRole,
    ops::{self, Right},
};
use jobs::JobId;
use reqwest::{Method, StatusCode};

use crate::{
    app::TestApp,
    ops::{Form, Person, log},
};

/// The path with something in place of what it leaves open.
fn filled(path: &str) -> String {
    path.replace("{tenant}", "acme")
        .replace("{id}", &JobId::new().to_string())
        .replace("{event}", "x")
        .replace("{delivery}", "x")
        .replace("{name}", "x")
}

/// What somebody gets: whether they were refused.
async fn is_refused(person: &Person, method: &Method, path: &str, csrf: &str) -> bool {
    let mut request = person.request(method.clone(), path);
    if *method == Method::POST {
        request = request.form(&[("csrf", csrf)]);
    }
    let answer = request.send().await.unwrap();
    let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    if is_stream {
        return false;
    }
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(!status.is_server_error(), "{method} {path}: {status} {text}");
    status == StatusCode::FORBIDDEN
        || (status == StatusCode::NOT_FOUND && text.contains("or it is not for you"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_tries_everything() {
    let app = TestApp::start().await;
    let other = store::keys::create_tenant(&app.owner, "other", "Other").await.unwrap();
    let (here, elsewhere) = (Some(app.tenant), Some(other));
    let everybody = [
        ("viewer", vec![(here, UserRole::Viewer, false)]),
        ("steers", vec![(here, UserRole::TenantOperator, false)]),
        ("outsider", vec![(elsewhere, UserRole::TenantOperator, true)]),
        ("nobody", vec![]),
        ("watches", vec![(None, UserRole::Viewer, false)]),
        ("operator", vec![(None, UserRole::Operator, false)]),
        ("admin", vec![(None, UserRole::Admin, true)]),
    ];
    let routes = ops::list();
    assert!(routes.len() > 25, "the table was not found");
    // Signing out comes last: whoever has is nobody any more.
    let routes: Vec<_> = routes.iter().filter(|route| route.path != "/ops/sign-out").collect();
    // Whoever is refused too often has to wait, so each name stands for several people.
    let people =
        everybody.iter().flat_map(|(name, roles)| routes.chunks(20).map(move |some| (name, roles, some)));
    for (nth, (name, roles, routes)) in people.enumerate() {
        let person = Person::signed_in(&app, &format!("{name}-{nth}"), roles).await;
        let csrf = person.csrf().await;
        let here =
            roles.iter().filter(|(at, ..)| at.is_none() || *at == here).map(|(_, role, _)| *role).max();
        let sees = roles.iter().any(|(at, _, sees)| *sees && (at.is_none() || *at == Some(app.tenant)));
        let all = roles.iter().filter(|(at, ..)| at.is_none()).map(|(_, role, _)| *role).max();
        for route in routes {
            let may = match route.right {
                Right::SignedIn => true,
                Right::See => here.is_some(),
                Right::Operate => here.is_some_and(|role| role >= UserRole::TenantOperator),
                Right::OperatePayloads => here.is_some_and(|role| role >= UserRole::TenantOperator) && sees,
                Right::SeeAll => all.is_some(),
                Right::OperateAll => all.is_some_and(|role| role >= UserRole::Operator),
            };
            let path = filled(route.path);
            let before = log(&app, app.tenant).await.len();
            let refused = is_refused(&person, &route.method, &path, &csrf).await;
            // Whoever may not see the whole installation is led to what they may see.
            assert_eq!(refused, !may && path != "/ops", "{name}: {} {path}", route.method);
            if refused && path.contains("/t/acme") {
                let log = log(&app, app.tenant).await;
                let last = log.last().unwrap();
                assert_eq!(log.len(), before + 1, "{name}: {} {path} is in the log once", route.method);
                assert_eq!(
                    (last["outcome"].as_str(), last["by"].as_str()),
                    (Some("refused"), Some(person.email.as_str()))
                );
                assert_eq!(last["target"], path);
            }
        }
        assert_eq!(person.post("/ops/sign-out", &[]).await.0, StatusCode::SEE_OTHER);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_reached_without_signing_in() {
    let app = TestApp::start().await;
    let nobody = Person::new(&app, "nobody", &[]).await;
    for route in ops::list() {
        let answer = nobody.request(route.method.clone(), &filled(route.path)).send().await.unwrap();
        let expected =
            if route.method == Method::GET { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status(), expected, "{} {}", route.method, route.path);
    }
    assert_eq!(app.number("select count(*) from audit_entry").await, 0, "strangers fill no log");
}
