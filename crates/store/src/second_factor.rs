//! What a code generator and we both know: sealed under the present master key, where a process has one.

use jobs::UserId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::{Db, Tx},
    error::{OrFailed, StoreError},
};

/// What stands in place of a master key's name where that stands before the secret.
const HELD: &str = "*";

/// A secret as its row holds it.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Kept {
    #[sqlx(rename = "totp_secret")]
    pub(crate) bytes: Option<Vec<u8>>,
    /// [`HELD`]: it is sealed as every secret is. None: it is not sealed. Else the master key of a secret of before.
    #[sqlx(rename = "totp_master")]
    pub(crate) master: Option<String>,
}

impl Kept {
    /// `secret` of `user`, as its row is to hold it.
    pub(crate) fn of(db: &Db, user: UserId, secret: Option<&[u8]>) -> Result<Self, StoreError> {
        match secret {
            Some(secret) if db.keyring().given().is_some() => {
                let sealed = db.seal_secret(&user.to_string(), &hex::encode(secret))?;
                Ok(Self { bytes: Some(sealed), master: Some(HELD.to_owned()) })
            }
            secret => Ok(Self { bytes: secret.map(<[u8]>::to_vec), master: None }),
        }
    }

    /// The secret of `user` again.
    pub(crate) fn open(self, db: &Db, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
        let (Some(bytes), Some(master)) = (&self.bytes, &self.master) else { return Ok(self.bytes) };
        let broken = || StoreError::Undecipherable { what: format!("the second factor of {user}") };
        if master == HELD {
            let opened = db.open_secret(&user.to_string(), bytes)?;
            return hex::decode(opened).map(Some).map_err(|_| broken());
        }
        let before = format!("{user}/totp");
        let opened = db.keyring().given().and_then(|masters| masters.unwrap(master, &before, bytes));
        let opened = opened.ok_or_else(|| StoreError::NoMasterKey { master: master.clone() })?;
        opened.map(Some).map_err(|_| broken())
    }
}

/// Somebody's secret.
#[derive(FromRow)]
struct Held {
    id: Uuid,
    #[sqlx(flatten)]
    kept: Kept,
}

/// Seals every secret that is not sealed as every other is; how many that were. For the owner, who has what is sealed sealed
/// under another master key by [`crate::sealing::reseal`].
pub async fn seal(db: &Db, tx: &mut Tx) -> Result<usize, StoreError> {
    db.keyring().masters()?;
    let found: Vec<Held> = sqlx::query_as(
        "select id, totp_secret, totp_master from user_account
         where totp_secret is not null and totp_master is distinct from $1 for update",
    )
    .bind(HELD)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db::{Options, Role},
        sealing::MasterKeys,
    };

    const MASTER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const SECRET: [u8; 20] = [7; 20];

    fn db() -> Db {
        let url = "postgres://nobody@127.0.0.1:1/none".to_owned();
        let options = Options { url, role: Role::Api, connections_max: 4, acquire_ms: 1, statement_ms: 1 };
        Db::connect(&options).unwrap().with_masters(MasterKeys::parse(MASTER, None).unwrap())
    }

    #[tokio::test]
    async fn every_form_that_ever_lay_there_is_opened() {
        let (db, user) = (db(), UserId::new());
        let masters = db.keyring().given().unwrap();
        let before = masters.wrap(&format!("{user}/totp"), &SECRET).unwrap();
        let kept = [
            Kept { bytes: Some(SECRET.to_vec()), master: None },
            Kept { bytes: Some(before), master: Some(masters.id().to_owned()) },
            Kept::of(&db, user, Some(&SECRET)).unwrap(),
        ];
        for kept in kept {
            assert_eq!(kept.open(&db, user).unwrap().as_deref(), Some(SECRET.as_slice()));
        }
        let of_another = Kept::of(&db, UserId::new(), Some(&SECRET)).unwrap();
        assert!(matches!(of_another.open(&db, user), Err(StoreError::Undecipherable { .. })));
        assert!(Kept::of(&db, user, None).unwrap().open(&db, user).unwrap().is_none());
    }
}
