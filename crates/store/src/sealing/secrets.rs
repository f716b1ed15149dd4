//! Secrets that open doors: of webhooks that come in and that go out, of calendars, and of people who sign in. They are sealed
//! under a master key whether or not their tenant's payloads are.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Place;
use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// Where secrets lie, and how what they belong to is called.
const HELD: [Held; 7] = [
    Held { table: "webhook_source", column: "secret", among: "true", owner: of_source },
    Held { table: "webhook_source", column: "previous", among: "true", owner: of_source },
    Held { table: "webhook_endpoint", column: "secret", among: "true", owner: of_endpoint },
    Held { table: "webhook_endpoint", column: "previous", among: "true", owner: of_endpoint },
    Held { table: "calendar_link", column: "access", among: "true", owner: of_calendar },
    Held { table: "calendar_farewell", column: "access", among: "true", owner: of_calendar },
    Held { table: "user_account", column: "totp_secret", among: "totp_master = '*'", owner: of_user },
];
/// Secrets sealed anew in one transaction.
const PAGE_MAX: i64 = 200;

struct Held {
    table: &'static str,
    column: &'static str,
    /// Rows that hold one: others have one in a form of before.
    among: &'static str,
    owner: fn(Uuid) -> String,
}

fn of_source(id: Uuid) -> String {
    jobs::WebhookSourceId::from_uuid(id).to_string()
}

fn of_endpoint(id: Uuid) -> String {
    jobs::WebhookEndpointId::from_uuid(id).to_string()
}

fn of_calendar(id: Uuid) -> String {
    jobs::CalendarLinkId::from_uuid(id).to_string()
}

fn of_user(id: Uuid) -> String {
    jobs::UserId::from_uuid(id).to_string()
}

impl Db {
    /// `secret` as the row of `owner` is to hold it.
    pub(crate) fn seal_secret(&self, owner: &str, secret: &str) -> Result<Vec<u8>, StoreError> {
        self.keyring().masters()?.seal_secret(&Place::of_secret(owner), secret.as_bytes())
    }

    /// The secret that the row of `owner` holds.
    pub(crate) fn open_secret(&self, owner: &str, sealed: &[u8]) -> Result<String, StoreError> {
        let plain = self.keyring().masters()?.open_secret(&Place::of_secret(owner), sealed)?;
        String::from_utf8(plain)
            .map_err(|_| StoreError::Undecipherable { what: format!("a secret of {owner}") })
    }
}

/// Seals under the present master key what is sealed under another; answers how many secrets. For the owner.
///
/// # Errors
/// When one of them needs a master key that this process was not given, or the database fails.
pub async fn reseal(db: &Db) -> Result<u64, StoreError> {
    let mut resealed = 0;
    for held in HELD {
        while let some @ 1.. = reseal_page(db, &held).await? {
            resealed += some;
        }
    }
    Ok(resealed)
}

async fn reseal_page(db: &Db, Held { table, column, among, owner }: &Held) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let select = format!(
        "select id, {column} from {table}
         where {among} and {column} <> '' and encode(substr({column}, 1, 8), 'hex') <> $1
         order by id limit $2 for update"
    );
    let stale: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(select))
        .bind(db.keyring().masters()?.id())
        .bind(PAGE_MAX)
        .fetch_all(&mut *tx)
        .await
        .or_failed("look for secrets under another master key")?;
    let mut anew = Vec::with_capacity(stale.len());
    for (id, sealed) in &stale {
        let owner = owner(*id);
        anew.push(db.seal_secret(&owner, &db.open_secret(&owner, sealed)?)?);
    }
    let update = format!(
        "update {table} set {column} = x.sealed from unnest($1::uuid[], $2::bytea[]) as x (id, sealed) where {table}.id = x.id"
    );
    let updated = sqlx::query(AssertSqlSafe(update))
        .bind(stale.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(anew)
        .execute(&mut *tx)
        .await
        .or_failed("seal secrets under another master key")?;
    crate::db::commit(tx, "seal secrets under another master key").await?;
    Ok(updated.rows_affected())
}
