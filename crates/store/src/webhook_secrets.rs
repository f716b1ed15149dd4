//! Secrets of webhooks, as rows hold them: of those that come in, and of those that go out.

use chrono::{DateTime, Utc};
use jobs::TenantId;

use crate::{db::Db, error::StoreError, sealing::Place};

/// A secret as its row holds it: sealed under a data key where the tenant has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sealed {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) under: Option<i32>,
}

impl Sealed {
    /// `secret` of `owner`, as its row is to hold it.
    pub(crate) async fn of(
        db: &Db,
        tenant: TenantId,
        owner: &str,
        secret: Option<&str>,
    ) -> Result<Self, StoreError> {
        let Some(secret) = secret else { return Ok(Self::default()) };
        let plain = secret.as_bytes().to_vec();
        let (bytes, under) = db.seal_bytes(tenant, &Place::of_secret(owner), plain).await?;
        Ok(Self { bytes: Some(bytes), under })
    }

    /// The secret of `owner` again.
    pub(crate) async fn open(
        self,
        db: &Db,
        tenant: TenantId,
        owner: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(bytes) = self.bytes else { return Ok(None) };
        let plain = match self.under {
            None => bytes,
            Some(under) => db.open_bytes(tenant, &Place::of_secret(owner), under, bytes).await?,
        };
        let unreadable = |_| StoreError::Undecipherable { what: format!("the secret of {owner}") };
        String::from_utf8(plain).map(Some).map_err(unreadable)
    }
}

/// A secret, and the one of before while that holds too.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) present: Sealed,
    pub(crate) previous: Sealed,
    pub(crate) previous_until: Option<DateTime<Utc>>,
}

impl Pair {
    /// Those of `owner` that hold at `now`, opened: the present one first.
    pub(crate) async fn open(
        self,
        db: &Db,
        tenant: TenantId,
        owner: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        let mut opened: Vec<String> = self.present.open(db, tenant, owner).await?.into_iter().collect();
        if self.previous_until.is_some_and(|until| until > now) {
            opened.extend(self.previous.open(db, tenant, owner).await?);
        }
        Ok(opened)
    }
}
