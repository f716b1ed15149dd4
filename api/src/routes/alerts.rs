//! Alerts: rules that say what somebody should be told of, and what they found.

use ::jobs::{AlertId, Measure, PartyId, Queue, kinds::notify_plan::RECIPIENTS_MAX};
use axum::{Json as Answer, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{
    StoreError,
    alerts::{self, Alert, NewRule, Put, Rule},
};
use utoipa::ToSchema;

use super::{paging::Paging, schedules::PageParams};
use crate::{
    AppState,
    auth::{Operator, Reader},
    extract::{Id, Json, Params},
    limits::{
        ALERT_AFTER_S_MAX, ALERT_FIRE_AFTER_S, ALERT_NAME_CHARS_MAX, ALERT_RESOLVE_AFTER_S, ALERT_RULES_MAX,
        ALERT_THRESHOLD_MAX, ALERT_WINDOW_S, ALERT_WINDOW_S_MAX, ALERT_WINDOW_S_MIN,
    },
    problem::{Code, FieldError, Problem, ProblemDocument},
};

/// What somebody should be told of, and who.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AlertRule)]
pub(crate) struct RuleBody {
    /// `queue_age`: for how many seconds the first in line has waited, or is late where it was promised to be done by a time.
    /// `error_rate`: of a hundred attempts, how many more went wrong than of a hundred in the day before.
    /// `dead_letters`: jobs that were given up. `silent_workers`: worker processes that fell silent.
    /// `needs_dispatch`: visits ahead for which nobody is left to be asked.
    #[schema(value_type = String, example = "queue_age")]
    measure: Measure,
    /// Only this queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    queue: Option<Queue>,
    /// Only this kind. Workers have none, and visits have neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// From which number on something is wrong; up to 100 for `error_rate`.
    #[schema(minimum = 1, maximum = 1_000_000, example = 300)]
    threshold: i32,
    /// How many seconds to look back, but for `queue_age` and `needs_dispatch`; 600 unless given.
    #[serde(default = "window")]
    #[schema(minimum = 300, maximum = 86_400)]
    window_s: i32,
    /// It has to be wrong for so many seconds before it fires; 60 unless given.
    #[serde(default = "fire_after")]
    #[schema(minimum = 0, maximum = 86_400)]
    fire_after_s: i32,
    /// It has to be well for so many seconds before it is over; 300 unless given.
    #[serde(default = "resolve_after")]
    #[schema(minimum = 0, maximum = 86_400)]
    resolve_after_s: i32,
    /// Parties who are told, up to 20, as critical messages. Webhook endpoints are told in any case.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    recipients: Vec<PartyId>,
}

const fn window() -> i32 {
    ALERT_WINDOW_S
}

const fn fire_after() -> i32 {
    ALERT_FIRE_AFTER_S
}

const fn resolve_after() -> i32 {
    ALERT_RESOLVE_AFTER_S
}

/// A rule as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StandingAlertRule)]
pub(crate) struct RuleResource {
    /// Its name.
    name: String,
    #[serde(flatten)]
    rule: RuleBody,
    /// `quiet`, `pending` (wrong, and not for long enough), `firing`, or `resolving` (well, and not for long enough).
    #[schema(example = "quiet")]
    state: &'static str,
    /// What was measured last.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<DateTime<Utc>>,
    /// The alert that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    alert: Option<AlertId>,
    /// The API key that set it last.
    updated_by: String,
    /// When it was set last.
    updated_at: DateTime<Utc>,
}

/// Every rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertRules {
    /// By name.
    rules: Vec<RuleResource>,
}

