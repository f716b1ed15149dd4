//! `api limit`: limits that count every tenant's jobs together.

use store::limits::{self, Algorithm, Limit, Rate};

use super::{BY, owner, say};
use crate::config::{LimitArgs, LimitCommand};

pub(crate) async fn run(args: &LimitArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    match &args.command {
        LimitCommand::Set { name, queue, kind, key, concurrency, rate, period_s, window } => {
            let algorithm = if *window { Algorithm::Window } else { Algorithm::Bucket };
            let limit = Limit {
                name: name.clone(),
                queue: queue.map(|queue| queue.name().to_owned()),
                kind: kind.clone(),
                key: key.clone(),
                concurrency: *concurrency,
                rate: rate.zip(*period_s).map(|(count, period_s)| Rate {
                    algorithm,
                    count,
                    period_s,
                    burst: count,
                }),
            };
            limits::set_for_all(&db, &limit, BY).await?;
            say(&format!("{name} holds from the next claim on"))?;
        }
        LimitCommand::List => {
            for standing in limits::list_for_all(&db).await? {
                say(&line(&standing.limit))?;
            }
        }
        LimitCommand::Remove { name } => {
            let removed = limits::remove_for_all(&db, name).await?;
            anyhow::ensure!(removed, "there is no limit {name} on every tenant together");
            say(&format!("{name} is removed"))?;
        }
    }
    db.close().await;
    Ok(())
}

fn line(limit: &Limit) -> String {
    let part =
        |name: &str, value: Option<&str>| value.map(|value| format!("\t{name}={value}")).unwrap_or_default();
    let mut line = limit.name.clone();
    line += &part("queue", limit.queue.as_deref());
    line += &part("kind", limit.kind.as_deref());
    line += &part("key", limit.key.as_deref());
    line += &part("concurrency", limit.concurrency.map(|most| most.to_string()).as_deref());
    let rate = limit.rate.map(|rate| format!("{}/{}s {}", rate.count, rate.period_s, rate.algorithm.name()));
    line += &part("rate", rate.as_deref());
    line
}
