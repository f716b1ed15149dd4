//! `api pause`: pauses that hold for every tenant.

use chrono::{TimeDelta, Utc};
use store::pauses::{self, Scope};

use super::{owner, say};
use crate::config::{PauseArgs, PauseCommand};

pub(crate) async fn run(args: &PauseArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    match &args.command {
        PauseCommand::Create { queue, kind, reason, owner, minutes } => {
            let scope = Scope { queue: *queue, kind: kind.clone() };
            let expires_at = minutes.map(|minutes| Utc::now() + TimeDelta::minutes(i64::from(minutes)));
            let id = pauses::pause(&db, None, &scope, reason, owner, expires_at).await?;
            say(&id.to_string())?;
        }
        PauseCommand::List => {
            for pause in pauses::list_for_all(&db).await? {
                let all = || "all".to_owned();
                let (queue, kind) =
                    (pause.queue.clone().unwrap_or_else(all), pause.kind.clone().unwrap_or_else(all));
                let until = pause.expires_at.map_or("resumed".to_owned(), |at| at.to_rfc3339());
                let (id, owner, reason) = (pause.id(), &pause.paused_by, &pause.reason);
                say(&format!("{id}\tqueue={queue}\tkind={kind}\tuntil {until}\t{owner}\t{reason}"))?;
            }
        }
        PauseCommand::Resume { id } => {
            anyhow::ensure!(
                pauses::resume_for_all(&db, *id).await?,
                "there is no such pause for every tenant"
            );
            say("Resumed.")?;
        }
    }
    db.close().await;
    Ok(())
}
