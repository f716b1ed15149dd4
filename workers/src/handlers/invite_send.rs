//! Does `invite.send`: writes the message that a guest's calendar understands. It goes out as every message does.

use calendar::{Entry, Person, invitation};
use chrono::Utc;
use jobs::{
    Category, Channel, ContactPointId, Failure, MessageId, Outcome,
    kinds::invite_send::{InviteSend, InviteSent},
};
use notify::{Content, Invitation, Note};
use schedule::Zone;
use serde_json::{Map, Value, json};
use store::{
    invitations::{self, Method, ToTell, Told},
    messages::{NewMessage, Plan},
    parties::{self, Party},
    verdict::Write,
};

use crate::{
    addressed::zone_of,
    cx::Cx,
    registry::Handle,
    wording::{self, wording},
};

impl Handle for InviteSend {
    async fn run(self, cx: &Cx<'_>) -> Outcome<InviteSent> {
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let nothing = InviteSent { invitation: self.invitation, message: None };
        let Some(to_tell) = invitations::to_tell(db, tenant, self.invitation, self.wish).await? else {
            return Ok(nothing);
        };
        // Whose address was removed cannot be told any more.
        let message = match (to_tell.method, to_tell.contact) {
            (Some(method), Some(contact)) => {
                Some((method, message(cx, &self, &to_tell, method, contact).await?))
            }
            _ => None,
        };
        let sent = InviteSent { message: message.as_ref().map(|(_, message)| message.id), ..nothing };
        let plan = |(method, message)| {
            let traceparent = cx.job.traceparent.clone();
            (method, Plan { request: cx.job.id, subject: None, messages: vec![message], traceparent })
        };
        let told = Told { id: self.invitation, wish: self.wish, message: message.map(plan) };
        cx.write(Write::Invitation(Box::new(told)));
        Ok(sent)
    }
}

async fn message(
    cx: &Cx<'_>,
    job: &InviteSend,
    to_tell: &ToTell,
    method: Method,
    contact: ContactPointId,
) -> Outcome<NewMessage> {
    let (db, tenant) = (&cx.deps.db, cx.tenant());
    let gone = || Failure::retry("guest_gone", "the guest or their address was removed at this moment");
    let party = parties::party(db, tenant, to_tell.party).await?.ok_or_else(gone)?;
    let category = Category::Operational;
    let reached = parties::contact(db, tenant, contact, category).await?.ok_or_else(gone)?;
    let template = match method {
        Method::Request => "invitation",
        Method::Cancel => "invitation_cancelled",
    };
    let wording = wording(cx, template, &party.locale).await?;
    let variables = variables(&party, to_tell);
    let mut content = wording.content(cx, &variables, Channel::Email, &reached, category)?;
    if let Content::Email(mail) = &mut content {
        mail.invitation = Some(calendar(cx, job, to_tell, method, &party)?);
    }
    let content_sha256 = wording::content_sha256(template, &variables);
    let about = format!("{}:{}", job.invitation, job.wish);
    let note = Note { rule: 0, said: "an invitation goes to whom it names, by mail".to_owned() };
    Ok(NewMessage {
        id: MessageId::new(),
        party: to_tell.party,
        contact: Some(contact),
        channel: Channel::Email,
        category,
        template: wording.named(),
        subject: None,
        subject_at: Some(to_tell.during.from),
        dedupe: (wording::dedupe_key(Some(contact), Some(&about), &content_sha256), 0),
        content_sha256,
        state: "planned",
        decisions: serde_json::to_value(vec![note])?,
        content: Some(serde_json::to_value(content)?),
        unless_read: false,
        scheduled_at: Utc::now(),
        gathering: None,
        overflow: None,
    })
}

fn calendar(
    cx: &Cx<'_>,
    job: &InviteSend,
    to_tell: &ToTell,
    method: Method,
    party: &Party,
) -> Outcome<Invitation> {
    let no_sender = || Failure::retry("no_provider", "this worker has no provider for mails");
    let (name, address) = cx.deps.senders.mail_from().ok_or_else(no_sender)?;
    let guest = Person { name: party.name.clone(), address: to_tell.address.clone() };
    let entry = Entry {
        booking: to_tell.booking,
        version: job.wish,
        during: to_tell.during,
        summary: to_tell.reference.clone(),
        changed_at: to_tell.changed_at,
    };
    let method = match method {
        Method::Request => calendar::Method::Request,
        Method::Cancel => calendar::Method::Cancel,
    };
    let host = Person { name, address };
    let calendar = invitation(&entry, job.invitation, (&host, &guest), method);
    Ok(Invitation { method: method.word().to_owned(), calendar })
}

/// What the templates say of it: when, by the clock of the guest.
fn variables(party: &Party, to_tell: &ToTell) -> Map<String, Value> {
    let zone = zone_of(party).unwrap_or(Zone::UTC);
    let when = format!("{} ({})", zone.wall(to_tell.during.from).format("%Y-%m-%d %H:%M"), zone.name());
    let variables = json!({"name": party.name, "address": to_tell.reference, "when": when});
    variables.as_object().cloned().unwrap_or_default()
}
