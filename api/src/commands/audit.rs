//! `api audit`: whether the log of what people did is whole.

use jobs::TenantId;
use store::{
    Db,
    audit::{self, Verified},
    keys,
};

use super::{owner, say};
use crate::config::people::{AuditArgs, AuditCommand};

pub(crate) async fn run(args: &AuditArgs) -> anyhow::Result<()> {
    let db = owner(&args.database)?;
    let AuditCommand::Verify { tenant } = &args.command;
    let chains: Vec<(String, Option<TenantId>)> = if let Some(slug) = tenant {
        vec![(slug.clone(), Some(keys::tenant_by_slug(&db, slug).await?))]
    } else {
        let tenants = keys::tenants(&db).await?;
        let of_tenants = tenants.into_iter().map(|tenant| (tenant.slug.clone(), Some(tenant.id())));
        std::iter::once(("*".to_owned(), None)).chain(of_tenants).collect()
    };
    let mut broken = 0;
    for (name, tenant) in &chains {
        broken += usize::from(!verify(&db, name, *tenant).await?);
    }
    db.close().await;
    anyhow::ensure!(broken == 0, "{broken} of {} chains are broken", chains.len());
    Ok(())
}

async fn verify(db: &Db, name: &str, tenant: Option<TenantId>) -> anyhow::Result<bool> {
    match audit::verify(db, tenant).await? {
        Verified::Whole { entries, hash } => {
            let hash = if hash.is_empty() { "-".to_owned() } else { hex::encode(hash) };
            say(&format!("{name}\twhole\t{entries}\t{hash}"))?;
            Ok(true)
        }
        Verified::Broken { seq } => {
            say(&format!("{name}\tbroken at entry {seq}"))?;
            Ok(false)
        }
    }
}
