//! From a request to those who are asked: what jobs about one visit and about many have in common.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    Category, Channel, Outcome, PartyId,
    kinds::notify_plan::{Ladder, NotifyPlan, Subject},
};
use matching::{Ranking, rank as rank_all};
use schedule::Zone;
use store::{
    enqueue::NewJob,
    matches::{MatchRequest, Pick},
    parties,
    people::{self, CANDIDATES_MAX, Needs},
};

use crate::{
    addressed::{quiet_of, zone_of},
    cx::Cx,
};

/// Candidates that are tried before everybody is looked at again.
pub(crate) const PICKS_MAX: usize = 10;
/// How long somebody has to answer, by how soon the visit is: later than the first, than the second, and sooner.
const FAR_OFF: TimeDelta = TimeDelta::hours(24);
const NEAR: TimeDelta = TimeDelta::hours(4);
const ANSWER_FAR_OFF: TimeDelta = TimeDelta::minutes(15);
const ANSWER_TODAY: TimeDelta = TimeDelta::minutes(5);
const ANSWER_NEAR: TimeDelta = TimeDelta::minutes(2);
/// The template that candidates are asked by.
const TEMPLATE: &str = "offer";
/// By which ways they are, unless they chose others: at once by all but the text message, which costs something.
const CHANNELS: [Channel; 4] = [Channel::InApp, Channel::Push, Channel::Email, Channel::Sms];

/// Ranks everybody in reach of the visit.
pub(crate) async fn rank(cx: &Cx<'_>, request: &MatchRequest) -> Outcome<Ranking> {
    let needs = Needs {
        during: request.visit.during,
        place: request.visit.place,
        client: request.client(),
        company: request.company(),
        request: Some(request.id()),
        role: request.visit.role.clone(),
        most: CANDIDATES_MAX,
    };
    let pool = people::pool(&cx.deps.db, cx.tenant(), &needs).await?;
    let (visit, terms) = (request.visit.0.clone(), request.terms.0);
    // Ten thousand candidates take long enough to hold others up.
    let ranking = move || Ranking { is_cut: pool.is_cut, ..rank_all(&visit, &pool.candidates, &terms) };
    Ok(tokio::task::spawn_blocking(ranking).await?)
}

/// The first of a ranking, with how long each has to answer and what tells them.
pub(crate) async fn picks(cx: &Cx<'_>, request: &MatchRequest, ranking: &Ranking) -> Outcome<Vec<Pick>> {
    let mut picks = Vec::with_capacity(PICKS_MAX);
    for row in ranking.ranked.iter().take(PICKS_MAX) {
        picks.extend(pick(cx, request, row.party).await?);
    }
    Ok(picks)
}

/// Somebody to ask; none when they were forgotten meanwhile.
pub(crate) async fn pick(cx: &Cx<'_>, request: &MatchRequest, party: PartyId) -> Outcome<Option<Pick>> {
    let Some(found) = parties::party(&cx.deps.db, cx.tenant(), party).await? else { return Ok(None) };
    let (now, begins) = (Utc::now(), request.visit.during.from);
    let zone = zone_of(&found).unwrap_or(Zone::UTC);
    let until = quiet_of(&found).and_then(|quiet| quiet.until(zone, now));
    let answer = answer_within(begins - now, until.map(|until| until - now));
    let Some(link) = &request.link else {
        return Ok(Some(Pick { party, answer_s: answer.num_seconds(), tells: None }));
    };
    let clock = |at: DateTime<Utc>, format| zone.wall(at).format(format).to_string();
    let variables = [
        ("name", found.name),
        ("address", request.reference.clone()),
        ("when", clock(begins, "%Y-%m-%d %H:%M")),
        ("until", clock(now + answer, "%H:%M")),
        ("link", link.clone()),
    ];
    let preferences = parties::preferences(&cx.deps.db, cx.tenant(), party).await?;
    let chose = preferences.iter().any(|preference| preference.category == Category::Operational);
    let plan = NotifyPlan {
        recipients: vec![party],
        template: TEMPLATE.to_owned(),
        category: Category::Operational,
        variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
        channels: (!chose).then(|| CHANNELS.to_vec()),
        subject: Some(Subject {
            reference: request.id().to_string(),
            version: u32::from(request.round.unsigned_abs()),
            at: Some(begins),
        }),
        thread: None,
        dedupe_s: Some(0),
        // Nobody is known who would be called out.
        ladder: Some(Ladder { ttl_s: answer.num_seconds() as u32, call_out: None }),
    };
    let mut tells = NewJob::of(&plan)?;
    tells.traceparent.clone_from(&cx.job.traceparent);
    Ok(Some(Pick { party, answer_s: answer.num_seconds(), tells: Some(tells) }))
}

/// How long an answer to an offer of a visit that begins in so long is waited for. Where there is time, it is not counted
/// while whoever is asked must not be rung.
fn answer_within(begins_in: TimeDelta, quiet_for: Option<TimeDelta>) -> TimeDelta {
    if begins_in > FAR_OFF {
        quiet_for.unwrap_or_default() + ANSWER_FAR_OFF
    } else if begins_in > NEAR {
        ANSWER_TODAY
    } else {
        ANSWER_NEAR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_has_as_long_as_there_is_time() {
        let within = |hours, quiet: i64| {
            answer_within(TimeDelta::hours(hours), Some(TimeDelta::hours(quiet))).num_minutes()
        };
        assert_eq!(
            [within(25, 0), within(24, 0), within(5, 0), within(4, 0), within(-1, 0)],
            [15, 5, 5, 2, 2]
        );
        assert_eq!(
            (within(48, 8), within(10, 8)),
            (8 * 60 + 15, 5),
            "near visits do not wait for the morning"
        );
    }
}
