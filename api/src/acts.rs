//! What keys steer, which is written down before it is done, with how things stood, and once more with what came of it.
//!
//! So nothing is steered of which the log does not know, even if this process dies in between. The words are those of the
//! dashboard. Not here: what writes its own line in the transaction that changes something, such as keys and weights, and
//! what is work and no steering: jobs, uploads and bookings keep their own history.
//!
//! **Invariant:** every route that changes something is in the table or among those that are let off, which a test holds.

use std::{collections::HashMap, time::Instant};

use axum::{
    body::Body,
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use store::audit;
use telemetry::trace_context::{carry, current_traceparent};
use tracing::Instrument;

use crate::{
    AppState,
    auth::{Caller, Scope},
    extract,
    limits::{BODY_BYTES_MAX, OPS_TARGET_CHARS_MAX},
    ops::Subject,
    problem::{Code, Problem},
    request,
};

/// Something that is steered.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// What it is called in the log.
    pub(crate) word: &'static str,
    subject: Subject,
    /// Whoever has one of these may.
    pub(crate) scopes: &'static [Scope],
    /// Whether what was asked for is written down too, because nothing tells it afterwards.
    tells_body: bool,
}

const fn act(
    (method, path): (&'static str, &'static str),
    scopes: &'static [Scope],
    word: &'static str,
    subject: Subject,
) -> Act {
    Act { method, path, word, subject, scopes, tells_body: false }
}

const fn told(act: Act) -> Act {
    Act { tells_body: true, ..act }
}

const OPERATOR: &[Scope] = &[Scope::QueueOperate];
const WRITER: &[Scope] = &[Scope::JobsWrite];
const RETRIER: &[Scope] = &[Scope::JobsWrite, Scope::QueueOperate];
const ADMIN: &[Scope] = &[Scope::Admin];

const OF_WORK: &[Act] = &[
    act(("POST", "/v1/jobs/{id}/cancel"), WRITER, "job.cancel", Subject::Job),
    act(("POST", "/v1/jobs/{id}/retry"), RETRIER, "job.retry", Subject::Job),
    act(("POST", "/v1/jobs/{id}/clone"), WRITER, "job.clone", Subject::New),
    act(("POST", "/v1/workflows/{id}/cancel"), WRITER, "workflow.cancel", Subject::Workflow),
    act(("POST", "/v1/workflows/{id}/retry"), WRITER, "workflow.retry", Subject::Workflow),
    act(("PUT", "/v1/limits/{name}"), OPERATOR, "limit", Subject::Limits),
    act(("DELETE", "/v1/limits/{name}"), OPERATOR, "limit", Subject::Limits),
    act(("POST", "/v1/pauses"), OPERATOR, "pause", Subject::Pauses),
    act(("DELETE", "/v1/pauses/{id}"), OPERATOR, "resume", Subject::Pauses),
    told(act(("POST", "/v1/bulk-operations"), OPERATOR, "bulk.begin", Subject::Bulk)),
    act(("POST", "/v1/bulk-operations/{id}/cancel"), OPERATOR, "bulk.cancel", Subject::Bulk),
    act(("POST", "/v1/bulk-operations/{id}/pause"), OPERATOR, "bulk.pause", Subject::Bulk),
    act(("POST", "/v1/bulk-operations/{id}/resume"), OPERATOR, "bulk.resume", Subject::Bulk),
    act(("POST", "/v1/bulk-operations/{id}/undo"), OPERATOR, "bulk.undo", Subject::Bulk),
    act(("PUT", "/v1/dead-letters/{kind}/care"), OPERATOR, "kind_care.set", Subject::Care),
    act(("DELETE", "/v1/dead-letters/{kind}/care"), OPERATOR, "kind_care.remove", Subject::Care),
    act(("PUT", "/v1/retention"), ADMIN, "retention.set", Subject::Retention),
    act(("POST", "/v1/messages/{id}/resolve"), WRITER, "message.resolve", Subject::Message),
    act(("PATCH", "/v1/assets/{id}"), WRITER, "asset.change", Subject::Asset),
    act(("DELETE", "/v1/assets/{id}"), WRITER, "asset.delete", Subject::Asset),
    act(("POST", "/v1/assets/{id}/release"), ADMIN, "asset.release", Subject::Asset),
];

