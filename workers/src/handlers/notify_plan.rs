//! Does `notify.plan`: asks the rules about each recipient and channel, and writes down what they said.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::{
    Failure, MessageId, Outcome, PartyId,
    kinds::notify_plan::{NotifyPlan, Planned},
};
use notify::{
    About, Contact, Decision, History, Quiet, Recipient, Request, Rungs, Told, Verdict, decide,
    dedupe_window, throttle,
};
use serde_json::Value;
use store::{
    messages::{self, Gathering, NewMessage, Overflow, Plan},
    parties::{self, ContactPoint, Party},
    verdict::Write,
};

use crate::{
    addressed::{contact_of, quiet_of, zone_of},
    cx::Cx,
    registry::Handle,
    wording::{self, Wording, wording},
};

/// In what time messages are looked back upon at least, for those that are too many.
const LOOK_BACK_MIN: TimeDelta = TimeDelta::hours(1);

impl Handle for NotifyPlan {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Planned> {
        let now = Utc::now();
        let mut told = Vec::new();
        for recipient in &self.recipients {
            told.push(Addressee::find(cx, *recipient, false, &self).await?);
        }
        let call_out = self.ladder.as_ref().and_then(|ladder| ladder.call_out);
        if let Some(call_out) = call_out.filter(|party| !self.recipients.contains(party)) {
            told.push(Addressee::find(cx, call_out, true, &self).await?);
        }
        // Whatever is missing is missing before anybody is told.
        for addressee in &told {
            addressee.wording.render(&self.variables, None)?;
        }
        let content_sha256 = wording::content_sha256(&self.template, &self.variables);
        let mut all = Vec::new();
        for addressee in &told {
            all.extend(addressee.decided(cx, &self, &content_sha256, now).await?);
        }
        let count = |state: &str| all.iter().filter(|new: &&NewMessage| new.state == state).count() as u32;
        let planned = Planned {
            messages: all.iter().map(|new| new.id).collect(),
            sending: count("planned"),
            gathered: count("gathered"),
            skipped: count("skipped"),
        };
        cx.write(Write::Messages(Box::new(Plan {
            request: cx.job.id,
            subject: self.subject.map(|subject| (subject.reference, subject.version)),
            messages: all,
            traceparent: cx.job.traceparent.clone(),
        })));
        Ok(planned)
    }
}

/// Somebody who is to be told, and in which words.
struct Addressee {
    party: Party,
    contacts: Vec<ContactPoint>,
    is_call_out: bool,
    wording: Wording,
}

impl Addressee {
    async fn find(cx: &Cx<'_>, id: PartyId, is_call_out: bool, plan: &NotifyPlan) -> Outcome<Self> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let missing = || Failure::discard("party_not_found", format!("{id} was removed or never existed"));
        let party = parties::party(db, tenant, id).await?.ok_or_else(missing)?;
        let contacts = parties::contacts_for(db, tenant, id, plan.category).await?;
        let wording = wording(cx, &plan.template, &party.locale).await?;
        Ok(Self { party, contacts, is_call_out, wording })
    }

    async fn decided(
        &self,
        cx: &Cx<'_>,
        plan: &NotifyPlan,
        content_sha256: &str,
        now: DateTime<Utc>,
    ) -> Outcome<Vec<NewMessage>> {
        let request = self.request(cx, plan, content_sha256);
        let window = request.dedupe.unwrap_or_else(|| dedupe_window(plan.category));
        let history = self.history(cx, plan, now - window.max(LOOK_BACK_MIN)).await?;
        let decisions = decide(&request, &self.recipient(cx).await?, &history, now);
        decisions.iter().map(|decision| self.message(cx, plan, &request, decision, now)).collect()
    }

    fn request(&self, cx: &Cx<'_>, plan: &NotifyPlan, content_sha256: &str) -> Request {
        let rungs = plan.ladder.as_ref().map(|ladder| Rungs {
            ttl: TimeDelta::seconds(i64::from(ladder.ttl_s)),
            is_call_out: self.is_call_out,
        });
        let about = plan.subject.as_ref();
        Request {
            category: plan.category,
            template: plan.template.clone(),
            channels: plan.channels.clone(),
            about: about.map(|about| About { reference: about.reference.clone(), at: about.at }),
            content_sha256: content_sha256.to_owned(),
            dedupe: plan.dedupe_s.map(|seconds| TimeDelta::seconds(i64::from(seconds))),
            rungs,
            able: cx.deps.senders.able(),
        }
    }

