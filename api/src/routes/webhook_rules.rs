//! What events of a source become.

use ::jobs::{KindSpec, WebhookRuleId, WebhookSourceId};
use axum::{
    Json as Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::inbox::{self, AddedRule, StoredRule};
use utoipa::ToSchema;
use webhooks::{Rule, Source};

use super::webhook_sources::no_source;
use crate::{
    AppState,
    auth::{Reader, Writer},
    extract::{Id, Json},
    limits::WEBHOOK_RULES_MAX,
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// A rule: events that fit become a job.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = NewWebhookRule, value_type = Object, example = json!({
    "event_type": "invoice.*", "matches": [{"pointer": "/data/object/paid", "equals": true}], "kind": "probe.work",
    "args": {"echo": {"pointer": "/data/object/id"}, "work_ms": {"constant": 20}},
}))]
pub(crate) struct RuleBody(Rule);

/// A rule as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookRule)]
pub(crate) struct RuleResource {
    /// Which it is.
    #[schema(value_type = String)]
    id: WebhookRuleId,
    /// What it says.
    #[schema(value_type = Object)]
    rule: Value,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl RuleResource {
    fn of(stored: StoredRule) -> Self {
        Self { id: stored.id(), rule: stored.rule.0, created_at: stored.created_at }
    }
}

/// The rules of a source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookRules {
    /// Oldest first. Every one that fits an event makes a job of it.
    rules: Vec<RuleResource>,
}

/// Say what events become.
///
/// Events whose type fits `event_type` (`*` stands for any characters) and whose body fits all of `matches` become a job of
/// `kind`. Each of its `args` is `{"pointer": …}`, taken from the body, or `{"constant": …}`. A rule that can make no job of the
/// kind is refused here.
#[utoipa::path(
    post, path = "/v1/webhook-sources/{id}/rules", tag = "Webhooks", operation_id = "add_webhook_rule",
    params(("id" = String, Path, description = "The source")),
    request_body(content = RuleBody, example = json!({
        "event_type": "upload.*", "kind": "media.scan", "args": {"asset": {"pointer": "/data/asset"}}
    })),
    responses(
        (status = 201, description = "It holds for events from now on, and for those looked at again", body = RuleResource),
        (status = "default", description = "A problem; 422 when the kind does not take such arguments", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn add_webhook_rule(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Id(id): Id<WebhookSourceId>,
    Json(RuleBody(rule)): Json<RuleBody>,
) -> Result<Response, Problem> {
    check(&rule).map_err(|error| Problem::invalid(vec![error]))?;
    let rule = serde_json::to_value(&rule).map_err(Problem::internal)?;
    let by = caller.key.to_string();
    match inbox::add_rule(&app.db, caller.tenant, id, &rule, &by, WEBHOOK_RULES_MAX).await? {
        AddedRule::New(stored) => Ok((StatusCode::CREATED, Body(RuleResource::of(stored))).into_response()),
        AddedRule::NoSource => Err(no_source()),
        AddedRule::TooMany => Err(Problem::new(
            Code::TooMany,
            format!("a source has at most {WEBHOOK_RULES_MAX} rules; remove one"),
        )),
    }
}

/// Whether the rule can ever make a job.
fn check(rule: &Rule) -> Result<(), FieldError> {
    rule.check().map_err(|bad| FieldError::new(bad.pointer, bad.reason))?;
    let spec = ::jobs::spec(&rule.kind)
        .ok_or_else(|| FieldError::new("/kind", "no such kind; GET /v1/kinds lists them"))?;
    let sources = rule.sources().map_err(|bad| FieldError::new(bad.pointer, bad.reason))?;
    for (name, _) in &sources {
        if !takes(spec, name) {
            return Err(FieldError::new(
                format!("/args/{name}"),
                format!("{} has no such argument", spec.kind),
            ));
        }
    }
    // What a pointer will find is not known; the example's value stands for it, so that only the rest is judged.
    let example = |name: &str| spec.example.get(name).cloned();
    let stands = |(name, source): (&str, Source)| {
        let value = match source {
            Source::Constant(value) => Some(value),
            Source::Pointer(_) => example(name),
        };
        value.map(|value| (name.to_owned(), value))
    };
    let args: Map<String, Value> = sources.into_iter().filter_map(stands).collect();
    ::jobs::parse(spec, &Value::Object(args)).map(drop).map_err(FieldError::in_args)
}

fn takes(spec: &KindSpec, name: &str) -> bool {
    spec.args_schema.get("properties").is_some_and(|properties| properties.get(name).is_some())
}

/// List the rules of a source.
#[utoipa::path(
    get, path = "/v1/webhook-sources/{id}/rules", tag = "Webhooks", operation_id = "list_webhook_rules",
    params(("id" = String, Path, description = "The source")),
    responses(
        (status = 200, description = "All of them", body = WebhookRules),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_webhook_rules(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(id): Id<WebhookSourceId>,
) -> Result<Body<WebhookRules>, Problem> {
    inbox::get(&app.db, caller.tenant, id).await?.ok_or_else(no_source)?;
    let rules = inbox::rules(&app.db, caller.tenant, id).await?;
    Ok(Body(WebhookRules { rules: rules.into_iter().map(RuleResource::of).collect() }))
}

/// Remove a rule.
#[utoipa::path(
    delete, path = "/v1/webhook-sources/{id}/rules/{rule}", tag = "Webhooks", operation_id = "remove_webhook_rule",
    params(("id" = String, Path, description = "The source"), ("rule" = String, Path, description = "The rule")),
    responses(
        (status = 204, description = "It holds no more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:write"])),
)]
pub(crate) async fn remove_webhook_rule(
    State(app): State<AppState>,
    Writer(caller): Writer,
    Path((source, rule)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let ids = source.parse::<WebhookSourceId>().ok().zip(rule.parse::<WebhookRuleId>().ok());
    let (source, rule) = ids.ok_or_else(|| Problem::not_found("rule"))?;
    if !inbox::remove_rule(&app.db, caller.tenant, source, rule).await? {
        return Err(Problem::not_found("rule"));
    }
    Ok(StatusCode::NO_CONTENT)
}
