//! What a code generator and we both know: sealed under the present master key, where a process has one.

use jobs::UserId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// A secret as its row holds it.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Kept {
    #[sqlx(rename = "totp_secret")]
    pub(crate) bytes: Option<Vec<u8>>,
    /// The master key it is sealed under; none: it is not.
    #[sqlx(rename = "totp_master")]
    pub(crate) master: Option<String>,
}

/// The place that the secret of `user` is sealed for.
fn place(user: UserId) -> String {
    format!("{user}/totp")
}

impl Kept {
    /// `secret` of `user`, as its row is to hold it.
    pub(crate) fn of(db: &Db, user: UserId, secret: Option<&[u8]>) -> Result<Self, StoreError> {
        let plain = Self { bytes: secret.map(<[u8]>::to_vec), master: None };
        let (Some(secret), Some(masters)) = (secret, db.keyring().given()) else { return Ok(plain) };
        let sealed = masters.wrap(&place(user), secret);
        let sealed = sealed.map_err(|_| StoreError::Undecipherable { what: place(user) })?;
        Ok(Self { bytes: Some(sealed), master: Some(masters.id().to_owned()) })
    }

    /// The secret of `user` again.
    pub(crate) fn open(self, db: &Db, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
        let (Some(bytes), Some(master)) = (&self.bytes, &self.master) else { return Ok(self.bytes) };
        let opened = db.keyring().given().and_then(|masters| masters.unwrap(master, &place(user), bytes));
        let opened = opened.ok_or_else(|| StoreError::NoMasterKey { master: master.clone() })?;
        opened.map(Some).map_err(|_| StoreError::Undecipherable { what: place(user) })
    }
}

/// Somebody's secret.
#[derive(FromRow)]
struct Held {
    id: Uuid,
    #[sqlx(flatten)]
    kept: Kept,
}

/// Seals every secret that is not sealed under the present master key; how many that were. For the owner.
pub async fn reseal(db: &Db, tx: &mut Tx) -> Result<usize, StoreError> {
    let present = db.keyring().masters()?.id();
    let found: Vec<Held> = sqlx::query_as(
        "select id, totp_secret, totp_master from user_account
         where totp_secret is not null and totp_master is distinct from $1 for update",
    )
    .bind(present)
    .fetch_all(&mut **tx)
    .await
    .or_failed("find second factors that are not sealed")?;
    let count = found.len();
    for held in found {
        let user = UserId::from_uuid(held.id);
        let secret = held.kept.open(db, user)?;
        set(db, tx, user, secret.as_deref()).await?;
    }
    Ok(count)
}

/// Writes the secret of `user` down.
pub(crate) async fn set(db: &Db, tx: &mut Tx, user: UserId, secret: Option<&[u8]>) -> Result<(), StoreError> {
    let kept = Kept::of(db, user, secret)?;
    sqlx::query("update user_account set totp_secret = $2, totp_master = $3 where id = $1")
        .bind(user.as_uuid())
        .bind(kept.bytes)
        .bind(kept.master)
        .execute(&mut **tx)
        .await
        .or_failed("keep a second factor")?;
    Ok(())
}
