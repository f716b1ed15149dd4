//! What is asked for when somebody is to be told what happens, and how such an endpoint looks.

use ::jobs::WebhookEndpointId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::outbox::{Endpoint, NewEndpoint};
use utoipa::ToSchema;
use webhooks::{Glob, SigningKey};

use crate::{
    limits::{WEBHOOK_CONCURRENCY, WEBHOOK_CONCURRENCY_MAX, WEBHOOK_EVENT_TYPES_MAX},
    problem::{FieldError, Problem},
};

/// How messages are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signing {
    /// With a secret both sides know: HMAC-SHA256.
    #[default]
    V1,
    /// With a key pair of ours: Ed25519. What you hold cannot sign.
    V1a,
}

impl Signing {
    /// As messages are signed under `key`.
    pub(super) const fn of(key: &SigningKey) -> Self {
        match key {
            SigningKey::Shared(_) => Self::V1,
            SigningKey::Private(_) => Self::V1a,
        }
    }

    /// A fresh key.
    pub(super) fn key(self) -> Result<SigningKey, Problem> {
        match self {
            Self::V1 => SigningKey::shared(),
            Self::V1a => SigningKey::private(),
        }
        .map_err(Problem::internal)
    }
}

/// Somebody who is to be told what happens.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookEndpoint)]
pub(crate) struct EndpointBody {
    /// Where: `https://`, at a public address.
    #[schema(example = "https://example.com/hooks/crewline", max_length = 2000)]
    pub(super) url: String,
    /// Of what: up to 50 types; `*` stands for any characters. Everything unless given.
    #[serde(default)]
    #[schema(example = json!(["job.discarded", "delivery.*"]))]
    pub(super) event_types: Option<Vec<String>>,
    /// `v1` or `v1a`; `v1` unless given.
    #[serde(default)]
    pub(super) signing: Signing,
    /// Messages on their way to it at once; 4 unless given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    pub(super) concurrency: Option<u32>,
}

impl EndpointBody {
    pub(super) fn check(&self, loopback: bool, key: &SigningKey, by: String) -> Result<NewEndpoint, Problem> {
        let mut errors = Vec::new();
        if let Err(bad) = outbound::check(&self.url, loopback) {
            errors.push(FieldError::new("/url", bad.to_string()));
        }
        let event_types = self.event_types.clone().unwrap_or_else(|| vec!["*".to_owned()]);
        if !(1..=WEBHOOK_EVENT_TYPES_MAX).contains(&event_types.len()) {
            errors.push(FieldError::new(
                "/event_types",
                format!("1 to {WEBHOOK_EVENT_TYPES_MAX}, or left out"),
            ));
        }
        for (index, pattern) in event_types.iter().enumerate().take(WEBHOOK_EVENT_TYPES_MAX) {
            if !Glob::new(pattern.as_str()).is_valid() {
                let detail = "1 to 200 characters; * stands for any, ** does not exist";
                errors.push(FieldError::new(format!("/event_types/{index}"), detail));
            }
        }
        let concurrency = self.concurrency.unwrap_or(WEBHOOK_CONCURRENCY);
        if !(1..=WEBHOOK_CONCURRENCY_MAX).contains(&concurrency) {
            errors.push(FieldError::new("/concurrency", format!("1 to {WEBHOOK_CONCURRENCY_MAX}")));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let (id, url) = (WebhookEndpointId::new(), self.url.clone());
        Ok(NewEndpoint { id, url, event_types, key: key.text(), concurrency, by })
    }
}

/// Somebody who is told what happens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(crate) struct EndpointResource {
    /// Which it is.
    #[schema(value_type = String, example = "wep_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: WebhookEndpointId,
    /// Where.
    url: String,
    /// Of what.
    event_types: Vec<String>,
    /// `enabled` or `disabled`.
    state: &'static str,
    /// Why it is told nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// Since when nothing has got through to it. After five days it is told nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime<Utc>>,
    /// What to check signatures with: `whsec_…` or `whpk_…`. Shown when it is made and when it changes, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Until when messages are signed with the secret of before too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl EndpointResource {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id(),
            url: endpoint.url.clone(),
            event_types: endpoint.event_types.clone(),
            state: if endpoint.disabled_at.is_some() { "disabled" } else { "enabled" },
            disabled_reason: endpoint.disabled_reason.clone(),
            failing_since: endpoint.failing_since,
            secret: None,
            previous_secret_until: endpoint.previous_until.filter(|until| *until > Utc::now()),
            created_at: endpoint.created_at,
        }
    }

    pub(super) fn with_secret(endpoint: &Endpoint, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..Self::of(endpoint) }
    }
}
