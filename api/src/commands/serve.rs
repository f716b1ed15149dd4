//! `api serve`.

use anyhow::Context;
use api::AppState;
use blob::Blobs;
use store::{Db, Role};
use tokio::net::TcpListener;

use super::stop_signal;
use crate::config::ServeArgs;

pub(crate) async fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(&args.log.options("api"))?;
    let metrics = telemetry::metrics::install_prometheus()?;
    let db = args.masters.give(Db::connect(&args.database.options(Role::Api))?)?;
    settings::check_keys(&db).await?;
    let blobs = Blobs::connect(&args.s3.options())?;
    let settings = args.http.settings(&args.webhooks, &args.oidc);
    let app = AppState::new(db.clone(), blobs, settings, Some(metrics));
    let listen = args.http.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
    api::serve(listener, app, stop_signal()).await?;
    db.close().await;
    Ok(())
}
