//! Who people are at an issuer outside, and their way there and back.

use std::time::Duration;

use jobs::UserId;
use serde_json::Value;

use crate::{
    audit,
    db::{Db, Tx, commit},
    error::{OrFailed, StoreError},
    sessions::interval,
};

/// Who somebody is at an issuer.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The issuer's address, as it spells it.
    pub issuer: &'a str,
    /// Its word for them.
    pub subject: &'a str,
}

/// What is known of somebody who came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trip {
    /// Where they go from here.
    pub next: String,
    /// Who they are at the issuer, once that is known.
    pub subject: Option<String>,
}

/// Writes down that a browser sets out under `key`; `lasts` is how long it may stay away.
pub async fn set_out(db: &Db, key: [u8; 32], trip: &Trip, lasts: Duration) -> Result<(), StoreError> {
    sqlx::query("select begin_trip($1, $2, $3, $4)")
        .bind(key.as_slice())
        .bind(&trip.next)
        .bind(&trip.subject)
        .bind(interval(lasts))
        .execute(db.pool())
        .await
        .or_failed("write down who is away")?;
    Ok(())
}

/// Ends the trip under `key`; none when nobody is away under it any more. Nobody comes back twice.
pub async fn come_back(db: &Db, key: [u8; 32]) -> Result<Option<Trip>, StoreError> {
    let found: Option<(String, Option<String>)> = sqlx::query_as("select next, subject from end_trip($1)")
        .bind(key.as_slice())
        .fetch_optional(db.pool())
        .await
        .or_failed("find who was away")?;
    Ok(found.map(|(next, subject)| Trip { next, subject }))
}

/// The address of whom an issuer calls so; none when nobody does who may sign in.
pub async fn email_of(db: &Db, identity: Identity<'_>) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("select find_identity($1, $2)")
        .bind(identity.issuer)
        .bind(identity.subject)
        .fetch_one(db.pool())
        .await
        .or_failed("find an identity")
}

/// Takes the issuer's word for whoever has this address; false when nobody has it, or they are somebody else there already.
pub async fn link(tx: &mut Tx, identity: Identity<'_>, email: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar("select link_identity($1, $2, $3)")
        .bind(identity.issuer)
        .bind(identity.subject)
        .bind(email)
        .fetch_one(&mut **tx)
        .await
        .or_failed("link an identity")
}

/// The same, written down as `said` if it is so: both or neither.
pub async fn adopt(db: &Db, identity: Identity<'_>, email: &str, said: &Value) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let is_linked = link(&mut tx, identity, email).await?;
    if is_linked {
        audit::note(&mut tx, said).await?;
        commit(tx, "link an identity").await?;
    }
    Ok(is_linked)
}

/// A session of somebody for whom an issuer speaks.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Whose.
    pub identity: Identity<'a>,
    /// SHA-256 of what the browser keeps.
    pub token_sha256: [u8; 32],
    /// The time step of the code they gave, 0 when they have no generator; none when no code is asked for.
    pub totp_step: Option<i64>,
    /// How long it holds.
    pub lasts: Duration,
    /// The tries that are forgotten with it.
    pub tried: &'a [[u8; 32]],
}

/// Begins a session; false when that code was taken before, or the identity is nobody's any more.
pub async fn begin(db: &Db, new: &NewSession<'_>) -> Result<bool, StoreError> {
    sqlx::query_scalar("select begin_session_of_identity($1, $2, $3, $4, $5, $6)")
        .bind(new.identity.issuer)
        .bind(new.identity.subject)
        .bind(new.token_sha256.as_slice())
        .bind(new.totp_step)
        .bind(interval(new.lasts))
        .bind(new.tried.iter().map(|key| key.to_vec()).collect::<Vec<_>>())
        .fetch_one(db.pool())
        .await
        .or_failed("begin a session of an identity")
}

/// Forgets who somebody is elsewhere; answers how many issuers knew them. Needs the owner's role.
pub async fn unlink(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    let gone = sqlx::query("delete from user_identity where user_id = $1")
        .bind(user.as_uuid())
        .execute(&mut **tx)
        .await
        .or_failed("forget identities")?;
    crate::users::sign_out(tx, user).await?;
    Ok(gone.rows_affected())
}
