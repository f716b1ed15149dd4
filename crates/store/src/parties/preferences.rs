//! Which channels a party wants for what.

use jobs::{Category, Channel, PartyId, TenantId};
use sqlx::FromRow;

use crate::{
    db::{Db, commit},
    error::{OrFailed, StoreError},
};

/// The channels a party wants for a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// For what.
    pub category: Category,
    /// Where to; none of them for not at all.
    pub channels: Vec<Channel>,
}

#[derive(FromRow)]
struct Row {
    category: String,
    channels: Vec<String>,
}

impl Row {
    fn read(self) -> Result<Preference, StoreError> {
        let unreadable =
            |found: &str| StoreError::Unreadable { table: "preference", found: found.to_owned() };
        let channel = |word: &String| word.parse().map_err(|_| unreadable(word));
        Ok(Preference {
            category: self.category.parse().map_err(|_| unreadable(&self.category))?,
            channels: self.channels.iter().map(channel).collect::<Result<_, _>>()?,
        })
    }
}

/// What `party` chose.
///
/// # Errors
/// When the database fails.
pub async fn preferences(db: &Db, tenant: TenantId, party: PartyId) -> Result<Vec<Preference>, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select category, channels from preference where tenant_id = $1 and party_id = $2 order by category",
    )
    .bind(tenant.as_uuid())
    .bind(party.as_uuid())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read preferences")?;
    rows.into_iter().map(Row::read).collect()
}

/// Has `party` choose these, in place of what they chose before. False when this tenant has no such party.
///
/// # Errors
/// When the database fails.
pub async fn set_preferences(
    db: &Db,
    tenant: TenantId,
    party: PartyId,
    wanted: &[Preference],
) -> Result<bool, StoreError> {
    let mut tx = db.tenant(tenant).await?;
    let found: Option<i32> =
        sqlx::query_scalar("select 1 from party where tenant_id = $1 and id = $2 for update")
            .bind(tenant.as_uuid())
            .bind(party.as_uuid())
            .fetch_optional(&mut *tx)
            .await
            .or_failed("find a party")?;
    if found.is_none() {
        return Ok(false);
    }
    sqlx::query("delete from preference where tenant_id = $1 and party_id = $2")
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .execute(&mut *tx)
        .await
        .or_failed("forget preferences")?;
    for preference in wanted {
        let channels: Vec<&str> = preference.channels.iter().map(|channel| channel.name()).collect();
        sqlx::query(
            "insert into preference (tenant_id, party_id, category, channels) values ($1, $2, $3, $4)",
        )
        .bind(tenant.as_uuid())
        .bind(party.as_uuid())
        .bind(preference.category.name())
        .bind(channels)
        .execute(&mut *tx)
        .await
        .or_failed("note a preference")?;
    }
    commit(tx, "note preferences").await?;
    Ok(true)
}
