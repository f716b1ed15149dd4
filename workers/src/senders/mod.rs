//! Those who carry messages out of the house: a mail server, a chat, a carrier of text messages, push services.
//!
//! Each answers in one of the words of [`Answer`], of which the last matters most: nobody knows. Whoever says "not sent"
//! must know it, for then it is sent again.

mod args;
mod chat;
mod http;
mod mail;
mod push;
mod sealed;
mod sms;
mod smtp;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jobs::Channel;
use notify::{Content, Cost};
use outbound::Outbound;

pub(crate) use self::sms::LISTED_AFTER;
pub use self::{
    args::{SendingArgs, Tls},
    chat::Chat,
    mail::{Letter, Mailer},
    push::Push,
    sms::{Carrier, Listed},
};

/// Longest time between writing down that somebody is about to be called and calling them.
const STILL_MAX: Duration = Duration::from_secs(10);

/// What became of a message that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// They took it; what they call it.
    Done(Option<String>),
    /// They did not, and may later.
    Refused(String),
    /// They take nothing from anybody now, or nobody answers; they may be asked again after so long, if they said.
    Away(String, Option<Duration>),
    /// They did not, and never will.
    Failed(String),
    /// They did not: there is nobody at this address.
    Nobody(String),
    /// They did not: whoever is there told them that they want nothing more.
    Stopped(String),
    /// It may have gone out, or not.
    Unknown(String),
}

/// What somebody says who is asked about a message from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It went out; what they call it.
    Found(String),
    /// It did not.
    NotFound,
    /// Ask again after so long: now its absence would prove nothing.
    Later(Duration),
    /// They cannot say.
    CannotSay,
}

/// Somebody who carries messages of one channel.
trait Carries {
    /// What they are handed.
    type What;
    /// As they stand in the ledger.
    const NAME: &'static str;

    /// Hands it over, once.
    async fn send(&self, letter: &Letter<'_>, what: &Self::What) -> Answer;
}

/// Hands `what` to `carrier`, if there is one.
async fn handed<C: Carries>(carrier: Option<&C>, letter: &Letter<'_>, what: &C::What) -> Answer {
    match carrier {
        Some(carrier) => carrier.send(letter, what).await,
        None => Answer::Failed("this worker has no provider for the channel".to_owned()),
    }
}

/// Everybody who carries messages.
pub struct Senders {
    /// How recipients reach the api, for links; none for mails without.
    pub public_url: Option<String>,
    mail: Option<Mailer>,
    chat: Chat,
    sms: Option<Carrier>,
    push: Option<Push>,
}

impl Senders {
    /// Those that `args` name; devices are reached by `outbound`.
    ///
    /// # Errors
    /// Says which setting cannot be used.
    pub fn open(args: &SendingArgs, outbound: Outbound) -> anyhow::Result<Self> {
        let client = http::client()?;
        Ok(Self {
            public_url: args.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned()),
            mail: args.mailer()?,
            chat: Chat::new(client.clone(), &args.chat_origins),
            sms: args.carrier(client)?,
            push: args.push(outbound)?,
        })
    }

    /// The channels that there is somebody for.
    pub fn able(&self) -> Vec<Channel> {
        let mut able = vec![Channel::InApp, Channel::Chat];
        able.extend(self.mail.is_some().then_some(Channel::Email));
        able.extend(self.sms.is_some().then_some(Channel::Sms));
        able.extend(self.push.is_some().then_some(Channel::Push));
        able
    }

    /// Who mails are from: what they are called, and their address; none when nothing goes out by mail.
    pub fn mail_from(&self) -> Option<(String, String)> {
        let sender = self.mail.as_ref()?.sender();
        let address = sender.email.to_string();
        Some((sender.name.clone().unwrap_or_else(|| address.clone()), address))
    }

    /// Who carries `content`, as it stands in the ledger; none when there is nobody.
    pub fn provider(&self, content: &Content) -> Option<&'static str> {
        match content {
            Content::Email(_) => self.mail.as_ref().map(|_| Mailer::NAME),
            Content::Sms(_) => self.sms.as_ref().map(|_| Carrier::NAME),
            Content::Chat(_) => Some(Chat::NAME),
            Content::Push(_) => self.push.as_ref().map(|_| Push::NAME),
            Content::InApp(_) => None,
        }
    }

    /// Hands `letter` over, once.
    pub async fn send(&self, letter: &Letter<'_>) -> Answer {
        match letter.content {
            Content::Email(mail) => handed(self.mail.as_ref(), letter, mail).await,
            Content::Sms(sms) => handed(self.sms.as_ref(), letter, sms).await,
            Content::Chat(chat) => self.chat.send(letter, chat).await,
            Content::Push(line) => handed(self.push.as_ref(), letter, line).await,
            Content::InApp(_) => Answer::Failed("nobody carries what stays in the house".to_owned()),
        }
    }

    /// What may be `letter`, of what went out since it was begun and nobody wrote down the end; or what they say instead.
    ///
    /// # Errors
    /// When they list nothing.
    pub async fn list(&self, letter: &Letter<'_>, begun_at: DateTime<Utc>) -> Result<Listed, Asked> {
        match (letter.content, &self.sms) {
            (Content::Sms(sms), Some(carrier)) => carrier.list(letter.address, &sms.text, begun_at).await,
            _ => Err(Asked::CannotSay),
        }
    }

    /// What the message of `channel` cost that its carrier calls `name`; none where nobody says.
    pub async fn cost(&self, channel: Channel, name: &str) -> Option<Cost> {
        match (channel, &self.sms) {
            (Channel::Sms, Some(carrier)) => carrier.cost(name).await,
            _ => None,
        }
    }
}

/// Whether somebody who wrote down that they would call has not come to it for so long that another may have been told to,
/// by either clock: one of them may have stood still as well.
pub(crate) fn stood_still(since: (Instant, DateTime<Utc>), now: (Instant, DateTime<Utc>)) -> bool {
    let by_wall = (now.1 - since.1).to_std().unwrap_or_default();
    now.0.saturating_duration_since(since.0).max(by_wall) > STILL_MAX
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn whoever_stood_still_by_either_clock_does_not_call() {
        let (instant, wall) = (Instant::now(), Utc::now());
        let still = |by_instant: u64, by_wall: i64| {
            let now = (instant + Duration::from_secs(by_instant), wall + TimeDelta::seconds(by_wall));
            stood_still((instant, wall), now)
        };
        assert!(!still(0, 0) && !still(10, 10));
        assert!(still(11, 0), "the wall clock was set back");
        assert!(still(0, 11), "the machine slept");
        assert!(!still(0, -3_600));
    }
}
