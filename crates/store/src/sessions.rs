//! Signing in, and who a session belongs to.

use std::time::Duration;

use jobs::{TenantId, UserId};
use sqlx::{FromRow, postgres::types::PgInterval};
use uuid::Uuid;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
    second_factor::Kept,
    users::UserRole,
};

/// Somebody who has yet to prove who they are.
#[derive(Debug, Clone)]
pub struct Claimant {
    id: UserId,
    /// What their password has to fit.
    pub password_hash: String,
    /// What their code has to be made from.
    pub totp_secret: Option<Vec<u8>>,
    /// Whether they signed in lately from this browser.
    pub knows_browser: bool,
}

impl Claimant {
    /// Who they say they are.
    pub fn id(&self) -> UserId {
        self.id
    }
}

/// The same, as rows have it.
#[derive(FromRow)]
struct Row {
    id: Uuid,
    password_hash: String,
    #[sqlx(flatten)]
    totp: Kept,
    knows_browser: bool,
}

/// Whom this address belongs to. `token_sha256` is of what their browser kept of an earlier session.
pub async fn claimant(
    db: &Db,
    email: &str,
    token_sha256: Option<[u8; 32]>,
) -> Result<Option<Claimant>, StoreError> {
    let find = "select id, password_hash, totp_secret, totp_master, knows_browser from find_claimant($1, $2)";
    let found: Option<Row> = sqlx::query_as(find)
        .bind(email)
        .bind(token_sha256.map(Vec::from))
        .fetch_optional(db.pool())
        .await
        .or_failed("find a user")?;
    let Some(Row { id, password_hash, totp, knows_browser }) = found else { return Ok(None) };
    let id = UserId::from_uuid(id);
    let totp_secret = totp.open(db, id)?;
    Ok(Some(Claimant { id, password_hash, totp_secret, knows_browser }))
}

/// Counts a try under each key; whether all of them had few enough within `span`.
pub async fn count_try(db: &Db, keys: &[([u8; 32], i32)], span: Duration) -> Result<bool, StoreError> {
    sqlx::query_scalar("select count_sign_in($1, $2, $3)")
        .bind(keys.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, most)| *most).collect::<Vec<_>>())
        .bind(interval(span))
        .fetch_one(db.pool())
        .await
        .or_failed("count a try to sign in")
}

/// A session that is about to begin.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Whose.
    pub user: UserId,
    /// The hash of the password that they proved to know.
    pub password_hash: &'a str,
    /// SHA-256 of what the browser keeps.
    pub token_sha256: [u8; 32],
    /// The time step of the code they gave; 0 when none is asked for.
    pub totp_step: i64,
    /// How long it holds.
    pub lasts: Duration,
    /// The tries that are forgotten with it.
    pub tried: &'a [[u8; 32]],
}

/// Begins a session; false when that code was taken before, or what has to be proved was changed meanwhile.
pub async fn begin(db: &Db, new: &NewSession<'_>) -> Result<bool, StoreError> {
    sqlx::query_scalar("select begin_session($1, $2, $3, $4, $5, $6)")
        .bind(new.user.as_uuid())
        .bind(new.password_hash)
        .bind(new.token_sha256.as_slice())
        .bind(new.totp_step)
        .bind(interval(new.lasts))
        .bind(new.tried.iter().map(|key| key.to_vec()).collect::<Vec<_>>())
        .fetch_one(db.pool())
        .await
        .or_failed("begin a session")
}

/// Ends a session. Its browser stays known.
pub async fn end(db: &Db, token_sha256: [u8; 32]) -> Result<(), StoreError> {
    sqlx::query("select end_session($1)")
        .bind(token_sha256.as_slice())
        .execute(db.pool())
        .await
        .or_failed("end a session")?;
    Ok(())
}

/// A tenant as people name it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which.
    pub id: TenantId,
    /// Its short name.
    pub slug: String,
    /// Its long name.
    pub name: String,
}

/// Who asks, and what they may do where they ask for.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// What they sign in with.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The tenant they ask for, if there is one called so: even if they may do nothing there.
    pub tenant: Option<Place>,
    /// What they are there, or without a tenant in the whole installation.
    pub role: Option<UserRole>,
    /// Whether they may see payloads there.
    pub sees_payloads: bool,
    /// Whether they may see what of them is private.
    pub sees_private: bool,
}

#[derive(FromRow)]
struct SessionRow {
    user_id: Uuid,
    email: String,
    name: String,
    tenant_id: Option<Uuid>,
    tenant_slug: Option<String>,
    tenant_name: Option<String>,
    roles: Vec<String>,
    sees_payloads: bool,
    sees_private: bool,
}

/// Whose session this is, and what they may do with the tenant called `slug`.
pub async fn find(
    db: &Db,
    token_sha256: [u8; 32],
    slug: Option<&str>,
) -> Result<Option<Session>, StoreError> {
    let row: Option<SessionRow> = sqlx::query_as("select * from find_session($1, $2)")
        .bind(token_sha256.as_slice())
        .bind(slug)
        .fetch_optional(db.pool())
        .await
        .or_failed("find a session")?;
    let Some(row) = row else { return Ok(None) };
    let roles = row.roles.iter().map(|word| UserRole::of(word)).collect::<Result<Vec<_>, _>>()?;
    let tenant = match (row.tenant_id, row.tenant_slug, row.tenant_name) {
        (Some(id), Some(slug), Some(name)) => Some(Place { id: TenantId::from_uuid(id), slug, name }),
        _ => None,
    };
    Ok(Some(Session {
        user: UserId::from_uuid(row.user_id),
        email: row.email,
        name: row.name,
        tenant,
        role: roles.into_iter().max(),
        sees_payloads: row.sees_payloads,
        sees_private: row.sees_private,
    }))
}

/// The tenants of which somebody may see something, by short name; up to 1,000.
pub async fn tenants_of(db: &Db, user: UserId) -> Result<Vec<Place>, StoreError> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as("select id, slug, name from tenants_of_user($1)")
        .bind(user.as_uuid())
        .fetch_all(db.pool())
        .await
        .or_failed("list the tenants of a user")?;
    let place = |(id, slug, name)| Place { id: TenantId::from_uuid(id), slug, name };
    Ok(rows.into_iter().map(place).collect())
}

pub(crate) fn interval(span: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(span.as_micros()).unwrap_or(i64::MAX) }
}
