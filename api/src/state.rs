//! What every request may use. Built once, by hand, before the first request.

use std::{ops::Deref, sync::Arc};

use ::jobs::{ApiKeyId, TenantId, UserId, WebhookSourceId};
use blob::Blobs;
use store::Db;
use telemetry::metrics::PrometheusHandle;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Keys,
    certificates::Certificates,
    hub::{Hub, Streams},
    idempotency::InFlight,
    intake::Intake,
    limits::{
        BATCHES_MAX, COMPLETING_MAX, LARGE_READS_MAX, OPS_REFUSALS_MAX, OPS_REQUESTS_MAX, OPS_STREAMS_MAX,
        OPS_WINDOW_S, PASSWORDS_AT_ONCE_MAX, Settings, WEBHOOKS_WINDOW_S,
    },
    ops::Issuer,
    rate::Rates,
    routes::health::Ready,
};

/// Handles to everything outside a request. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<App>);

/// What [`AppState`] points to.
pub struct App {
    pub(crate) db: Db,
    pub(crate) blobs: Blobs,
    pub(crate) settings: Settings,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) keys: Keys,
    pub(crate) rates: Rates<TenantId>,
    pub(crate) hooks: Rates<WebhookSourceId>,
    pub(crate) people: Rates<UserId>,
    pub(crate) refusals: Rates<UserId>,
    pub(crate) key_refusals: Rates<ApiKeyId>,
    pub(crate) passwords: Arc<Semaphore>,
    pub(crate) issuer: Option<Issuer>,
    pub(crate) intake: Intake,
    pub(crate) in_flight: InFlight,
    pub(crate) hub: Hub,
    pub(crate) streams: Streams<TenantId>,
    pub(crate) pages: Streams<UserId>,
    pub(crate) ready: Mutex<Option<Ready>>,
    pub(crate) batches: Arc<Semaphore>,
    pub(crate) completing: Semaphore,
    pub(crate) large_reads: Semaphore,
    pub(crate) certificates: Certificates,
    pub(crate) stopping: CancellationToken,
}

impl AppState {
    /// The state of one server. `db` acts under [`store::Role::Api`]; without `metrics`, `/metrics` does not exist.
    pub fn new(db: Db, blobs: Blobs, settings: Settings, metrics: Option<PrometheusHandle>) -> Self {
        Self(Arc::new(App {
            keys: Keys::new(db.clone()),
            rates: Rates::new(settings.requests_max, settings.requests_window_s),
            hooks: Rates::new(settings.webhooks_per_source_max, WEBHOOKS_WINDOW_S),
            people: Rates::new(OPS_REQUESTS_MAX, OPS_WINDOW_S),
            refusals: Rates::new(OPS_REFUSALS_MAX, OPS_WINDOW_S),
            key_refusals: Rates::new(OPS_REFUSALS_MAX, OPS_WINDOW_S),
            issuer: settings.oidc.clone().map(|oidc| Issuer::new(oidc, &settings.public_url)),
            passwords: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE_MAX)),
            intake: Intake::new(db.clone()),
            in_flight: InFlight::default(),
            hub: Hub::default(),
            streams: Streams::new(settings.streams_max),
            pages: Streams::new(OPS_STREAMS_MAX),
            ready: Mutex::new(None),
            batches: Arc::new(Semaphore::new(BATCHES_MAX)),
            completing: Semaphore::new(COMPLETING_MAX),
            large_reads: Semaphore::new(LARGE_READS_MAX),
            certificates: Certificates::default(),
            stopping: CancellationToken::new(),
            db,
            blobs,
            settings,
            metrics,
        }))
    }

    /// Takes `pem` for the certificate of Amazon's at `url`, as if it had been fetched now.
    pub fn know_certificate(&self, url: &str, pem: Vec<u8>) {
        self.certificates.know(url, pem);
    }
}

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}
