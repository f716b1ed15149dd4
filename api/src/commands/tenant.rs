//! `api tenant`.

use anyhow::Context;
use store::sealing::{self, Rewrapped};

use super::{owner, say};
use crate::config::{TenantArgs, TenantCommand};

/// The least and the greatest weight of a tenant.
const WEIGHTS: (f32, f32) = (0.01, 100.0);

pub(crate) async fn run(args: &TenantArgs) -> anyhow::Result<()> {
    let db = args.masters.give(owner(&args.database)?)?;
    match &args.command {
        TenantCommand::Create { slug, name } => {
            check(slug)?;
            let id = store::keys::create_tenant(&db, slug, name.as_deref().unwrap_or(slug)).await?;
            say(&id.to_string())?;
        }
        TenantCommand::Weigh { slug, queue, weight } => {
            let (least, most) = WEIGHTS;
            anyhow::ensure!((least..=most).contains(weight), "a weight is {least} to {most}");
            let tenant = store::keys::tenant_by_slug(&db, slug).await?;
            store::limits::weigh(&db, tenant, *queue, *weight).await?;
            say(&format!("{slug} has the weight {weight} in the queue {queue}"))?;
        }
        TenantCommand::Encrypt { slug } => {
            let tenant = store::keys::tenant_by_slug(&db, slug).await?;
            let is_new = sealing::encrypt(&db, tenant).await?;
            anyhow::ensure!(
                is_new,
                "{slug} is encrypted already; `api tenant rotate {slug}` changes its keys"
            );
            say(&format!("{slug} is encrypted: everywhere within 10 s, and what waits by and by"))?;
        }
        TenantCommand::Rotate { slug: Some(slug), .. } => {
            let tenant = store::keys::tenant_by_slug(&db, slug).await?;
            let rotated = sealing::rotate(&db, tenant).await?;
            let hint = || format!("{slug} is not encrypted; `api tenant encrypt {slug}` begins it");
            say(&rotation(slug, &rotated.with_context(hint)?))?;
        }
        TenantCommand::Rotate { slug: None, .. } => {
            for tenant in store::keys::tenants(&db).await? {
                if let Some(rotated) = sealing::rotate(&db, tenant.id()).await? {
                    say(&rotation(&tenant.slug, &rotated))?;
                }
            }
            say(&format!("{} secrets were sealed anew", sealing::reseal(&db).await?))?;
        }
        TenantCommand::List => {
            for tenant in store::keys::tenants(&db).await? {
                say(&format!("{}\t{}\t{}", tenant.id(), tenant.slug, tenant.name))?;
            }
        }
    }
    db.close().await;
    Ok(())
}

fn rotation(slug: &str, rotated: &Rewrapped) -> String {
    let Rewrapped { newest, rewrapped } = rotated;
    format!("{slug} seals with data key {newest} from now on; {rewrapped} older keys were wrapped anew")
}

fn check(slug: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        api::is_slug(slug),
        "{slug:?} cannot be a tenant's short name: 1 to 63 of a-z, 0-9 and -, not beginning with -"
    );
    Ok(())
}
