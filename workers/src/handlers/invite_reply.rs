//! Does `invite.reply`.

use calendar::{Reply, reply};
use jobs::{
    Outcome,
    failure::Classify,
    kinds::invite_reply::{Heard, InviteReplied, InviteReply},
};
use store::invitations::{self, Answered};

use crate::{cx::Cx, registry::Handle};

impl Handle for InviteReply {
    async fn run(self, cx: &Cx<'_>) -> Outcome<InviteReplied> {
        let reply = reply(&self.calendar).discard("not_a_reply")?;
        let invitation = reply.invitation;
        if !is_from(&reply, self.from.as_deref()) {
            return Ok(InviteReplied { invitation, heard: Heard::Stranger });
        }
        let answered = Answered {
            invitation,
            booking: reply.booking,
            guest: reply.guest,
            said: reply.said.word(),
            wish: reply.version,
            at: reply.at,
        };
        let (db, tenant) = (&cx.deps.db, cx.tenant());
        let heard = match invitations::answer(db, tenant, &answered).await? {
            invitations::Heard::Noted => {
                invitations::follow(db, tenant, &answered).await?;
                Heard::Noted
            }
            invitations::Heard::Overtaken => Heard::Overtaken,
            invitations::Heard::Stranger => Heard::Stranger,
            invitations::Heard::Unknown => Heard::Unknown,
        };
        Ok(InviteReplied { invitation, heard })
    }
}

/// Whether a mail is from the guest, or from whom they let write.
fn is_from(reply: &Reply, from: Option<&str>) -> bool {
    let is = |address: &str| from.is_none_or(|from| from.eq_ignore_ascii_case(address));
    is(&reply.guest) || reply.sent_by.as_deref().is_some_and(is)
}
