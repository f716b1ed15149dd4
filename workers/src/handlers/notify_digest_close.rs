//! Does `notify.digest_close`: makes one message of what was gathered, without what is not wanted any more.

use chrono::Utc;
use jobs::{
    Category, Failure, MessageId, Outcome,
    kinds::notify_digest_close::{DigestClosed, NotifyDigestClose},
};
use notify::{Content, Note};
use schedule::Zone;
use serde_json::{Map, Value, json};
use store::{
    logs::Level,
    messages::{self, ClosedDigest, Digest, Message, NewMessage},
    parties::{self, ContactPoint},
    verdict::Write,
};

use crate::{
    addressed::{closed, quiet_of, zone_of},
    cx::Cx,
    registry::Handle,
    wording::{self, Wording, wording},
};

/// The template that digests are told by.
const TEMPLATE: &str = "digest";

impl Handle for NotifyDigestClose {
    async fn run(self, cx: &Cx<'_>) -> Outcome<DigestClosed> {
        let nothing = |message| DigestClosed { digest: self.digest, message, gathered: 0 };
        let Some((digest, gathered)) = messages::digest(&cx.deps.db, cx.tenant(), self.digest).await? else {
            return Ok(nothing(None));
        };
        if digest.closed_at.is_some() {
            return Ok(DigestClosed { gathered: gathered.len() as u32, ..nothing(digest.message()) });
        }
        let (_, category) = digest.words()?;
        let contact = parties::contact(&cx.deps.db, cx.tenant(), digest.contact(), category).await?;
        let unwanted = match &contact {
            None => Some("its address was removed"),
            Some(contact) => closed(contact, category == Category::Critical),
        };
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for message in &gathered {
            let passed = messages::has_passed(&cx.deps.db, cx.tenant(), message).await?;
            match passed.or_else(|| unwanted.map(str::to_owned)) {
                Some(why) => dropped.push((message.id(), why)),
                None => kept.push(message),
            }
        }
        let message = match contact {
            Some(contact) if !kept.is_empty() => Some(told(cx, &digest, &contact, &kept).await?),
            _ => None,
        };
        let closed = DigestClosed {
            digest: self.digest,
            message: message.as_ref().map(|message| message.id),
            gathered: gathered.len() as u32,
        };
        let told = gathered.iter().map(Message::id).collect();
        let write = ClosedDigest { digest: self.digest, job: cx.job.id, told, dropped, message };
        cx.write(Write::Digest(Box::new(write)));
        Ok(closed)
    }
}

async fn told(
    cx: &Cx<'_>,
    digest: &Digest,
    contact: &ContactPoint,
    kept: &[&Message],
) -> Outcome<NewMessage> {
    let (channel, category) = digest.words()?;
    let party = parties::party(&cx.deps.db, cx.tenant(), digest.party()).await?;
    let locale = party.as_ref().map_or("en", |party| &party.locale);
    let mut wording = wording(cx, TEMPLATE, locale).await?;
    let variables = variables(kept);
    let mut content = wording.content(cx, &variables, channel, contact, category);
    // What the tenant wrote may ask for more than a digest has: it is told in the product's words then.
    if let Err(Failure::Discard { problem }) = &content
        && let Some(ours) = Wording::of_product(TEMPLATE, locale).filter(|_| wording.version > 0)
    {
        cx.log(Level::Warn, format!("told in the product's words: {}", problem.message));
        content = ours.content(cx, &variables, channel, contact, category);
        wording = ours;
    }
    let content = content?;
    let now = Utc::now();
    let quiet = party.as_ref().and_then(|party| {
        let zone = zone_of(party).unwrap_or(Zone::UTC);
        Some((zone, quiet_of(party)?.until(zone, now)?))
    });
    let mut notes = vec![Note { rule: 5, said: format!("a digest of {} messages", kept.len()) }];
    if let Some((zone, until)) = quiet {
        let said = format!("held until {}, quiet hours in {zone}", zone.wall(until).format("%H:%M"));
        notes.push(Note { rule: 3, said });
    }
    let content_sha256 = wording::content_sha256(TEMPLATE, &variables);
    Ok(NewMessage {
        id: MessageId::new(),
        party: digest.party(),
        contact: Some(digest.contact()),
        channel,
        category,
        template: wording.named(),
        subject: None,
        subject_at: None,
        dedupe: (
            wording::dedupe_key(Some(digest.contact()), Some(&digest.id().to_string()), &content_sha256),
            0,
        ),
        content_sha256,
        state: "planned",
        decisions: serde_json::to_value(notes)?,
        content: Some(serde_json::to_value(content)?),
        unless_read: false,
        scheduled_at: quiet.map_or(now, |(_, until)| until),
        gathering: None,
        overflow: None,
    })
}

fn variables(kept: &[&Message]) -> Map<String, Value> {
    let items: Vec<Value> = kept
        .iter()
        .filter_map(|message| {
            let content = serde_json::from_value(message.content.as_ref()?.0.clone()).ok()?;
            let (Content::InApp(line) | Content::Push(line)) = content else { return None };
            Some(json!({"title": line.title, "url": line.url}))
        })
        .collect();
    let variables = json!({"count": items.len(), "items": items});
    variables.as_object().cloned().unwrap_or_default()
}
