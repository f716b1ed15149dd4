//! What an action changes, as it stands: written down before it and after it.

use jobs::{JobId, TenantId};
use serde_json::{Value, json};
use store::{
    alerts,
    bulk::{self, OperationState},
    dead_letters, limits, messages, pauses, reads, schedules,
};

use super::errors;
use crate::{AppState, problem::Problem, routes::error_steer::told};

/// What an action changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The job that the path names.
    Job,
    /// The pauses of the tenant.
    Pauses,
    /// The limits of the tenant.
    Limits,
    /// The rules for alerts of the tenant.
    AlertRules,
    /// The schedule that the path names.
    Schedule,
    /// The bulk operation that the path names.
    Bulk,
    /// The message that the path names.
    Message,
    /// The group of errors that the path names.
    ErrorGroup,
    /// Who looks after the dead letters of which kind.
    Care,
    /// Something new, which the form describes.
    New,
}

impl Subject {
    /// How it stands; null when it is not there.
    pub(super) async fn look(
        self,
        app: &AppState,
        tenant: Option<TenantId>,
        param: &impl Fn(&str) -> Option<String>,
    ) -> Result<Value, Problem> {
        let Some(tenant) = tenant else { return Ok(Value::Null) };
        let id = param("id").unwrap_or_default();
        let seen = match self {
            Self::New => None,
            Self::Job => match id.parse::<JobId>() {
                Ok(id) => reads::get(&app.db, tenant, id).await?.map(|job| {
                    json!({
                        "state": job.state().map(jobs::State::name).unwrap_or_default(), "attempt": job.attempt,
                        "priority": job.priority, "cancel_requested_at": job.cancel_requested_at,
                    })
                }),
                Err(_) => None,
            },
            Self::Pauses => Some(pauses::list(&app.db, tenant).await?.iter().map(pause).collect()),
            Self::Limits => Some(limits::list(&app.db, tenant).await?.0.iter().map(limit).collect()),
            Self::AlertRules => Some(alerts::list(&app.db, tenant).await?.iter().map(rule).collect()),
            Self::Schedule => match id.parse() {
                Ok(id) => schedules::get(&app.db, tenant, id).await?.map(|schedule| {
                    json!({
                        "name": schedule.name, "paused_at": schedule.paused_at, "reason": schedule.pause_reason,
                        "last_fire_at": schedule.last_fire_at,
                    })
                }),
                Err(_) => None,
            },
            Self::Message => match id.parse() {
                Ok(id) => messages::message(&app.db, tenant, id)
                    .await?
                    .map(|message| json!({ "state": message.state, "template": message.template })),
                Err(_) => None,
            },
            Self::Care => Some(dead_letters::list(&app.db, tenant).await?.iter().filter_map(care).collect()),
            Self::ErrorGroup => errors::find(app, tenant, &id).await?.as_ref().map(told),
            Self::Bulk => match id.parse() {
                Ok(id) => bulk::get(&app.db, tenant, id).await?.map(|operation| {
                    json!({
                        "state": operation.state().map(OperationState::name).unwrap_or_default(),
                        "processed": operation.processed, "changed": operation.changed, "requested_by": operation.requested_by,
                        "taken_on_by": operation.taken_on_by, "confirmed_by": operation.confirmed_by,
                    })
                }),
                Err(_) => None,
            },
        };
        Ok(seen.unwrap_or_default())
    }
}

fn pause(pause: &pauses::Pause) -> Value {
    json!({
        "id": pause.id(), "queue": pause.queue, "kind": pause.kind, "reason": pause.reason, "by": pause.paused_by,
        "until": pause.expires_at,
    })
}

fn limit(standing: &limits::Standing) -> Value {
    let limit = &standing.limit;
    json!({
        "name": limit.name, "queue": limit.queue, "kind": limit.kind, "key": limit.key, "concurrency": limit.concurrency,
    })
}

fn care(of: &dead_letters::DeadLetters) -> Option<Value> {
    let (by, _) = of.said()?;
    Some(json!({
        "kind": of.kind, "owner": of.care.owner, "runbook": of.care.runbook, "look_after_s": of.care.look_after_s, "by": by,
    }))
}

fn rule(rule: &alerts::Rule) -> Value {
    json!({
        "name": rule.name, "measure": rule.measure().ok(), "queue": rule.queue, "kind": rule.kind,
        "threshold": rule.threshold, "recipients": rule.recipients(), "by": rule.updated_by,
    })
}
