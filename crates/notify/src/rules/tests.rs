use chrono::TimeDelta;
use jobs::ContactPointId;
use proptest::prelude::*;

use super::*;
use crate::{
    audience::{Consent, Preference, Suppression},
    quiet::Quiet,
    request::{About, Rungs},
};

impl Decision {
    fn is_going(&self) -> bool {
        !matches!(self.verdict, Verdict::Skip)
    }
}

fn now() -> DateTime<Utc> {
    "2026-07-01T21:30:00Z".parse().unwrap()
}

fn contact(channel: Channel) -> Contact {
    Contact {
        id: ContactPointId::new(),
        channel,
        is_verified: true,
        consent: Consent::Unasked,
        suppression: None,
    }
}

fn somebody() -> Recipient {
    Recipient {
        contacts: Channel::ALL.map(contact).to_vec(),
        preferences: Vec::new(),
        quiet: None,
        zone: Some("Europe/Zagreb".parse().unwrap()),
    }
}

fn asked(category: Category, channels: &[Channel]) -> Request {
    Request {
        category,
        template: "reminder".to_owned(),
        channels: Some(channels.to_vec()),
        about: None,
        content_sha256: "x".to_owned(),
        dedupe: None,
        rungs: None,
        able: Channel::ALL.to_vec(),
    }
}

fn told(request: &Request, channel: Channel, ago: TimeDelta) -> Told {
    Told {
        channel,
        category: request.category,
        template: request.template.clone(),
        reference: None,
        content_sha256: request.content_sha256.clone(),
        at: now() - ago,
    }
}

fn one(request: &Request, recipient: &Recipient, history: &History) -> Decision {
    let decisions = decide(request, recipient, history, now());
    assert_eq!(decisions.len(), 1);
    decisions.into_iter().next().unwrap()
}

fn why(decision: &Decision, rule: u8) -> &str {
    decision.notes.iter().find(|note| note.rule == rule).map_or("", |note| &note.said)
}

const AT_ONCE: fn() -> Verdict = || Verdict::Send { at: now(), unless_read: false };

#[test]
fn preferences_choose_the_channels_and_nobody_is_left_without_a_login() {
    let mut request = asked(Category::Social, &[]);
    request.channels = None;
    let mut recipient = somebody();
    let channels = |request: &Request, recipient: &Recipient| -> Vec<Channel> {
        decide(request, recipient, &History::default(), now()).iter().map(|one| one.channel).collect()
    };
    assert_eq!(channels(&request, &recipient), [Channel::InApp, Channel::Email]);
    recipient.preferences.push(Preference { category: Category::Social, channels: vec![Channel::Chat] });
    recipient.preferences.push(Preference { category: Category::Critical, channels: Vec::new() });
    assert_eq!(channels(&request, &recipient), [Channel::Chat]);
    request.category = Category::Critical;
    assert_eq!(channels(&request, &recipient), [Channel::Email]);
}

#[test]
fn a_bounced_address_gets_nothing_at_all_and_a_complaint_only_what_is_critical() {
    let mut recipient = somebody();
    for (suppression, category, goes) in [
        (Suppression::HardBounce, Category::Critical, false),
        (Suppression::Stop, Category::Critical, false),
        (Suppression::Complaint, Category::Critical, true),
        (Suppression::Complaint, Category::Operational, false),
    ] {
        recipient.contacts[0].suppression = Some(suppression);
        let decision = one(&asked(category, &[Channel::Email]), &recipient, &History::default());
        assert_eq!(decision.is_going(), goes, "{suppression:?} {category}");
    }
    // Another address of theirs still works.
    recipient.contacts.push(contact(Channel::Email));
    let decision = one(&asked(Category::Operational, &[Channel::Email]), &recipient, &History::default());
    assert_eq!(decision.contact, Some(recipient.contacts[5].id));
}

#[test]
fn consent_is_asked_for_where_silence_is_none() {
    let mut recipient = somebody();
    let going = |recipient: &Recipient, category, channel| {
        one(&asked(category, &[channel]), recipient, &History::default()).is_going()
    };
    assert!(
        !going(&recipient, Category::Bulk, Channel::Email)
            && !going(&recipient, Category::Social, Channel::Sms)
    );
    assert!(going(&recipient, Category::Operational, Channel::Sms));
    for contact in &mut recipient.contacts {
        contact.consent = Consent::Granted;
    }
    assert!(
        going(&recipient, Category::Bulk, Channel::Email)
            && going(&recipient, Category::Social, Channel::Sms)
    );
    recipient.contacts[0].consent = Consent::Withdrawn;
    assert!(!going(&recipient, Category::Operational, Channel::Email));
    assert!(going(&recipient, Category::Critical, Channel::Email));
    recipient.contacts[1].is_verified = false;
    assert!(!going(&recipient, Category::Operational, Channel::Sms));
}

