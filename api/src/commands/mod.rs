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

use jobs::TenantId;
use serde_json::{Value, json};
use settings::DatabaseArgs;
use store::{Db, Role, Tx};

/// Who did it, in the log.
const BY: &str = "the command line";

/// The database as whoever logged in, who owns it: migrations, tenants and keys.
pub(crate) fn owner(database: &DatabaseArgs) -> Result<Db, store::StoreError> {
    Db::connect(&database.options(Role::Owner))
}

/// Does `act` and writes it down as `said`, in the chain of whom it concerns: both or neither.
async fn change<T>(
    db: &Db,
    tenant: Option<TenantId>,
    said: &Value,
    act: impl AsyncFnOnce(&mut Tx) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let both = async |tx: &mut Tx| {
        let done = act(tx).await?;
        store::audit::note(tx, said).await?;
        anyhow::Ok(done)
    };
    db.transact(tenant, both).await
}

/// What is written down of something that was done here.
fn note(action: &str, target: &str, after: &Value) -> Value {
    json!({ "by": BY, "action": action, "target": target, "after": after, "outcome": "done" })
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
