//! Does `notify.send`: hands one message over, and never a second time without knowing that the first did not arrive.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jobs::{
    Category, Channel, Failure, Outcome,
    failure::Problem,
    kinds::notify_send::{NotifySend, Sent},
};
use notify::{Content, Ringing, quiet_until};
use store::{
    inbox,
    logs::Level,
    messages::{self, Begun, Ended, Message},
    parties::{self, ContactPoint},
    verdict::Write,
};
use telemetry::metrics as names;

use crate::{
    addressed::{closed, quiet_of, zone_of},
    breakers::Called,
    cx::Cx,
    faults::Point,
    registry::Handle,
    senders::{Answer, Asked, LISTED_AFTER, Letter, stood_still},
};

/// How soon a message is asked about again while another to the same address has its turn.
const TURN: Duration = Duration::from_secs(5);

impl Handle for NotifySend {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Sent> {
        let (db, tenant, id) = (&cx.deps.db, cx.tenant(), self.message);
        let gone = || Failure::discard("message_not_found", "the message was removed, or its recipient was");
        let message = messages::message(db, tenant, id).await?.ok_or_else(gone)?;
        let became = |state: &str| Ok(Sent { message: id, state: state.to_owned() });
        if !matches!(message.state.as_str(), "planned" | "sending") {
            // What was told of it since, and that it was read, does not change that.
            let was_sent = matches!(message.state.as_str(), "delivered" | "read" | "bounced" | "complained");
            return became(if was_sent { "sent" } else { &message.state });
        }
        if message.state == "planned"
            && let Some(why) = unwanted(cx, &message).await?
        {
            messages::drop_message(db, tenant, id, &why).await?;
            cx.log(Level::Info, format!("not sent: {why}"));
            return became("dropped");
        }
        if message.state == "planned"
            && let Some((until, said)) = quiet(cx, &message).await?
        {
            let wait = (until - Utc::now()).to_std().unwrap_or_default();
            return Err(Failure::Snooze { wait, problem: Problem::new("quiet_hours", said) });
        }
        if message.channel()? == Channel::InApp {
            cx.write(Write::InboxLine(id));
            return became("sent");
        }
        let state = Sending::of(cx, &message).await?.carry(cx, &message).await?;
        became(state)
    }
}

/// Why a message that waited is not wanted any more.
async fn unwanted(cx: &Cx<'_>, message: &Message) -> Outcome<Option<String>> {
    let (db, tenant) = (&cx.deps.db, cx.tenant());
    if let Some(why) = messages::has_passed(db, tenant, message).await? {
        return Ok(Some(why));
    }
    if message.unless_read && messages::is_read(db, tenant, message.request()).await? {
        return Ok(Some("somebody has read it by another way".to_owned()));
    }
    let category = message.category()?;
    let contact = match message.contact() {
        Some(contact) => parties::contact(db, tenant, contact, category).await?,
        None => None,
    };
    let Some(contact) = contact else { return Ok(Some("its address was removed".to_owned())) };
    Ok(closed(&contact, category == Category::Critical).map(str::to_owned))
}

/// Until when it may not ring, and why: it is later than it was planned for, or its recipient's hours are others now.
async fn quiet(cx: &Cx<'_>, message: &Message) -> Outcome<Option<(DateTime<Utc>, String)>> {
    let party = parties::party(&cx.deps.db, cx.tenant(), message.party()).await?;
    let Some(party) = party else { return Ok(None) };
    let ringing = Ringing {
        channel: message.channel()?,
        category: message.category()?,
        subject_at: message.subject_at,
    };
    Ok(quiet_until(quiet_of(&party), zone_of(&party), ringing, Utc::now()))
}

/// What is handed over, and to whom.
struct Sending {
    contact: ContactPoint,
    name: String,
    content: Content,
    /// Where the provider is to tell what becomes of it.
    callback: Option<String>,
}

impl Sending {
    async fn of(cx: &Cx<'_>, message: &Message) -> Outcome<Self> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let gone =
            || Failure::discard("address_not_found", "the address was removed while the message was sent");
        let contact = message.contact().ok_or_else(gone)?;
        let contact = parties::contact(db, tenant, contact, message.category()?).await?.ok_or_else(gone)?;
        let party = parties::party(db, tenant, message.party()).await?.ok_or_else(gone)?;
        let content = message.content.as_ref().map(|content| content.0.clone()).unwrap_or_default();
        let callback = match (&cx.deps.senders.public_url, message.channel()?) {
            (Some(url), Channel::Sms) => inbox::feedback_source(db, tenant, Channel::Sms)
                .await?
                .map(|source| format!("{url}/v1/hooks/{source}")),
            _ => None,
        };
        Ok(Self { contact, name: party.name, content: serde_json::from_value(content)?, callback })
    }