#[test]
fn quiet_hours_hold_what_can_wait_and_say_until_when() {
    let mut recipient = somebody();
    recipient.quiet = Quiet::new(22 * 60, 8 * 60);
    let held = one(&asked(Category::Operational, &[Channel::Email]), &recipient, &History::default());
    let morning = "2026-07-02T06:00:00Z".parse().unwrap();
    assert_eq!(held.verdict, Verdict::Send { at: morning, unless_read: false });
    assert_eq!(why(&held, 3), "held until 08:00, quiet hours in Europe/Zagreb");
    for (category, channel) in [(Category::Critical, Channel::Email), (Category::Operational, Channel::InApp)]
    {
        assert_eq!(one(&asked(category, &[channel]), &recipient, &History::default()).verdict, AT_ONCE());
    }
    let mut near = asked(Category::Operational, &[Channel::Sms]);
    for (minutes, at_once) in [(120, true), (121, false), (-1, false)] {
        near.about =
            Some(About { reference: "visit/1".into(), at: Some(now() + TimeDelta::minutes(minutes)) });
        assert_eq!(one(&near, &recipient, &History::default()).verdict == AT_ONCE(), at_once, "{minutes}");
    }
    recipient.zone = None;
    recipient.quiet = Quiet::new(21 * 60, 6 * 60);
    let held = one(&asked(Category::Operational, &[Channel::Email]), &recipient, &History::default());
    assert_eq!(why(&held, 3), "held until 06:00, quiet hours in UTC, for the recipient's zone is not known");
}

#[test]
fn the_same_is_not_told_twice_within_its_window() {
    let request = asked(Category::Operational, &[Channel::Email]);
    let hours_ago = |hours| History {
        told: vec![told(&request, Channel::Email, TimeDelta::hours(hours))],
        ..History::default()
    };
    let decision = one(&request, &somebody(), &hours_ago(23));
    assert_eq!(
        (decision.verdict, why(&decision, 4)),
        (Verdict::Skip, "the same was told at 2026-06-30 22:30 UTC already")
    );
    assert!(one(&request, &somebody(), &hours_ago(24)).is_going());
    let other = Request { content_sha256: "y".to_owned(), ..request.clone() };
    assert!(one(&other, &somebody(), &hours_ago(1)).is_going());
    let again = Request { dedupe: Some(TimeDelta::zero()), ..request.clone() };
    assert!(one(&again, &somebody(), &hours_ago(0)).is_going());
}

#[test]
fn what_people_say_is_gathered_until_the_window_closes() {
    let request = asked(Category::Social, &[Channel::Email]);
    let closes = |history: &History| match one(&request, &somebody(), history).verdict {
        Verdict::Gather { closes_at } => closes_at - now(),
        other => panic!("{other:?}"),
    };
    assert_eq!(closes(&History::default()), TimeDelta::minutes(5));
    let open = History { digest_closes_at: Some(now() + TimeDelta::minutes(2)), ..History::default() };
    assert_eq!(closes(&open), TimeDelta::minutes(2));
    let ended = History { digest_closes_at: Some(now()), ..History::default() };
    assert_eq!(closes(&ended), TimeDelta::minutes(5));
    let critical = one(&asked(Category::Critical, &[Channel::Email]), &somebody(), &open);
    assert_eq!(critical.verdict, AT_ONCE(), "what is critical does not wait for a digest");
}

#[test]
fn what_is_too_much_overflows_into_a_digest() {
    let request = asked(Category::Operational, &[Channel::Email]);
    let mut history = History::default();
    for number in 0..20 {
        let mut message = told(&request, Channel::Email, TimeDelta::minutes(number));
        message.content_sha256 = number.to_string();
        assert_eq!(one(&request, &somebody(), &history).verdict, AT_ONCE(), "{number}");
        history.told.push(message);
    }
    let decision = one(&request, &somebody(), &history);
    assert!(matches!(decision.verdict, Verdict::Gather { .. }), "{decision:?}");
    assert_eq!(why(&decision, 6), "20 operational messages in an hour are enough: gathered for the digest");
}

#[test]
fn an_offer_climbs_from_the_screen_to_the_telephone_to_whoever_is_called_out() {
    let mut request = asked(Category::Operational, &[Channel::Push, Channel::Sms]);
    request.rungs = Some(Rungs { ttl: TimeDelta::minutes(30), is_call_out: false });
    let rungs = decide(&request, &somebody(), &History::default(), now());
    assert_eq!(rungs[0].verdict, AT_ONCE());
    assert_eq!(rungs[1].verdict, Verdict::Send { at: now() + TimeDelta::minutes(2), unless_read: true });
    let mut hasty = request.clone();
    hasty.rungs = Some(Rungs { ttl: TimeDelta::minutes(2), is_call_out: false });
    let rungs = decide(&hasty, &somebody(), &History::default(), now());
    assert_eq!(rungs[1].verdict, Verdict::Send { at: now() + TimeDelta::minutes(1), unless_read: true });
    let only = Request { channels: Some(vec![Channel::Sms]), ..request.clone() };
    assert_eq!(one(&only, &somebody(), &History::default()).verdict, AT_ONCE(), "nothing to wait for");
    request.rungs = Some(Rungs { ttl: TimeDelta::minutes(30), is_call_out: true });
    for rung in decide(&request, &somebody(), &History::default(), now()) {
        assert_eq!(rung.verdict, Verdict::Send { at: now() + TimeDelta::minutes(15), unless_read: true });
    }
}

