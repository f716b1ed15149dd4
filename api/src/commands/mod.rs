//! The subcommands, one file each.

pub(crate) mod audit;
pub(crate) mod healthcheck;
pub(crate) mod key;
pub(crate) mod limit;
pub(crate) mod pause;
#[cfg(feature = "embedded-s3")]
pub(crate) mod s3;
pub(crate) mod serve;
pub(crate) mod tenant;
pub(crate) mod user;

use std::io::{self, Write};

use settings::DatabaseArgs;
use store::{Db, Role};

/// The database as whoever logged in, who owns it: migrations, tenants and keys.
pub(crate) fn owner(database: &DatabaseArgs) -> Result<Db, store::StoreError> {
    Db::connect(&database.options(Role::Owner))
}

/// Brings the schema up to date.
pub(crate) async fn migrate(database: &DatabaseArgs) -> anyhow::Result<()> {
    let db = owner(database)?;
    store::migrate(&db).await?;
    db.close().await;
    say("The schema is up to date.")
}

/// Prints the description of the API.
pub(crate) fn openapi() -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(&api::document())?)
}

/// Writes a line for the person, or the script, that called.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(())
}

/// Done when the process is asked to stop.
pub(crate) async fn stop_signal() {
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "Cannot hear SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = ctrl_c => {}
        () = terminate => {}
    }
}