    /// Once; answers what became of the message.
    async fn carry(self, cx: &Cx<'_>, message: &Message) -> Outcome<&'static str> {
        let (db, tenant, id) = (&cx.deps.db, cx.tenant(), message.id());
        let no_provider = || Failure::retry("no_provider", "this worker has no provider for the channel");
        let provider = cx.deps.senders.provider(&self.content).ok_or_else(no_provider)?;
        let letter = Letter {
            message: id,
            name: &self.name,
            address: &self.contact.address,
            content: &self.content,
            callback: self.callback.as_deref(),
        };
        // What was begun and broke off is looked into whoever answers.
        let leave = match cx.deps.breakers.enter(Called::Provider(provider), tenant) {
            Err(wait) if message.state == "planned" => {
                let why = format!("{provider} did not answer the last times and is left alone for a while");
                return Err(Failure::Snooze { wait, problem: Problem::new("provider_away", why) });
            }
            entered => entered.ok(),
        };
        cx.reach(Point::BeforeEffect);
        let since = (Instant::now(), Utc::now());
        let number = match messages::begin(db, tenant, id, cx.job.id, provider).await? {
            Begun::Go(number) => number,
            Begun::Broken { number, begun_at } => {
                let ended = match asked(cx, &letter, provider, begun_at).await? {
                    Asked::Later(wait) => {
                        let why = "the provider is asked whether it went out, once it would know";
                        return Err(Failure::Snooze { wait, problem: Problem::new("asking", why) });
                    }
                    Asked::Found(provider_id) => Ended::Done(Some(provider_id)),
                    Asked::NotFound => {
                        let why = "the provider was asked and has never heard of it";
                        self.ended(cx, Answer::Refused(why.to_owned()))
                    }
                    Asked::CannotSay => {
                        Ended::Unknown("its worker stopped between the call and the answer".to_owned())
                    }
                };
                messages::end(db, tenant, id, number, &ended).await?;
                return told(cx, ended, None);
            }
            Begun::Already(_) => return Ok("sent"),
            Begun::NoMessage => return Err(Failure::discard("message_not_found", "the message was removed")),
        };
        cx.reach(Point::BeforeCall);
        // Somebody else may have asked meanwhile, and sent it.
        let answer = if stood_still(since, (Instant::now(), Utc::now())) {
            Answer::Refused("this worker stood still before the call".to_owned())
        } else {
            let answer = cx.deps.senders.send(&letter).await;
            if let Some(leave) = leave {
                leave.told(!matches!(answer, Answer::Away(..) | Answer::Unknown(_)));
            }
            answer
        };
        cx.reach(Point::AfterCall);
        let after = if let Answer::Away(_, after) = &answer { *after } else { None };
        let ended = self.ended(cx, answer);
        messages::end(db, tenant, id, number, &ended).await?;
        told(cx, ended, after)
    }

    fn ended(&self, cx: &Cx<'_>, answer: Answer) -> Ended {
        match answer {
            Answer::Done(provider_id) => Ended::Done(provider_id),
            Answer::Refused(why) | Answer::Away(why, _) if cx.job.attempt >= cx.job.max_attempts => {
                Ended::Failed(why)
            }
            Answer::Refused(why) | Answer::Away(why, _) => Ended::Refused(why),
            Answer::Failed(why) => Ended::Failed(why),
            Answer::Nobody(why) => Ended::Nobody(why, self.contact.id()),
            Answer::Stopped(why) => Ended::Stopped(why, self.contact.id()),
            Answer::Unknown(why) => Ended::Unknown(why),
        }
    }
}

/// What the provider says of a message that was begun and broke off. Looked at in this order, so that whatever is listed is
/// another's by name, or another that may be it has its turn first.
async fn asked(cx: &Cx<'_>, letter: &Letter<'_>, provider: &str, begun_at: DateTime<Utc>) -> Outcome<Asked> {
    let db = &cx.deps.db;
    let listed = match cx.deps.senders.list(letter, begun_at).await {
        Ok(listed) => listed,
        Err(asked) => return Ok(asked),
    };
    if messages::is_disputed(db, provider, letter.message, begun_at, LISTED_AFTER.num_seconds() as u32)
        .await?
    {
        return Ok(Asked::Later(TURN));
    }
    let known = messages::attributed(db, provider, &listed.names()).await?;
    Ok(listed.judged(&known))
}

/// Counted, said aloud, and what the job comes to. `after`: so long the provider wants to be left alone.
fn told(cx: &Cx<'_>, ended: Ended, after: Option<Duration>) -> Outcome<&'static str> {
    let outcome = match &ended {
        Ended::Done(_) => "sent",
        Ended::Refused(_) => "refused",
        Ended::Failed(_) | Ended::Nobody(..) | Ended::Stopped(..) => "failed",
        Ended::Unknown(_) => "unknown",
    };
    metrics::counter!(names::MESSAGES_TOTAL, names::LABEL_OUTCOME => outcome).increment(1);
    match ended {
        Ended::Done(_) => Ok("sent"),
        Ended::Refused(why) => Err(Failure::Retry { problem: Problem::new("provider_refused", why), after }),
        Ended::Failed(why) => Err(Failure::discard("not_deliverable", why)),
        Ended::Nobody(why, _) => Err(Failure::discard("nobody_there", why)),
        Ended::Stopped(why, _) => Err(Failure::discard("stopped", why)),
        Ended::Unknown(why) => {
            cx.log(Level::Warn, format!("nobody knows whether it arrived: {why}"));
            tracing::warn!(tenant.id = %cx.tenant(), "Of a message nobody knows whether it arrived");
            Ok("unknown")
        }
    }
}
