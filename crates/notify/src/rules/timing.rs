//! Rules 3 and 5 to 7: when.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{Category, Channel};
use schedule::Zone;

use super::{Decision, Verdict};
use crate::{
    audience::Recipient,
    quiet::Quiet,
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
/// How long the first rung of a ladder is given, at most: half of the time where there is less.
const RUNG_WAIT: TimeDelta = TimeDelta::minutes(2);

/// How long the same counts as the same, unless the request says otherwise.
pub fn dedupe_window(category: Category) -> TimeDelta {
    if category == Category::Critical { DEDUPE_CRITICAL } else { DEDUPE_OTHER }
}

/// What quiet hours ask about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ringing {
    /// By which channel.
    pub channel: Channel,
    /// What sort of thing.
    pub category: Category,
    /// When what it is about takes place.
    pub subject_at: Option<DateTime<Utc>>,
}

impl Ringing {
    fn of(channel: Channel, request: &Request) -> Self {
        let subject_at = request.about.as_ref().and_then(|about| about.at);
        Self { channel, category: request.category, subject_at }
    }

    /// Why quiet hours do not hold it at `at`, if they do not.
    fn exempt(self, at: DateTime<Utc>) -> Option<&'static str> {
        let is_near = self.subject_at.is_some_and(|starts| starts > at && starts - at <= SUBJECT_IS_NEAR);
        if self.channel == Channel::InApp {
            Some("quiet hours do not matter: nothing rings")
        } else if self.category == Category::Critical {
            Some("quiet hours do not hold critical messages")
        } else if self.category == Category::Operational && is_near {
            Some("quiet hours do not hold it: what it is about begins within 2 hours")
        } else {
            None
        }
    }
}

/// Until when quiet hours hold `ringing` that would ring at `at`, and that in words; none when it may ring.
pub fn quiet_until(
    quiet: Option<Quiet>,
    zone: Option<Zone>,
    ringing: Ringing,
    at: DateTime<Utc>,
) -> Option<(DateTime<Utc>, String)> {
    still_until(quiet, zone, at).filter(|_| ringing.exempt(at).is_none())
}

fn still_until(
    quiet: Option<Quiet>,
    zone: Option<Zone>,
    at: DateTime<Utc>,
) -> Option<(DateTime<Utc>, String)> {
    let unknown = if zone.is_none() { ", for the recipient's zone is not known" } else { "" };
    let zone = zone.unwrap_or(Zone::UTC);
    let until = quiet?.until(zone, at)?;
    let shown = zone.wall(until).format("%H:%M");
    Some((until, format!("held until {shown}, quiet hours in {zone}{unknown}")))
}

/// Rule 3: not before the quiet hours are over.
pub(super) fn held(
    decision: &mut Decision,
    request: &Request,
    recipient: &Recipient,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let Some((until, said)) = still_until(recipient.quiet, recipient.zone, now) else { return now };
    if let Some(why) = Ringing::of(decision.channel, request).exempt(now) {
        decision.note(3, why);
        return now;
    }
    decision.note(3, said);
    until
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

/// What rule 6 holds a recipient's messages of a category and channel to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// So many are enough.
    pub most: usize,
    /// In this time.
    pub span: TimeDelta,
    /// How long what is more is gathered.
    pub digest: TimeDelta,
}

/// Rule 6 for messages by `channel`; none where there cannot be too many.
pub fn throttle(channel: Channel, category: Category) -> Option<Throttle> {
    let is_bound = category != Category::Critical && channel != Channel::InApp;
    is_bound.then_some(Throttle { most: THROTTLE_MAX, span: THROTTLE_SPAN, digest: DIGEST_BULK })
}

/// Rule 6: what is too much goes into a digest.
pub(super) fn throttled(
    decision: &mut Decision,
    request: &Request,
    history: &History,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let throttle = throttle(decision.channel, request.category)?;
    let counts = history.told.iter().filter(|told| {
        told.channel == decision.channel && told.category == request.category && now - told.at < throttle.span
    });
    let count = counts.count();
    if count < throttle.most {
        return None;
    }
    let closes_at = open_digest(history, now).unwrap_or(now + throttle.digest);
    let said =
        format!("{count} {} messages in an hour are enough: gathered for the digest", request.category);
    decision.note(6, said);
    Some(closes_at)
}

fn open_digest(history: &History, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    history.digest_closes_at.filter(|closes_at| *closes_at > now)
}

/// Rule 7: one channel after the other, as long as nobody reads it. None rings in quiet hours, whenever its turn is.
pub(super) fn climbed(
    decisions: &mut [Decision],
    request: &Request,
    recipient: &Recipient,
    now: DateTime<Utc>,
) {
    let Some(rungs) = request.rungs else { return };
    let first = decisions.iter().filter(|decision| decision.channel != Channel::Sms);
    let first = first.filter_map(|decision| match decision.verdict {
        Verdict::Send { at, .. } => Some(at),
        Verdict::Gather { .. } | Verdict::Skip => None,
    });
    let first = first.max();
    for decision in decisions {
        let Verdict::Send { at, .. } = decision.verdict else { continue };
        let (turn, said) = match first {
            _ if rungs.is_call_out => {
                let half = now + rungs.ttl / 2;
                (half, format!("called out at {} unless somebody has read it", half.format("%H:%M UTC")))
            }
            Some(first) if decision.channel == Channel::Sms => {
                let wait = RUNG_WAIT.min(rungs.ttl / 2);
                let shown = wait.num_seconds();
                (first + wait, format!("sent {shown} s after the first rung unless it is read before"))
            }
            _ => {
                decision.note(7, "the first rung of the ladder");
                continue;
            }
        };
        let at = at.max(turn);
        let ringing = Ringing::of(decision.channel, request);
        let held = quiet_until(recipient.quiet, recipient.zone, ringing, at);
        let more = held.as_ref().map(|(_, held)| format!("; {held}")).unwrap_or_default();
        decision.verdict = Verdict::Send { at: held.map_or(at, |(until, _)| until), unless_read: true };
        decision.note(7, format!("{said}{more}"));
    }
}
