//! What an action changes, as it stands: written down before it and after it.

use jobs::{JobId, TenantId};
use serde_json::{Value, json};
use store::{
    alerts, brands,
    bulk::{self, OperationState},
    dead_letters, inbox, limits, matches, media, messages, notification_templates, outbox, pauses, reads,
    retention, schedules,
    workflows::{self, WorkflowState},
};

use super::errors;
use crate::{AppState, limits::MATCH_PRESETS_MAX, problem::Problem, routes::error_steer::told};

/// What an action changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The job that the path names.
    Job,
    /// The workflow that the path names.
    Workflow,
    /// The pauses of the tenant.
    Pauses,
    /// The limits of the tenant, or the one that the path names.
    Limits,
    /// The rules for alerts of the tenant, or the one that the path names.
    AlertRules,
    /// The schedule that the path names.
    Schedule,
    /// The bulk operation that the path names.
    Bulk,
    /// The message that the path names.
    Message,
    /// The file that the path names.
    Asset,
    /// The group of errors that the path names.
    ErrorGroup,
    /// Who looks after the dead letters of which kind, or of the one that the path names.
    Care,
    /// For how long history is kept.
    Retention,
    /// The mark of the tenant.
    Brand,
    /// The template of messages that the path names.
    Template,
    /// The rules for matching that the path names.
    MatchPreset,
    /// The sender of webhooks that the path names.
    WebhookSource,
    /// What the events of the sender that the path names become.
    WebhookRules,
    /// The event that the path names.
    WebhookEvent,
    /// The endpoint that the path names.
    WebhookEndpoint,
    /// The delivery that the path names.
    WebhookDelivery,
    /// Something new, which the form describes.
    New,
}

impl Subject {
    /// How it stands; null when it is not there.
    pub(crate) async fn look(
        self,
        app: &AppState,
        tenant: Option<TenantId>,
        param: &impl Fn(&str) -> Option<String>,
    ) -> Result<Value, Problem> {
        let Some(tenant) = tenant else { return Ok(Value::Null) };
        let id = param("id").unwrap_or_default();
        let name = param("name").or_else(|| param("kind"));
        let is_meant = |called: &str| name.as_deref().is_none_or(|name| name == called);
        let seen = match self {
            Self::New => None,
            Self::Job => job(app, tenant, &id).await?,
            Self::Workflow => workflow(app, tenant, &id).await?,
            Self::Pauses => Some(pauses::list(&app.db, tenant).await?.iter().map(pause).collect()),
            Self::Limits => {
                let standing = limits::list(&app.db, tenant).await?.0;
                Some(standing.iter().filter(|of| is_meant(&of.limit.name)).map(limit).collect())
            }
            Self::AlertRules => {
                let rules = alerts::list(&app.db, tenant).await?;
                Some(rules.iter().filter(|of| is_meant(&of.name)).map(rule).collect())
            }
            Self::Care => {
                let kinds = dead_letters::list(&app.db, tenant).await?;
                Some(kinds.iter().filter(|of| is_meant(&of.kind)).filter_map(care).collect())
            }
            Self::Schedule => schedule(app, tenant, &id).await?,
            Self::Message => message(app, tenant, &id).await?,
            Self::Asset => asset(app, tenant, &id).await?,
            Self::ErrorGroup => errors::find(app, tenant, &id).await?.as_ref().map(told),
            Self::Bulk => operation(app, tenant, &id).await?,
            Self::Retention => {
                let rules = retention::of_tenant(&app.db, tenant).await?;
                Some(json!({ "days": rules.days, "kinds": rules.kinds }))
            }
            Self::Brand => brands::brand(&app.db, tenant).await?.as_ref().map(brand),
            Self::Template => {
                template(
                    app,
                    tenant,
                    name.as_deref().unwrap_or_default(),
                    param("locale").unwrap_or_default(),
                )
                .await?
            }
            Self::MatchPreset => {
                let presets = matches::presets(&app.db, tenant, MATCH_PRESETS_MAX).await?;
                Some(presets.iter().filter(|of| is_meant(&of.name)).map(preset).collect())
            }
            Self::WebhookSource => source(app, tenant, &id).await?,
            Self::WebhookRules => rules_of(app, tenant, &id).await?,
            Self::WebhookEvent => event(app, tenant, &id, &param("event").unwrap_or_default()).await?,
            Self::WebhookEndpoint => endpoint(app, tenant, &id).await?,
            Self::WebhookDelivery => {
                delivery(app, tenant, &id, &param("delivery").unwrap_or_default()).await?
            }
        };
        Ok(seen.unwrap_or_default())
    }
}

