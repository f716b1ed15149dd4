//! Who is told what, by which way and when, and in which words.
//!
//! The rules decide ([`decide`]), templates say it ([`Source`]), segments count it ([`segments`]), and what comes back is
//! read ([`hear`]). Not here: who anybody is, what was sent, and the sending; that is `store` and `workers`.
//!
//! **Invariant:** no I/O, no runtime and no clock. The same question always gets the same answer, with its reasons.

mod audience;
mod content;
mod defaults;
mod feedback;
mod frame;
mod locale;
mod quiet;
mod request;
mod rules;
mod segments;
mod subscription;
mod templates;
mod unsubscribe;

pub use audience::{Consent, Contact, Preference, Recipient, Suppression};
pub use content::{ChatText, Content, Inbox, Invitation, Mail, Sms, contents};
pub use defaults::{NAMES as DEFAULT_NAMES, default_source, default_sources};
pub use feedback::{
    Cost, Fate, Heard, Keyword, MailedReply, NoFeedback, Report, hear, hear_mail, is_amazon_subscription,
    is_nobody, message_named, reply_in,
};
pub use locale::{fallbacks, is_locale, unsubscribe_label};
pub use quiet::Quiet;
pub use request::{About, History, Request, Rungs, Told};
pub use rules::{Decision, Note, Ringing, Throttle, Verdict, decide, dedupe_window, quiet_until, throttle};
pub use segments::{Encoding, Segments, segments};
pub use subscription::{Subscription, SubscriptionKeys};
pub use templates::{
    Button, LINES_MAX, PIECE_BYTES_MAX, RENDERED_BYTES_MAX, Rendered, Source, TemplateError,
};
pub use unsubscribe::{Token, sign, verify};