const OF_PLANS: &[Act] = &[
    act(("POST", "/v1/schedules"), WRITER, "schedule.create", Subject::Schedule),
    act(("PATCH", "/v1/schedules/{id}"), WRITER, "schedule.change", Subject::Schedule),
    act(("DELETE", "/v1/schedules/{id}"), WRITER, "schedule.remove", Subject::Schedule),
    act(("POST", "/v1/schedules/{id}/pause"), RETRIER, "schedule.pause", Subject::Schedule),
    act(("POST", "/v1/schedules/{id}/resume"), RETRIER, "schedule.resume", Subject::Schedule),
    act(("POST", "/v1/schedules/{id}/run"), RETRIER, "schedule.run", Subject::Schedule),
    act(("PUT", "/v1/alert-rules/{name}"), OPERATOR, "alert_rule.set", Subject::AlertRules),
    act(("DELETE", "/v1/alert-rules/{name}"), OPERATOR, "alert_rule.remove", Subject::AlertRules),
];

const OF_SETTINGS: &[Act] = &[
    act(("PUT", "/v1/brand"), WRITER, "brand.set", Subject::Brand),
    act(("DELETE", "/v1/brand"), WRITER, "brand.remove", Subject::Brand),
    act(("PUT", "/v1/templates/{name}/{locale}"), WRITER, "template.write", Subject::Template),
    act(("PUT", "/v1/match-presets/{name}"), WRITER, "match_preset.set", Subject::MatchPreset),
    act(("DELETE", "/v1/match-presets/{name}"), WRITER, "match_preset.remove", Subject::MatchPreset),
];

const SOURCE: Subject = Subject::WebhookSource;
const ENDPOINT: Subject = Subject::WebhookEndpoint;

const OF_WEBHOOKS: &[Act] = &[
    act(("POST", "/v1/webhook-sources"), WRITER, "webhook_source.create", SOURCE),
    act(("DELETE", "/v1/webhook-sources/{id}"), WRITER, "webhook_source.remove", SOURCE),
    act(("POST", "/v1/webhook-sources/{id}/secret"), WRITER, "webhook_source.secret", SOURCE),
    act(("POST", "/v1/webhook-sources/{id}/enable"), WRITER, "webhook_source.enable", SOURCE),
    act(("POST", "/v1/webhook-sources/{id}/disable"), WRITER, "webhook_source.disable", SOURCE),
    act(("POST", "/v1/webhook-sources/{id}/rules"), WRITER, "webhook_rule.add", Subject::WebhookRules),
    act(
        ("DELETE", "/v1/webhook-sources/{id}/rules/{rule}"),
        WRITER,
        "webhook_rule.remove",
        Subject::WebhookRules,
    ),
    told(act(("POST", "/v1/webhook-sources/{id}/events/replay"), RETRIER, "webhook.replay_range", SOURCE)),
    act(
        ("POST", "/v1/webhook-sources/{id}/events/{event}/replay"),
        RETRIER,
        "webhook.replay",
        Subject::WebhookEvent,
    ),
    act(("POST", "/v1/webhook-endpoints"), WRITER, "webhook_endpoint.create", ENDPOINT),
    act(("DELETE", "/v1/webhook-endpoints/{id}"), WRITER, "webhook_endpoint.remove", ENDPOINT),
    act(("POST", "/v1/webhook-endpoints/{id}/secret"), WRITER, "webhook_endpoint.secret", ENDPOINT),
    act(("POST", "/v1/webhook-endpoints/{id}/enable"), WRITER, "webhook_endpoint.enable", ENDPOINT),
    act(("POST", "/v1/webhook-endpoints/{id}/disable"), WRITER, "webhook_endpoint.disable", ENDPOINT),
    act(("POST", "/v1/webhook-endpoints/{id}/test"), WRITER, "webhook_endpoint.test", ENDPOINT),
    told(act(("POST", "/v1/webhook-endpoints/{id}/recover"), RETRIER, "webhook.recover", ENDPOINT)),
    act(
        ("POST", "/v1/webhook-endpoints/{id}/deliveries/{delivery}/resend"),
        RETRIER,
        "webhook.resend",
        Subject::WebhookDelivery,
    ),
];