    async fn recipient(&self, cx: &Cx<'_>) -> Outcome<Recipient> {
        let contacts: Vec<Contact> = self.contacts.iter().map(contact_of).collect::<Result<_, _>>()?;
        let preferences = parties::preferences(&cx.deps.db, cx.tenant(), self.party.id()).await?;
        let preferences = preferences
            .into_iter()
            .map(|chosen| notify::Preference { category: chosen.category, channels: chosen.channels })
            .collect();
        let quiet: Option<Quiet> = quiet_of(&self.party);
        Ok(Recipient { contacts, preferences, quiet, zone: zone_of(&self.party) })
    }

    async fn history(&self, cx: &Cx<'_>, plan: &NotifyPlan, since: DateTime<Utc>) -> Outcome<History> {
        let (db, tenant, party) = (&cx.deps.db, cx.tenant(), self.party.id());
        let before = messages::history(db, tenant, party, since).await?;
        let told = before.into_iter().filter_map(|before| {
            let (channel, category) = before.words()?;
            Some(Told {
                channel,
                category,
                template: before.template,
                reference: before.subject_reference,
                content_sha256: before.content_sha256,
                at: before.created_at,
            })
        });
        let thread = plan.thread.as_deref().unwrap_or_default();
        let digest_closes_at = messages::open_digest(db, tenant, party, plan.category, thread).await?;
        Ok(History { told: told.collect(), digest_closes_at })
    }

    fn message(
        &self,
        cx: &Cx<'_>,
        plan: &NotifyPlan,
        request: &Request,
        decision: &Decision,
        now: DateTime<Utc>,
    ) -> Outcome<NewMessage> {
        let contact = self.contacts.iter().find(|contact| Some(contact.id()) == decision.contact);
        let reference = request.about.as_ref().map(|about| about.reference.as_str());
        let (state, scheduled_at, unless_read) = match decision.verdict {
            Verdict::Send { at, unless_read } => ("planned", at, unless_read),
            Verdict::Gather { closes_at } => ("gathered", closes_at, false),
            Verdict::Skip => ("skipped", now, false),
        };
        // What is gathered is told as a line of the digest.
        let channel = if state == "gathered" { jobs::Channel::InApp } else { decision.channel };
        let content: Option<Value> = match contact {
            Some(contact) if state != "skipped" => {
                let content = self.wording.content(cx, &plan.variables, channel, contact, plan.category)?;
                Some(serde_json::to_value(content)?)
            }
            _ => None,
        };
        let dedupe = wording::dedupe_key(decision.contact, reference, &request.content_sha256);
        let window = request.dedupe.unwrap_or_else(|| dedupe_window(plan.category));
        let gathering = (state == "gathered")
            .then(|| Gathering { thread: plan.thread.clone().unwrap_or_default(), closes_at: scheduled_at });
        Ok(NewMessage {
            id: MessageId::new(),
            party: self.party.id(),
            contact: decision.contact,
            channel: decision.channel,
            category: plan.category,
            template: self.wording.named(),
            subject: plan.subject.as_ref().map(|subject| (subject.reference.clone(), subject.version)),
            subject_at: request.about.as_ref().and_then(|about| about.at),
            content_sha256: request.content_sha256.clone(),
            dedupe: (dedupe, window.num_seconds() as u32),
            state,
            decisions: serde_json::to_value(&decision.notes)?,
            content,
            unless_read,
            scheduled_at,
            gathering,
            overflow: self.overflow(cx, plan, decision, now)?,
        })
    }

    /// What becomes of the message when others decided meanwhile, and it is one too many.
    fn overflow(
        &self,
        cx: &Cx<'_>,
        plan: &NotifyPlan,
        decision: &Decision,
        now: DateTime<Utc>,
    ) -> Outcome<Option<Overflow>> {
        let contact = self.contacts.iter().find(|contact| Some(contact.id()) == decision.contact);
        let (Verdict::Send { at, .. }, Some(throttle), Some(contact)) =
            (decision.verdict, throttle(decision.channel, plan.category), contact)
        else {
            return Ok(None);
        };
        let line = self.wording.content(cx, &plan.variables, jobs::Channel::InApp, contact, plan.category)?;
        let closes_at = at.max(now + throttle.digest);
        Ok(Some(Overflow {
            most: throttle.most as u32,
            seconds: throttle.span.num_seconds() as u32,
            gathering: Gathering { thread: plan.thread.clone().unwrap_or_default(), closes_at },
            content: serde_json::to_value(line)?,
        }))
    }
}
