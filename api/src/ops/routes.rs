//! Every page and every action, with the right it takes: one list, which the guard and the tests read alike.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Method,
    middleware,
    routing::{MethodRouter, get, post},
};

use super::{
    access::Right,
    alerts, audit, bulk, cloning, dead_letters, deliveries, errors, go,
    guard::{self, Gate},
    home, job, jobs, kinds, languages, live, messages, oidc, preview, queues, schedules, sign_in,
    subject::Subject,
    tenants, views, webhooks, weights, workers, zones,
};
use crate::{AppState, limits::FORM_BYTES_MAX, static_files};

/// What an action is called in the log, and what it changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    pub(super) word: &'static str,
    pub(super) subject: Subject,
}

/// A page, or an action, as the guard knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) right: Right,
    /// None for a page.
    pub(super) act: Option<Act>,
}

type Entry = (Route, MethodRouter<AppState>);

/// A route as tests see it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// How it is asked for.
    pub method: Method,
    /// Where.
    pub path: &'static str,
    /// What it takes.
    pub right: Right,
    /// What it is called in the log.
    pub action: Option<&'static str>,
}

/// Every page and every action.
pub fn list() -> Vec<Listed> {
    let method = |route: &Route| if route.act.is_some() { Method::POST } else { Method::GET };
    let listed = |route: Route| Listed {
        method: method(&route),
        path: route.path,
        right: route.right,
        action: route.act.map(|act| act.word),
    };
    table().into_iter().map(|(route, _)| listed(route)).collect()
}

/// Everything under `/ops`.
pub(crate) fn router(app: &AppState) -> Router<AppState> {
    let open = Router::new()
        .route(super::SIGN_IN, get(sign_in::show).post(sign_in::sign_in))
        .route(super::OIDC, get(oidc::back).post(oidc::leave))
        .route(super::OIDC_CODE, post(oidc::code))
        .route("/ops/style.css", get(async || static_files::style(include_str!("style.css"))))
        .route("/ops/live.js", get(async || static_files::script(include_str!("live.js"))))
        .route("/ops/steer.js", get(async || static_files::script(include_str!("steer.js"))));
    let guarded = table().into_iter().fold(Router::new(), |router, (route, handler)| {
        let gate = Gate { app: app.clone(), route };
        router.route(route.path, handler.route_layer(middleware::from_fn_with_state(gate, guard::guard)))
    });
    languages::learn();
    let whole = open.merge(guarded).layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
    whole.layer(middleware::from_fn(languages::answer))
}

fn page(path: &'static str, right: Right, handler: MethodRouter<AppState>) -> Entry {
    (Route { path, right, act: None }, handler)
}