/// Everything that is steered by keys and written down here.
pub(crate) fn table() -> impl Iterator<Item = &'static Act> {
    OF_WORK.iter().chain(OF_PLANS).chain(OF_SETTINGS).chain(OF_WEBHOOKS)
}

/// Answers `request` and writes down what it steers, or that its key may not.
pub(crate) async fn run(app: &AppState, caller: Caller, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let found = table().find(|act| act.method == method.as_str() && Some(act.path) == route.as_deref());
    let response = match found.filter(|act| caller.may(act.scopes).is_ok()) {
        Some(act) => written(app, &caller, act, request, next).await.unwrap_or_else(Problem::into_response),
        None => next.run(request).await,
    };
    if is_refused(&response) {
        let word = found.map_or(if method == Method::GET { "see" } else { "change" }, |act| act.word);
        if let Err(problem) = refused(app, &caller, word, &path).await {
            request::write_down(&problem, &method, route.as_deref().unwrap_or_default());
        }
    }
    response
}

fn is_refused(response: &Response) -> bool {
    let problem = response.extensions().get::<Problem>();
    problem.is_some_and(|problem| problem.code() == Code::MissingScope)
}

/// Writes down that a key may not. Of a flood so many in a minute as of people.
async fn refused(app: &AppState, caller: &Caller, word: &str, path: &str) -> Result<(), Problem> {
    if !app.key_refusals.take(caller.key_id()?, Instant::now()).allowed {
        return Ok(());
    }
    let said = json!({
        "by": caller.key.to_string(), "person": caller.person, "action": word, "target": target(path), "outcome": "refused",
    });
    audit::append(&app.db, Some(caller.tenant), &said).await?;
    Ok(())
}

/// As much of an address as is kept, without the character that no text of the database has.
fn target(path: &str) -> String {
    path.chars().filter(|c| *c != '\0').take(OPS_TARGET_CHARS_MAX).collect()
}

/// Does it between two lines of the log.
async fn written(
    app: &AppState,
    caller: &Caller,
    act: &'static Act,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, mut body) = request.into_parts();
    let Ok(params) = RawPathParams::from_request_parts(&mut parts, app).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let mut named: HashMap<String, String> =
        params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut asked = Value::Null;
    if act.tells_body {
        let read = extract::collect(body, &parts.headers, app, BODY_BYTES_MAX).await?;
        asked = tellable(&read);
        if asked["dry_run"] == true {
            return Ok(next.run(Request::from_parts(parts, Body::from(read))).await);
        }
        body = Body::from(read);
    }
    let before = act.subject.look(app, Some(caller.tenant), &|name| named.get(name).cloned()).await?;
    let mut said = json!({
        "by": caller.key.to_string(), "person": caller.person, "action": act.word, "target": of_params(&params),
        "asked": asked, "before": before, "outcome": "asked",
    });
    said["of"] = audit::append(&app.db, Some(caller.tenant), &said).await?.into();
    let (app, tenant) = (app.clone(), caller.tenant);
    // In a task of its own: whoever goes away in the middle does not keep what came of it out of the log.
    let acting = async move {
        let response = next.run(Request::from_parts(parts, body)).await;
        let (status, made) = (response.status(), made(response.headers()));
        if let Some(made) = made.filter(|_| !named.contains_key("id")) {
            said["target"] = made.clone().into();
            named.insert("id".to_owned(), made);
        }
        let after = act.subject.look(&app, Some(tenant), &|name| named.get(name).cloned()).await;
        let ended = async {
            said["after"] = after?;
            said["outcome"] = outcome(status).into();
            said["status"] = status.as_u16().into();
            audit::append(&app.db, Some(tenant), &said).await.map_err(Problem::from)
        };
        if let Err(problem) = ended.await {
            request::write_down(&problem, &Method::POST, act.path);
        }
        response
    };
    let trace = current_traceparent();
    let carried = async move { carry(trace.as_deref(), acting).await };
    tokio::spawn(carried.in_current_span()).await.map_err(Problem::internal)
}

