//! Nine gates. Who fails one is not scored, and told which.

use jobs::PartyId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Candidate, Span, Terms, Visit, What, hours::covers};

/// Why somebody is not asked, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// They take no work, or none in this role, or none at this site.
    Inactive,
    /// One wants nothing to do with the other.
    Blocked,
    /// Their time is taken.
    Busy,
    /// They do not work then.
    OutsideHours,
    /// They do not know something, or their certificate for it ends before the visit.
    SkillMissing,
    /// It is too far away.
    OutsideRadius,
    /// Their day is full.
    DayFull,
    /// Their calendar has not been read lately.
    CalendarStale,
    /// They were asked before.
    AlreadyDeclined,
}

/// What whoever decides should know of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// One of both places is not known, so nearness counts nothing.
    DistanceUnknown,
    /// Their calendar has not been read lately.
    CalendarStale,
}

/// Somebody who is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Who.
    pub party: PartyId,
    /// Why.
    pub reason: Reason,
    /// What says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Why, and what says so.
type Refusal = (Reason, Option<String>);

/// What does not depend on the hour, before the gates that do.
pub(crate) fn who(visit: &Visit, candidate: &Candidate) -> Option<Refusal> {
    if !candidate.is_active {
        return Some((Reason::Inactive, Some("takes no work".to_owned())));
    }
    if !candidate.roles.contains(&visit.role) {
        return Some((Reason::Inactive, Some(format!("is no {}", visit.role))));
    }
    if !candidate.works_at(visit.site.as_ref()) {
        let there = visit.site.as_deref().unwrap_or("no site");
        return Some((Reason::Inactive, Some(format!("is no {} at {there}", visit.role))));
    }
    candidate.blocked.as_ref().map(|evidence| (Reason::Blocked, Some(evidence.clone())))
}

/// Whether they are free then. `open` is when they work, where that was worked out before.
pub(crate) fn when(
    visit: &Visit,
    candidate: &Candidate,
    travel: u16,
    open: Option<&[Span]>,
) -> Option<Refusal> {
    let protected = visit.protected(travel);
    let mut off = None;
    for taken in &candidate.taken {
        match &taken.what {
            What::Busy(evidence) if taken.during.overlaps(&protected) => {
                let evidence = evidence.clone().unwrap_or_else(|| "busy".to_owned());
                return Some((Reason::Busy, Some(evidence)));
            }
            What::TimeOff(evidence) if taken.during.overlaps(&visit.during) => off = Some(evidence),
            _ => {}
        }
    }
    if let Some(evidence) = off {
        return Some((Reason::OutsideHours, Some(evidence.clone())));
    }
    let works = match open {
        Some(open) => covers(open, &visit.during),
        None => candidate.hours.cover(&visit.during, candidate.zone),
    };
    (!works).then(|| (Reason::OutsideHours, Some("working hours".to_owned())))
}

/// What is looked at once they are free.
pub(crate) fn fit(
    visit: &Visit,
    candidate: &Candidate,
    metres: Option<u32>,
    terms: Terms,
) -> Option<Refusal> {
    let lacks = |wanted: &&String| {
        let known = candidate.skills.iter().find(|skill| skill.name == **wanted);
        known.is_none_or(|skill| skill.certified_until.is_some_and(|until| until < visit.during.until))
    };
    if let Some(missing) = visit.skills.iter().find(lacks) {
        return Some((Reason::SkillMissing, Some(missing.clone())));
    }
    if let Some(metres) = metres.filter(|metres| *metres > candidate.radius_m) {
        return Some((Reason::OutsideRadius, Some(format!("{metres} m of {} m", candidate.radius_m))));
    }
    if let Some(full) = day_full(visit, candidate) {
        return Some((Reason::DayFull, Some(full)));
    }
    if let Some(since) = candidate.stale_since.filter(|_| terms.strict_calendars) {
        return Some((Reason::CalendarStale, Some(since.to_rfc3339())));
    }
    candidate.declined.as_ref().map(|evidence| (Reason::AlreadyDeclined, Some(evidence.clone())))
}

/// Counted by the day on which visits begin, by their own clock.
fn day_full(visit: &Visit, candidate: &Candidate) -> Option<String> {
    if candidate.visits_max.is_none() && candidate.minutes_max.is_none() {
        return None;
    }
    let day = |span: &Span| candidate.zone.wall(span.from).date();
    let today = day(&visit.during);
    let (mut visits, mut minutes) = (1, visit.during.minutes());
    for other in candidate.visits.iter().filter(|other| day(other) == today) {
        visits += 1;
        minutes += other.minutes();
    }
    if let Some(most) = candidate.visits_max.filter(|most| visits > i64::from(*most)) {
        return Some(format!("{visits} visits of {most}"));
    }
    let most = candidate.minutes_max.filter(|most| minutes > i64::from(*most))?;
    Some(format!("{minutes} minutes of {most}"))
}
