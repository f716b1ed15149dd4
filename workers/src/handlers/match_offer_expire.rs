//! Does `match.offer_expire`. Between this and an answer, the ledger hears whoever comes first.

use std::time::Duration;

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::match_offer_expire::{MatchOfferExpire, OfferExpired},
};
use store::matches;

use crate::{cx::Cx, registry::Handle};

/// How long to wait when the ledger's clock says that there is time left.
const EARLY_WAIT: Duration = Duration::from_secs(1);

impl Handle for MatchOfferExpire {
    async fn run(self, cx: &Cx<'_>) -> Outcome<OfferExpired> {
        let expired = matches::expire(&cx.deps.db, cx.tenant(), self.offer, self.generation).await?;
        let early = || {
            let problem = Problem::new("not_yet", "the offer still stands");
            Failure::Snooze { wait: EARLY_WAIT, problem }
        };
        Ok(OfferExpired { offer: self.offer, expired: expired.ok_or_else(early)? })
    }
}
