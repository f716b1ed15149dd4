//! Reads the mailbox that mails come back to, notes what it says of ours, and passes on what guests answer.

use std::time::Duration;

use anyhow::Context;
use jobs::kinds::invite_reply::{InviteReply, REPLY_BYTES_MAX, REPLY_FROM_BYTES_MAX};
use notify::{Heard, MailedReply, hear_mail, reply_in};
use store::{
    Db,
    enqueue::NewJob,
    invitations,
    messages::{self, Feedback},
    turns,
};
use telemetry::metrics as names;
use tokio_util::sync::CancellationToken;

use crate::mailbox::Mailbox;

/// How often the mailbox is read, in seconds, by whichever process takes the turn.
const EVERY_S: u32 = 60;
/// How often a process asks for the turn.
const ASK: Duration = Duration::from_secs(10);
/// Longest time at the mailbox, so that the next turn finds nobody there.
const LOOK_MAX: Duration = Duration::from_secs(50);
/// Mails read in one turn.
const MAILS_MAX: usize = 500;

/// Looks until `stop`, if there is a mailbox.
pub async fn run(db: Db, mailbox: Option<Mailbox>, stop: CancellationToken) {
    let Some(mailbox) = mailbox else { return };
    while !stop.is_cancelled() {
        if let Err(error) = turn(&db, &mailbox).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "Could not read what came back by mail; trying again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Looks, if nobody else has just done so.
async fn turn(db: &Db, mailbox: &Mailbox) -> anyhow::Result<()> {
    if !turns::take(db, "bounces", EVERY_S).await? {
        return Ok(());
    }
    tokio::time::timeout(LOOK_MAX, look(db, mailbox)).await.context("the mailbox is slow")?
}

/// Reads what is new. A mail is marked once what it says is written down, so that one that is read twice at worst says
/// twice what it said.
async fn look(db: &Db, mailbox: &Mailbox) -> anyhow::Result<()> {
    let mut folder = mailbox.enter().await?;
    for mail in folder.unread().await?.into_iter().take(MAILS_MAX) {
        let Some(content) = folder.read(mail).await? else { continue };
        let is_understood = note(db, &content).await?;
        folder.mark(mail, is_understood).await?;
    }
    folder.leave().await
}

/// Whether it needs nobody's attention any more.
async fn note(db: &Db, mail: &[u8]) -> anyhow::Result<bool> {
    let report = match hear_mail(mail) {
        Ok(Heard::Fate(report)) => report,
        Ok(_) => return Ok(true),
        Err(_) => return pass_on(db, mail).await,
    };
    let Some(message) = report.message else { return Ok(false) };
    let state = report.fate.state();
    let is_ours = messages::note_returned(
        db,
        &Feedback {
            message,
            state,
            suppression: report.fate.suppression(),
            provider_id: None,
            detail: report.detail,
            cost: None,
            source: "mailbox".to_owned(),
        },
    )
    .await?;
    if is_ours {
        metrics::counter!(names::MESSAGES_TOTAL, names::LABEL_OUTCOME => state).increment(1);
    }
    Ok(is_ours)
}

/// Whether it is an answer to an invitation, which a job looks into. Anything else is for a person.
async fn pass_on(db: &Db, mail: &[u8]) -> anyhow::Result<bool> {
    let Some(MailedReply { from, method, calendar }) = reply_in(mail) else { return Ok(false) };
    // What the mail says has to be what the calendar says (RFC 6047, 2.4).
    if method.is_some_and(|method| !method.eq_ignore_ascii_case("REPLY")) {
        return Ok(false);
    }
    let is_short = calendar.len() <= REPLY_BYTES_MAX;
    let from = from.filter(|from| from.len() <= REPLY_FROM_BYTES_MAX);
    let Ok(reply) = calendar::reply(&calendar) else { return Ok(false) };
    let (true, Some(from)) = (is_short, from) else { return Ok(false) };
    let job = NewJob::of(&InviteReply { calendar, from: Some(from) })?;
    Ok(invitations::pass_on(db, reply.invitation, &job).await?)
}