impl RuleBody {
    fn check(self, name: String, by: String) -> Result<NewRule, Problem> {
        let mut errors = Vec::new();
        let mut refuse = |pointer: &str, wrong: bool, detail: String| {
            if wrong {
                errors.push(FieldError::new(pointer, detail));
            }
        };
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        let is_plain = (1..=ALERT_NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(named)
            && name.as_bytes()[0].is_ascii_alphanumeric();
        refuse(
            "",
            !is_plain,
            format!("a rule's name is 1 to {ALERT_NAME_CHARS_MAX} of a-z, 0-9, _, . and -"),
        );
        let unknown = self.kind.as_deref().is_some_and(|kind| ::jobs::spec(kind).is_none());
        refuse("/kind", unknown, "no such kind; see GET /v1/kinds".to_owned());
        let measure = self.measure;
        let is_odd = !measure.is_of_kinds() && self.kind.is_some();
        refuse("/kind", is_odd, format!("{measure} is of no kind; leave it out"));
        let is_odd = !measure.is_of_queues() && self.queue.is_some();
        refuse("/queue", is_odd, format!("{measure} is of no queue; leave it out"));
        let most = if self.measure == Measure::ErrorRate { 100 } else { ALERT_THRESHOLD_MAX };
        refuse("/threshold", !(1..=most).contains(&self.threshold), format!("1 to {most}"));
        let windows = ALERT_WINDOW_S_MIN..=ALERT_WINDOW_S_MAX;
        let detail = format!("{ALERT_WINDOW_S_MIN} to {ALERT_WINDOW_S_MAX}");
        refuse("/window_s", !windows.contains(&self.window_s), detail);
        let waits = |seconds: i32| !(0..=ALERT_AFTER_S_MAX).contains(&seconds);
        refuse("/fire_after_s", waits(self.fire_after_s), format!("0 to {ALERT_AFTER_S_MAX}"));
        refuse("/resolve_after_s", waits(self.resolve_after_s), format!("0 to {ALERT_AFTER_S_MAX}"));
        let people = &self.recipients;
        let is_twice = (1..people.len()).any(|at| people[..at].contains(&people[at]));
        let is_off = people.len() > RECIPIENTS_MAX || is_twice;
        refuse("/recipients", is_off, format!("up to {RECIPIENTS_MAX} parties, each once"));
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(NewRule {
            name,
            measure: self.measure,
            queue: self.queue,
            kind: self.kind,
            threshold: self.threshold,
            window_s: self.window_s,
            fire_after_s: self.fire_after_s,
            resolve_after_s: self.resolve_after_s,
            recipients: self.recipients,
            by,
        })
    }
}

impl RuleResource {
    fn of(rule: &Rule) -> Result<Self, StoreError> {
        Ok(Self {
            name: rule.name.clone(),
            rule: RuleBody {
                measure: rule.measure()?,
                queue: rule.queue.as_deref().and_then(|queue| queue.parse().ok()),
                kind: rule.kind.clone(),
                threshold: rule.threshold,
                window_s: rule.window_s,
                fire_after_s: rule.fire_after_s,
                resolve_after_s: rule.resolve_after_s,
                recipients: rule.recipients(),
            },
            state: rule.state().name(),
            value: rule.value,
            looked_at: rule.looked_at,
            alert: rule.alert(),
            updated_by: rule.updated_by.clone(),
            updated_at: rule.updated_at,
        })
    }
}

/// Set a rule for alerts.
///
/// In place of the one with this name, if there is one. Workers look at it every 15 seconds.
#[utoipa::path(
    put, path = "/v1/alert-rules/{name}", tag = "Alerts", operation_id = "set_alert_rule", request_body = RuleBody,
    params(("name" = String, Path, description = "Its name: a-z, 0-9, _, . and -", example = "films-late")),
    responses(
        (status = 200, description = "The rule as it stands", body = RuleResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn set_alert_rule(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(name): Id<String>,
    Json(body): Json<RuleBody>,
) -> Result<Answer<RuleResource>, Problem> {
    let new = body.check(name, caller.key.to_string())?;
    match alerts::put(&app.db, caller.tenant, &new, ALERT_RULES_MAX).await? {
        Put::Done(rule) => Ok(Answer(RuleResource::of(&rule)?)),
        Put::NoParty => {
            let detail = "each of them is a party of yours; see GET /v1/parties";
            Err(Problem::invalid(vec![FieldError::new("/recipients", detail)]))
        }
        Put::TooMany => {
            let detail = format!("a tenant has at most {ALERT_RULES_MAX} rules for alerts; remove one");
            Err(Problem::new(Code::TooMany, detail))
        }
    }
}

/// List the rules for alerts.
#[utoipa::path(
    get, path = "/v1/alert-rules", tag = "Alerts", operation_id = "list_alert_rules",
    responses(
        (status = 200, description = "Every rule and how it stands", body = AlertRules),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_alert_rules(
    State(app): State<AppState>,
    Reader(caller): Reader,
) -> Result<Answer<AlertRules>, Problem> {
    let rules = alerts::list(&app.db, caller.tenant).await?;
    Ok(Answer(AlertRules { rules: rules.iter().map(RuleResource::of).collect::<Result<_, _>>()? }))
}

/// Look at a rule for alerts.
#[utoipa::path(
    get, path = "/v1/alert-rules/{name}", tag = "Alerts", operation_id = "get_alert_rule",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The rule and how it stands", body = RuleResource),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn get_alert_rule(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Id(name): Id<String>,
) -> Result<Answer<RuleResource>, Problem> {
    let rules = alerts::list(&app.db, caller.tenant).await?;
    let rule = rules.iter().find(|rule| rule.name == name).ok_or_else(no_rule)?;
    Ok(Answer(RuleResource::of(rule)?))
}

/// Remove a rule for alerts.
///
/// What it found is over then.
#[utoipa::path(
    delete, path = "/v1/alert-rules/{name}", tag = "Alerts", operation_id = "remove_alert_rule",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "Nobody is told of it any more"),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["queue:operate"])),
)]
pub(crate) async fn remove_alert_rule(
    State(app): State<AppState>,
    Operator(caller): Operator,
    Id(name): Id<String>,
) -> Result<StatusCode, Problem> {
    if !alerts::remove(&app.db, caller.tenant, &name).await? {
        return Err(no_rule());
    }
    Ok(StatusCode::NO_CONTENT)
}

