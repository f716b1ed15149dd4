//! Does `match.batch`: one assignment over every visit that waited. Whoever is left without is looked at alone.

use std::collections::HashMap;

use jobs::{
    Outcome, PartyId,
    kinds::match_batch::{Batched, MatchBatch},
};
use matching::{Assigned, Ranking, Scores, assign};
use store::matches::{self, Decided, MatchRequest};

use crate::{asking, cx::Cx, registry::Handle};

/// Candidates of all visits that are held at once; visits past that are looked at alone.
const BATCH_ROWS_MAX: usize = 500_000;

impl Handle for MatchBatch {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Batched> {
        let waiting = matches::waiting(&cx.deps.db, cx.tenant()).await?;
        let mut ranked: Vec<(MatchRequest, Ranking)> = Vec::with_capacity(waiting.len());
        let mut rows = 0;
        for request in waiting {
            if rows > BATCH_ROWS_MAX {
                break;
            }
            let ranking = asking::rank(cx, &request).await?;
            rows += ranking.ranked.len() + ranking.excluded.len();
            ranked.push((request, ranking));
            cx.progress(0, format!("{} visits ranked", ranked.len()));
        }
        let (parties, scores) = scores(&ranked);
        let Assigned { candidates, is_optimal } =
            tokio::task::spawn_blocking(move || assign(&scores)).await?;
        let mut offered = 0;
        for ((request, ranking), candidate) in ranked.iter().zip(candidates) {
            let Some(party) = candidate.map(|at| parties[at]) else { continue };
            let picks: Vec<_> = asking::pick(cx, request, party).await?.into_iter().collect();
            if picks.is_empty() {
                continue;
            }
            let round = (request.id(), request.round);
            let decided = matches::decide(&cx.deps.db, cx.tenant(), round, ranking, &picks).await?;
            offered += u32::from(matches!(decided, Decided::Offered(_)));
        }
        Ok(Batched { requests: ranked.len() as u32, offered, optimal: is_optimal })
    }
}

/// What everybody is worth for every visit.
fn scores(ranked: &[(MatchRequest, Ranking)]) -> (Vec<PartyId>, Scores) {
    let rows = || ranked.iter().flat_map(|(_, ranking)| &ranking.ranked);
    let mut parties: Vec<PartyId> = rows().map(|row| row.party).collect();
    parties.sort_unstable();
    parties.dedup();
    let places: HashMap<PartyId, usize> =
        parties.iter().enumerate().map(|(at, party)| (*party, at)).collect();
    let mut scores = Scores::new(ranked.len(), parties.len());
    for (visit, (_, ranking)) in ranked.iter().enumerate() {
        for row in &ranking.ranked {
            scores.set(visit, places[&row.party], row.score);
        }
    }
    (parties, scores)
}
