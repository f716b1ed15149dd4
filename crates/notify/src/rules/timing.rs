//! Rules 3 and 5 to 7: when.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{Category, Channel};
use schedule::Zone;

use super::{Decision, Verdict, is_critical};
use crate::{
    audience::Recipient,
    request::{History, Request},
};

/// Before what it is about takes place, an operational message rings at any hour.
const SUBJECT_IS_NEAR: TimeDelta = TimeDelta::hours(2);
/// How long the same critical message counts as the same: whoever asks for another link gets one.
const DEDUPE_CRITICAL: TimeDelta = TimeDelta::seconds(60);
/// The same for everything else.
const DEDUPE_OTHER: TimeDelta = TimeDelta::hours(24);
/// How long a digest gathers.
const DIGEST_SOCIAL: TimeDelta = TimeDelta::minutes(5);
/// The same for news, and for what overflows.
const DIGEST_BULK: TimeDelta = TimeDelta::hours(1);
/// Messages of a category and channel that one recipient gets in [`THROTTLE_SPAN`].
const THROTTLE_MAX: usize = 20;
/// In what time messages are counted.
const THROTTLE_SPAN: TimeDelta = TimeDelta::hours(1);
/// How long the first rung of a ladder is given.
const RUNG_WAIT: TimeDelta = TimeDelta::minutes(2);

/// How long the same counts as the same, unless the request says otherwise.
pub fn dedupe_window(category: Category) -> TimeDelta {
    if category == Category::Critical { DEDUPE_CRITICAL } else { DEDUPE_OTHER }
}

/// Rule 3: not before the quiet hours are over.
pub(super) fn held(
    decision: &mut Decision,
    request: &Request,
    recipient: &Recipient,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let Some(quiet) = recipient.quiet else { return now };
    let zone = recipient.zone.unwrap_or(Zone::UTC);
    let Some(until) = quiet.until(zone, now) else { return now };
    let starts_at = request.about.as_ref().and_then(|about| about.at);
    let is_near = starts_at.is_some_and(|at| at > now && at - now <= SUBJECT_IS_NEAR);
    if decision.channel == Channel::InApp {
        decision.note(3, "quiet hours do not matter: nothing rings");
    } else if is_critical(request) {
        decision.note(3, "quiet hours do not hold critical messages");
    } else if request.category == Category::Operational && is_near {
        decision.note(3, "quiet hours do not hold it: what it is about begins within 2 hours");
    } else {
        let shown = zone.wall(until).format("%H:%M");
        let unknown = if recipient.zone.is_none() { ", for the recipient's zone is not known" } else { "" };
        decision.note(3, format!("held until {shown}, quiet hours in {zone}{unknown}"));
        return until;
    }
    now
}

/// Rule 5: what waits for others of its sort.
pub(super) fn gathered(
    decision: &mut Decision,
    request: &Request,
    history: &History,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    // A line in the inbox disturbs nobody, so it need not wait.
    if decision.channel == Channel::InApp {
        return None;
    }
    let window = match request.category {
        Category::Critical | Category::Operational => return None,
        Category::Social => DIGEST_SOCIAL,
        Category::Bulk => DIGEST_BULK,
    };
    let closes_at = open_digest(history, now).unwrap_or(now + window);
    decision.note(5, format!("gathered for the digest of {}", closes_at.format("%H:%M UTC")));
    Some(closes_at)
}

/// Rule 6: what is too much goes into a digest.
pub(super) fn throttled(
    decision: &mut Decision,
    request: &Request,
    history: &History,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if is_critical(request) || decision.channel == Channel::InApp {
        return None;
    }
    let counts = history.told.iter().filter(|told| {
        told.channel == decision.channel && told.category == request.category && now - told.at < THROTTLE_SPAN
    });
    let count = counts.count();
    if count < THROTTLE_MAX {
        return None;
    }
    let closes_at = open_digest(history, now).unwrap_or(now + DIGEST_BULK);
    let said =
        format!("{count} {} messages in an hour are enough: gathered for the digest", request.category);
    decision.note(6, said);
    Some(closes_at)
}

fn open_digest(history: &History, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    history.digest_closes_at.filter(|closes_at| *closes_at > now)
}

/// Rule 7: one channel after the other, as long as nobody reads it.
pub(super) fn climbed(decisions: &mut [Decision], request: &Request, now: DateTime<Utc>) {
    let Some(rungs) = request.rungs else { return };
    let has_first_rung =
        decisions.iter().any(|decision| decision.is_going() && decision.channel != Channel::Sms);
    for decision in decisions {
        let Verdict::Send { at, .. } = decision.verdict else { continue };
        if rungs.is_call_out {
            let half = now + rungs.ttl / 2;
            decision.verdict = Verdict::Send { at: at.max(half), unless_read: true };
            decision
                .note(7, format!("called out at {} unless somebody has read it", half.format("%H:%M UTC")));
        } else if decision.channel == Channel::Sms && has_first_rung {
            let second = now + RUNG_WAIT;
            decision.verdict = Verdict::Send { at: at.max(second), unless_read: true };
            decision.note(7, "sent in 2 minutes unless it is read before");
        } else {
            decision.note(7, "the first rung of the ladder");
        }
    }
}