#[test]
fn no_rung_of_a_ladder_rings_in_quiet_hours() {
    let mut recipient = somebody();
    // It is 23:30 there.
    recipient.quiet = Quiet::new(23 * 60 + 31, 8 * 60);
    let mut request = asked(Category::Operational, &[Channel::Push, Channel::Sms]);
    request.rungs = Some(Rungs { ttl: TimeDelta::minutes(30), is_call_out: false });
    let at = |time: &str| Verdict::Send { at: time.parse().unwrap(), unless_read: true };
    let rungs = decide(&request, &recipient, &History::default(), now());
    assert_eq!((rungs[0].verdict, rungs[1].verdict), (AT_ONCE(), at("2026-07-02T06:00:00Z")));
    assert_eq!(
        why(&rungs[1], 7),
        "sent 120 s after the first rung unless it is read before; held until 08:00, quiet hours in Europe/Zagreb"
    );
    // Both are held: the second still comes after the first.
    recipient.quiet = Quiet::new(22 * 60, 8 * 60);
    let rungs = decide(&request, &recipient, &History::default(), now());
    assert_eq!(rungs[1].verdict, at("2026-07-02T06:02:00Z"));
    request.rungs = Some(Rungs { ttl: TimeDelta::minutes(30), is_call_out: true });
    recipient.quiet = Quiet::new(23 * 60 + 40, 8 * 60);
    for rung in decide(&request, &recipient, &History::default(), now()) {
        assert_eq!(rung.verdict, at("2026-07-02T06:00:00Z"));
    }
    // What it is about has come near by then.
    let near = Some("2026-07-01T23:40:00Z".parse().unwrap());
    request.about = Some(About { reference: "visit/1".into(), at: near });
    assert_eq!(
        decide(&request, &recipient, &History::default(), now())[0].verdict,
        at("2026-07-01T21:45:00Z")
    );
}

fn any_rungs() -> impl Strategy<Value = Option<Rungs>> {
    let rungs = (60..86_400i64, any::<bool>());
    prop::option::of(rungs.prop_map(|(ttl, is_call_out)| Rungs { ttl: TimeDelta::seconds(ttl), is_call_out }))
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    let consent = prop::sample::select(vec![Consent::Unasked, Consent::Granted, Consent::Withdrawn]);
    let suppression = prop::option::of(prop::sample::select(vec![
        Suppression::HardBounce,
        Suppression::Complaint,
        Suppression::Stop,
    ]));
    let contact = (prop::sample::select(Channel::ALL.to_vec()), any::<bool>(), consent, suppression)
        .prop_map(|(channel, is_verified, consent, suppression)| Contact {
            id: ContactPointId::new(),
            channel,
            is_verified,
            consent,
            suppression,
        });
    (prop::collection::vec(contact, 0..8), prop::option::of((0..1_440u32, 0..1_440u32))).prop_map(
        |(contacts, quiet)| Recipient {
            contacts,
            preferences: Vec::new(),
            quiet: quiet.and_then(|(from, until)| Quiet::new(from, until)),
            zone: Some("America/New_York".parse().unwrap()),
        },
    )
}

proptest! {
    #[test]
    fn nobody_is_disturbed_who_said_no_or_sleeps(
        recipient in any_recipient(), category in prop::sample::select(Category::ALL.to_vec()),
        at in 1_700_000_000i64..1_900_000_000, rungs in any_rungs(),
    ) {
        let at = DateTime::from_timestamp(at, 0).unwrap();
        let request = Request { rungs, ..asked(category, &Channel::ALL) };
        let decisions = decide(&request, &recipient, &History::default(), at);
        prop_assert_eq!(&decisions, &decide(&request, &recipient, &History::default(), at));
        prop_assert_eq!(decisions.len(), Channel::ALL.len());
        for decision in decisions {
            prop_assert!(decision.notes.windows(2).all(|pair| pair[0].rule <= pair[1].rule));
            if !decision.is_going() {
                continue;
            }
            let contact = recipient.contacts.iter().find(|contact| Some(contact.id) == decision.contact).unwrap();
            prop_assert_eq!(contact.channel, decision.channel);
            prop_assert!(!matches!(contact.suppression, Some(Suppression::HardBounce | Suppression::Stop)));
            let critical = category == Category::Critical;
            if !critical && decision.channel != Channel::InApp {
                prop_assert!(contact.consent != Consent::Withdrawn && contact.is_verified);
                let goes_at = match decision.verdict {
                    Verdict::Send { at, .. } | Verdict::Gather { closes_at: at } => at,
                    Verdict::Skip => unreachable!(),
                };
                prop_assert!(goes_at >= at);
                if let (Some(quiet), Verdict::Send { .. }) = (recipient.quiet, decision.verdict) {
                    prop_assert_eq!(quiet.until(recipient.zone.unwrap(), goes_at), None);
                }
            }
        }
    }
}
