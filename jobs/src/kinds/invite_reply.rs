//! `invite.reply`: what a guest answers to an invitation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Backoff, Invalid, InvitationId, Job, Policy, Priority, Queue};

/// Bytes of an answer.
pub const REPLY_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a mail address.
pub const REPLY_FROM_BYTES_MAX: usize = 320;

/// Notes what a guest answered; of whoever is to do the work, it answers what they were offered. Made of mails that come to the mailbox
/// for bounces, or by you, of those that come to yours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteReply {
    /// The part of the mail that is `text/calendar` with the method REPLY, at most 32 KiB.
    #[schemars(length(max = 32_768), extend("x-private" = true))]
    pub calendar: String,
    /// Who the mail is from, if it came by mail: only the guest, or whom the answer names as writing for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320), extend("x-private" = true))]
    pub from: Option<String>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// It stands with the invitation.
    Noted,
    /// The guest was told something else since, or has answered since.
    Overtaken,
    /// It is from somebody else.
    Stranger,
    /// There is no such invitation any more.
    Unknown,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteReplied {
    /// The invitation.
    pub invitation: InvitationId,
    /// What became of the answer.
    pub heard: Heard,
}

impl Job for InviteReply {
    const KIND: &'static str = "invite.reply";
    const VERSION: u16 = 1;
    const SUMMARY: &'static str = "Note what a guest answered to an invitation";
    const QUEUE: Queue = Queue::Default;
    const POLICY: Policy = Policy {
        max_attempts: 8,
        timeout_s: 30,
        backoff: Backoff { base_ms: 1_000, cap_s: 60 },
        priority: Priority::NORMAL,
        promise_s: None,
    };
    type Output = InviteReplied;

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.calendar.len() <= REPLY_BYTES_MAX, "/calendar", "takes at most 32768 bytes")?;
        let from = self.from.as_ref().map_or(0, String::len);
        Invalid::unless(from <= REPLY_FROM_BYTES_MAX, "/from", "takes at most 320 bytes")
    }

    fn example() -> Self {
        let uid = "bkg_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f.inv_0192f3c47a1b7c3d8e4f5a6b7c8d9e10@crewline";
        let calendar = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
             SEQUENCE:1\r\nDTSTAMP:20260701T100000Z\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@example.com\r\n\
             ORGANIZER:mailto:hello@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        Self { calendar, from: Some("ada@example.com".to_owned()) }
    }
}
