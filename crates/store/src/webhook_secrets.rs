//! Secrets of webhooks while they change: of those that come in, and of those that go out.

use chrono::{DateTime, Utc};

use crate::{db::Db, error::StoreError};

/// A secret as its row holds it, and the one of before while that holds too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) present: Option<&'a [u8]>,
    pub(crate) previous: Option<&'a [u8]>,
    pub(crate) previous_until: Option<DateTime<Utc>>,
}

impl Pair<'_> {
    /// Those of `owner` that hold at `now`, opened: the present one first.
    pub(crate) fn open(self, db: &Db, owner: &str, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
        let previous = self.previous.filter(|_| self.previous_until.is_some_and(|until| until > now));
        self.present.into_iter().chain(previous).map(|sealed| db.open_secret(owner, sealed)).collect()
    }
}