type Seen = Result<Option<Value>, Problem>;

async fn job(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse::<JobId>() else { return Ok(None) };
    Ok(reads::get(&app.db, tenant, id).await?.map(|job| {
        json!({
            "state": job.state().map(jobs::State::name).unwrap_or_default(), "attempt": job.attempt,
            "priority": job.priority, "cancel_requested_at": job.cancel_requested_at,
        })
    }))
}

async fn workflow(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(workflows::get(&app.db, tenant, id).await?.map(|(workflow, _)| {
        json!({
            "name": workflow.name, "state": workflow.state().map(WorkflowState::name).unwrap_or_default(),
            "cancel_requested_at": workflow.cancel_requested_at,
        })
    }))
}

async fn schedule(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(schedules::get(&app.db, tenant, id).await?.map(|schedule| {
        json!({
            "name": schedule.name, "cron": schedule.cron, "timezone": schedule.timezone, "kind": schedule.kind,
            "version": schedule.version, "paused_at": schedule.paused_at, "reason": schedule.pause_reason,
            "last_fire_at": schedule.last_fire_at,
        })
    }))
}

async fn message(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    let message = messages::message(&app.db, tenant, id).await?;
    Ok(message.map(|message| json!({ "state": message.state, "template": message.template })))
}

fn brand(brand: &brands::Brand) -> Value {
    json!({
        "asset": brand.asset(), "corner": brand.corner, "width_percent": brand.width_percent,
        "opacity_percent": brand.opacity_percent,
    })
}

async fn template(app: &AppState, tenant: TenantId, name: &str, locale: String) -> Seen {
    if name.contains('\0') || locale.contains('\0') {
        return Ok(None);
    }
    let latest = notification_templates::latest(&app.db, tenant, name, &[locale]).await?;
    Ok(latest.map(|latest| json!({ "version": latest.version })))
}

fn preset(preset: &matches::Preset) -> Value {
    json!({ "name": preset.name, "version": preset.version, "terms": preset.terms })
}

async fn asset(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(match media::asset(&app.db, tenant, id).await? {
        Some(asset) => Some(json!({
            "state": asset.state()?, "finding": asset.finding, "released_because": asset.released_because,
            "license": asset.terms.license, "retain_until": asset.terms.retain_until, "delete_at": asset.terms.delete_at,
        })),
        None => None,
    })
}

async fn operation(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(bulk::get(&app.db, tenant, id).await?.map(|operation| {
        json!({
            "state": operation.state().map(OperationState::name).unwrap_or_default(),
            "processed": operation.processed, "changed": operation.changed, "requested_by": operation.requested_by,
            "taken_on_by": operation.taken_on_by, "confirmed_by": operation.confirmed_by,
        })
    }))
}

async fn source(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(inbox::get(&app.db, tenant, id).await?.map(|source| {
        json!({
            "name": source.name, "scheme": source.scheme.0, "window_s": source.window_s, "feedback": source.feedback,
            "previous_secret_until": source.previous_until, "disabled_at": source.disabled_at,
        })
    }))
}

async fn rules_of(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    let rules = inbox::rules(&app.db, tenant, id).await?;
    Ok(Some(rules.iter().map(|rule| json!({ "id": rule.id(), "rule": rule.rule.0 })).collect()))
}

async fn event(app: &AppState, tenant: TenantId, source: &str, id: &str) -> Seen {
    let Some((source, id)) = source.parse().ok().zip(id.parse().ok()) else { return Ok(None) };
    Ok(inbox::event(&app.db, tenant, source, id).await?.map(
        |(event, _)| json!({ "type": event.event_type, "state": event.state, "replays": event.replays }),
    ))
}

async fn endpoint(app: &AppState, tenant: TenantId, id: &str) -> Seen {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(outbox::get(&app.db, tenant, id).await?.map(|endpoint| {
        json!({
            "url": endpoint.url, "event_types": endpoint.event_types, "previous_secret_until": endpoint.previous_until,
            "disabled_at": endpoint.disabled_at, "reason": endpoint.disabled_reason,
        })
    }))
}

async fn delivery(app: &AppState, tenant: TenantId, endpoint: &str, id: &str) -> Seen {
    let Some((endpoint, id)) = endpoint.parse().ok().zip(id.parse().ok()) else { return Ok(None) };
    Ok(outbox::delivery(&app.db, tenant, endpoint, id).await?.map(|delivery| {
        json!({ "type": delivery.event_type, "state": delivery.state, "attempts": delivery.attempts })
    }))
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
        "rate": limit.rate.as_ref().map(|rate| json!({ "count": rate.count, "period_s": rate.period_s, "burst": rate.burst })),
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
