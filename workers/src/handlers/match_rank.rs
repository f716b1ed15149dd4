//! Does `match.rank`: everybody in reach through the gates and into their order, and the question to the first.

use std::time::Duration;

use jobs::{
    Failure, Outcome,
    failure::Problem,
    kinds::match_rank::{MatchRank, Matched},
};
use store::matches::{self, Decided};

use crate::{asking, cx::Cx, registry::Handle};

/// How long to wait when everybody's time was taken while they were looked at.
const TAKEN_WAIT: Duration = Duration::from_millis(200);

impl Handle for MatchRank {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Matched> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let nothing =
            Matched { request: self.request, round: self.round, ranked: 0, excluded: 0, offer: None };
        let Some(request) = matches::request(db, tenant, self.request).await? else { return Ok(nothing) };
        let kept = matches::receipt(db, tenant, self.request, self.round).await?;
        let ranking = match kept {
            Some(kept) => kept.receipt.0,
            None if request.state == "ranking" && request.round == self.round => {
                asking::rank(cx, &request).await?
            }
            None => return Ok(nothing),
        };
        let picks = asking::picks(cx, &request, &ranking).await?;
        let matched = Matched {
            ranked: ranking.ranked.len() as u32,
            excluded: ranking.excluded.len() as u32,
            ..nothing
        };
        match matches::decide(db, tenant, (self.request, self.round), &ranking, &picks).await? {
            Decided::Offered(offer) => Ok(Matched { offer: Some(offer), ..matched }),
            Decided::Nobody | Decided::Passed => Ok(matched),
            Decided::AllTaken => {
                let problem = Problem::new("taken", "everybody's time was taken a moment ago");
                Err(Failure::Snooze { wait: TAKEN_WAIT, problem })
            }
        }
    }
}