fn act(
    path: &'static str,
    right: Right,
    (word, subject): (&'static str, Subject),
    handler: MethodRouter<AppState>,
) -> Entry {
    (Route { path, right, act: Some(Act { word, subject }) }, handler)
}

fn table() -> Vec<Entry> {
    let mut table = of_all();
    table.extend(of_work());
    table.extend(of_plans());
    table
}

/// The whole installation.
fn of_all() -> Vec<Entry> {
    use Right::{OperateAll, SeeAll, SignedIn};
    vec![
        page(super::ROOT, SeeAll, get(tenants::show)),
        page(super::TENANTS_OF_MINE, SignedIn, get(tenants::mine)),
        page("/ops/workers", SeeAll, get(workers::show)),
        page("/ops/workers/{id}", SeeAll, get(workers::one)),
        act("/ops/workers/{id}/drain", OperateAll, ("worker.drain", Subject::New), post(workers::drain)),
        act("/ops/weights", OperateAll, ("share.weigh", Subject::New), post(weights::weigh)),
        act("/ops/weights/end", OperateAll, ("share.as_usual", Subject::New), post(weights::end)),
        page("/ops/go", SeeAll, get(go::show)),
        page("/ops/time-zone", SignedIn, get(zones::show)),
        act("/ops/time-zone", SignedIn, ("zone.set", Subject::New), post(zones::set)),
        act("/ops/language", SignedIn, ("language.set", Subject::New), post(languages::set)),
        page("/ops/audit", OperateAll, get(audit::of_installation)),
        act("/ops/sign-out", SignedIn, ("sign_out", Subject::New), post(sign_in::sign_out)),
    ]
}

/// The work of a tenant.
fn of_work() -> Vec<Entry> {
    use Right::{Operate, OperatePayloads, See};
    vec![
        page("/ops/t/{tenant}", See, get(home::show)),
        page("/ops/t/{tenant}/live", See, get(live::follow)),
        page("/ops/t/{tenant}/go", See, get(go::show)),
        page("/ops/t/{tenant}/queues", See, get(queues::show)),
        page("/ops/t/{tenant}/kinds", See, get(kinds::show)),
        act("/ops/t/{tenant}/pauses", Operate, ("pause", Subject::Pauses), post(queues::pause)),
        act("/ops/t/{tenant}/limits", Operate, ("limit", Subject::Limits), post(queues::limit)),
        act("/ops/t/{tenant}/pauses/{id}/resume", Operate, ("resume", Subject::Pauses), post(queues::resume)),
        page("/ops/t/{tenant}/jobs", See, get(jobs::show)),
        act("/ops/t/{tenant}/views", See, ("view.save", Subject::New), post(views::save)),
        act("/ops/t/{tenant}/views/remove", See, ("view.remove", Subject::New), post(views::remove)),
        page("/ops/t/{tenant}/jobs/{id}", See, get(job::show)),
        page("/ops/t/{tenant}/jobs/{id}/live", See, get(live::follow_job)),
        page("/ops/t/{tenant}/jobs/{id}/film/{name}", See, get(preview::film_part)),
        act("/ops/t/{tenant}/jobs/{id}/retry", Operate, ("job.retry", Subject::Job), post(job::retry)),
        act("/ops/t/{tenant}/jobs/{id}/cancel", Operate, ("job.cancel", Subject::Job), post(job::cancel)),
        page("/ops/t/{tenant}/jobs/{id}/clone", OperatePayloads, get(cloning::show)),
        act(
            "/ops/t/{tenant}/jobs/{id}/clone",
            OperatePayloads,
            ("job.clone", Subject::New),
            post(cloning::submit),
        ),
        page("/ops/t/{tenant}/errors", See, get(errors::list)),
        page("/ops/t/{tenant}/errors/{id}", See, get(errors::show)),
        act(
            "/ops/t/{tenant}/errors/{id}/state",
            Operate,
            ("error.judge", Subject::ErrorGroup),
            post(errors::say),
        ),
        act(
            "/ops/t/{tenant}/errors/{id}/assign",
            Operate,
            ("error.assign", Subject::ErrorGroup),
            post(errors::assign),
        ),
        page("/ops/t/{tenant}/dead-letters", See, get(dead_letters::show)),
        act(
            "/ops/t/{tenant}/dead-letters",
            Operate,
            ("kind_care.set", Subject::Care),
            post(dead_letters::set),
        ),
        act(
            "/ops/t/{tenant}/dead-letters/{id}/remove",
            Operate,
            ("kind_care.remove", Subject::Care),
            post(dead_letters::remove),
        ),
        page("/ops/t/{tenant}/bulk", See, get(bulk::list)),
        page("/ops/t/{tenant}/bulk/new", Operate, get(bulk::preview)),
        act("/ops/t/{tenant}/bulk", Operate, ("bulk.begin", Subject::New), post(bulk::begin)),
        page("/ops/t/{tenant}/bulk/{id}", See, get(bulk::show)),
        act(
            "/ops/t/{tenant}/bulk/{id}/confirm",
            Operate,
            ("bulk.confirm", Subject::Bulk),
            post(bulk::let_begin),
        ),
        act("/ops/t/{tenant}/bulk/{id}/cancel", Operate, ("bulk.cancel", Subject::Bulk), post(bulk::cancel)),
        act("/ops/t/{tenant}/bulk/{id}/pause", Operate, ("bulk.pause", Subject::Bulk), post(bulk::pause)),
        act("/ops/t/{tenant}/bulk/{id}/resume", Operate, ("bulk.resume", Subject::Bulk), post(bulk::resume)),
        act("/ops/t/{tenant}/bulk/{id}/undo", Operate, ("bulk.undo", Subject::Bulk), post(bulk::undo)),
        page("/ops/t/{tenant}/audit", Operate, get(audit::of_tenant)),
    ]
}

/// What makes work begin, and what is told of it.
fn of_plans() -> Vec<Entry> {
    use Right::{Operate, See};
    vec![
        page("/ops/t/{tenant}/schedules", See, get(schedules::list)),
        page("/ops/t/{tenant}/schedules/{id}", See, get(schedules::show)),
        act(
            "/ops/t/{tenant}/schedules/{id}/run",
            Operate,
            ("schedule.run", Subject::Schedule),
            post(schedules::run),
        ),
        act(
            "/ops/t/{tenant}/schedules/{id}/pause",
            Operate,
            ("schedule.pause", Subject::Schedule),
            post(schedules::pause),
        ),
        act(
            "/ops/t/{tenant}/schedules/{id}/resume",
            Operate,
            ("schedule.resume", Subject::Schedule),
            post(schedules::resume),
        ),
        page("/ops/t/{tenant}/messages", See, get(messages::list)),
        page("/ops/t/{tenant}/messages/{id}", See, get(messages::show)),
        act(
            "/ops/t/{tenant}/messages/{id}/resolve",
            Operate,
            ("message.resolve", Subject::Message),
            post(messages::resolve),
        ),
        page("/ops/t/{tenant}/alerts", See, get(alerts::show)),
        act("/ops/t/{tenant}/alerts", Operate, ("alert_rule.set", Subject::AlertRules), post(alerts::set)),
        act(
            "/ops/t/{tenant}/alerts/{id}/remove",
            Operate,
            ("alert_rule.remove", Subject::AlertRules),
            post(alerts::remove),
        ),
        page("/ops/t/{tenant}/webhooks", See, get(webhooks::list)),
        page("/ops/t/{tenant}/webhooks/in/{id}", See, get(webhooks::source)),
        act(
            "/ops/t/{tenant}/webhooks/in/{id}/replay",
            Operate,
            ("webhook.replay_range", Subject::New),
            post(webhooks::replay_range),
        ),
        act(
            "/ops/t/{tenant}/webhooks/in/{id}/replay/{event}",
            Operate,
            ("webhook.replay", Subject::New),
            post(webhooks::replay),
        ),
        page("/ops/t/{tenant}/webhooks/out", See, get(deliveries::all)),
        page("/ops/t/{tenant}/webhooks/out/{id}", See, get(deliveries::endpoint)),
        act(
            "/ops/t/{tenant}/webhooks/out/{id}/recover",
            Operate,
            ("webhook.recover", Subject::New),
            post(deliveries::recover),
        ),
        act(
            "/ops/t/{tenant}/webhooks/out/{id}/resend/{delivery}",
            Operate,
            ("webhook.resend", Subject::New),
            post(deliveries::resend),
        ),
    ]
}