/// What the path names, in its order.
fn of_params(params: &RawPathParams) -> String {
    let values: Vec<&str> = params.iter().map(|(_, value)| value).collect();
    target(&values.join(" "))
}

/// What was asked for, if it is JSON that the database can keep.
fn tellable(body: &[u8]) -> Value {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if asked.to_string().contains("\\u0000") { Value::Null } else { asked }
}

/// What was made, as its address says.
fn made(headers: &HeaderMap) -> Option<String> {
    headers.get(header::LOCATION)?.to_str().ok()?.rsplit('/').next().map(str::to_owned)
}

fn outcome(status: StatusCode) -> &'static str {
    if status.is_success() { "done" } else { "failed" }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{table, target, tellable};
    use crate::openapi::document;

    /// Routes that change something and are not in the table, each for one of three reasons.
    const LET_OFF: &[&str] = &[
        // They write their own line, in the transaction that changes something.
        "create_key",
        "revoke_key",
        "create_tenant_key",
        "revoke_tenant_key",
        "set_tenant",
        "weigh_tenant",
        "weigh_tenant_as_usual",
        "drain_worker",
        "judge_error_group",
        "assign_error_group",
        "unassign_error_group",
        "set_four_eyes",
        "remove_four_eyes",
        "confirm_bulk_operation",
        // They change nothing.
        "preview_schedule",
        "preview_template",
        "find_slots",
        "what_if",
        "receive_webhook",
    ];
    /// What is work: it keeps a history of its own.
    const WORK: &[&str] = &[
        "/v1/absences",
        "/v1/assets/{id}/focal-point",
        "/v1/bookings",
        "/v1/calendar-",
        "/v1/contact-points",
        "/v1/deliveries",
        "/v1/inbox",
        "/v1/invitations",
        "/v1/jobs",
        "/v1/match-requests",
        "/v1/notifications",
        "/v1/offers",
        "/v1/parties",
        "/v1/subjects",
        "/v1/uploads",
        "/v1/workflows",
    ];

    fn scopes_of(operation: &Value) -> Vec<&str> {
        let any_of = operation["security"].as_array().into_iter().flatten();
        any_of.filter_map(|one| one["api_key"][0].as_str()).collect()
    }

    #[test]
    fn whatever_is_steered_is_written_down() {
        let document = document();
        let mut met = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                let act = table().find(|act| act.path == path && act.method.eq_ignore_ascii_case(method));
                if let Some(act) = act {
                    let scopes: Vec<&str> = act.scopes.iter().map(|scope| scope.name()).collect();
                    assert_eq!(scopes, scopes_of(operation), "{method} {path}");
                    met += 1;
                    continue;
                }
                let is_work = WORK.iter().any(|begins| path.starts_with(begins));
                assert!(method == "get" || is_work || LET_OFF.contains(&id), "{method} {path} steers unseen");
            }
        }
        assert_eq!(met, table().count(), "something in the table is no route");
    }

    #[test]
    fn what_the_log_cannot_keep_is_left_out() {
        assert_eq!(tellable(br#"{"state": "parked"}"#), json!({ "state": "parked" }));
        assert_eq!(tellable(br#"{"state": "a\u0000"}"#), Value::Null);
        assert_eq!(tellable(b"{"), Value::Null);
        assert_eq!(target("a\0b"), "ab");
        assert_eq!(target(&"ä".repeat(300)).chars().count(), 200);
    }
}