fn no_rule() -> Problem {
    Problem::not_found("rule for alerts")
}

/// Something that was wrong for long enough.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertResource {
    /// Which it is.
    #[schema(value_type = String, example = "alt_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: AlertId,
    /// The rule that found it.
    rule: String,
    /// What the rule looked at then.
    measure: String,
    /// Of which queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// Of which kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// From which number on it was wrong.
    threshold: i32,
    /// What was measured when it fired.
    value: i64,
    /// The worst since.
    worst: i64,
    /// Parties who are told.
    #[schema(value_type = Vec<String>)]
    recipients: Vec<PartyId>,
    /// When it fired.
    fired_at: DateTime<Utc>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<DateTime<Utc>>,
}

impl AlertResource {
    fn of(alert: Alert) -> Self {
        Self {
            id: alert.id(),
            recipients: alert.recipients(),
            rule: alert.rule,
            measure: alert.measure,
            queue: alert.queue,
            kind: alert.kind,
            threshold: alert.threshold,
            value: alert.value,
            worst: alert.worst,
            fired_at: alert.fired_at,
            resolved_at: alert.resolved_at,
        }
    }
}

/// A page of alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertPage {
    /// The alerts.
    alerts: Vec<AlertResource>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
}

/// List alerts, newest first.
#[utoipa::path(
    get, path = "/v1/alerts", tag = "Alerts", operation_id = "list_alerts", params(PageParams),
    responses(
        (status = 200, description = "A page", body = AlertPage),
        (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["jobs:read"])),
)]
pub(crate) async fn list_alerts(
    State(app): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PageParams>,
) -> Result<Response, Problem> {
    let paging = Paging::of(&params, |id: AlertId| id.as_uuid())?;
    let found = alerts::alerts(&app.db, caller.tenant, paging.before, paging.most()).await?;
    let page = |found: Vec<Alert>, next| {
        Ok(AlertPage { alerts: found.into_iter().map(AlertResource::of).collect(), next })
    };
    paging.answer("/v1/alerts", found, |alert| alert.id().to_string(), page)
}
