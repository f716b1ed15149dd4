//! Invitations as calendars exchange them by mail (RFC 5546): what a guest is sent, and what comes back.
//!
//! Each guest has an entry of their own, whose UID nobody else has seen: whoever names it has read the invitation.

use calcard::{
    Entry as Read, Parser,
    common::PartialDateTime,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarMethod,
        ICalendarParameter, ICalendarParameterName, ICalendarParameterValue, ICalendarProperty,
        ICalendarValue, Uri,
    },
};
use chrono::{DateTime, NaiveDate, Utc};
use jobs::{BookingId, InvitationId};

use crate::{
    ours::{invitation_of, invited_uid},
    read::{text_of, word_of},
    write::{Entry, component, line, text, written},
};

/// What a guest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Come, at this time.
    Request,
    /// It is called off.
    Cancel,
}

impl Method {
    /// As it stands in mails.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// Somebody with a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What they are called.
    pub name: String,
    /// Their mail address.
    pub address: String,
}

/// The entry of a booking as `guest` is told of it by `host`. Its version is what the guest was told before, and one more.
pub fn invitation(
    entry: &Entry,
    id: InvitationId,
    (host, guest): (&Person, &Person),
    method: Method,
) -> String {
    let mut event = component(entry);
    for line in &mut event.entries {
        match line.name {
            ICalendarProperty::Uid => line.values = vec![text(&invited_uid(entry.booking, id))],
            ICalendarProperty::Status if method == Method::Cancel => line.values = vec![text("CANCELLED")],
            _ => {}
        }
    }
    let named = |person: &Person| parameter(ICalendarParameterName::Cn, &plain(&person.name));
    event.entries.push(address(ICalendarProperty::Organizer, vec![named(host)], host));
    let asked = vec![
        named(guest),
        parameter(ICalendarParameterName::Role, "REQ-PARTICIPANT"),
        parameter(ICalendarParameterName::Partstat, "NEEDS-ACTION"),
        parameter(ICalendarParameterName::Rsvp, "TRUE"),
    ];
    event.entries.push(address(ICalendarProperty::Attendee, asked, guest));
    written(vec![line(ICalendarProperty::Method, text(method.word()))], vec![event], Vec::new())
}

/// What a guest answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// They come.
    Accepted,
    /// They may come.
    Tentative,
    /// They do not.
    Declined,
}

impl Said {
    /// As it stands in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Tentative => "tentative",
            Self::Declined => "declined",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Tentative, Self::Declined]
            .into_iter()
            .find(|said| said.word().eq_ignore_ascii_case(word))
    }
}

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// To which invitation.
    pub invitation: InvitationId,
    /// To which booking.
    pub booking: BookingId,
    /// Who, by their address.
    pub guest: String,
    /// Who wrote it for them.
    pub sent_by: Option<String>,
    /// What.
    pub said: Said,
    /// To which version.
    pub version: i64,
    /// When, by their clock.
    pub at: Option<DateTime<Utc>>,
}

/// It is no answer to an invitation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// There is no calendar in it.
    #[error("it is not a calendar")]
    NoCalendar,
    /// It says something else than an answer.
    #[error("it is no answer")]
    OtherMethod,
    /// It answers somebody else's invitation.
    #[error("it answers no invitation of ours")]
    NotOurs,
    /// It does not say who answers, or what.
    #[error("it does not say who answers, or what")]
    NoAnswer,
}

/// Reads an answer to an invitation.
///
/// # Errors
/// When it is none, or to none of ours.
pub fn reply(said: &str) -> Result<Reply, NoReply> {
    let mut parser = Parser::new(said.trim_start_matches('\u{feff}'));
    let Read::ICalendar(calendar) = parser.entry() else { return Err(NoReply::NoCalendar) };
    if !is_reply(&calendar) {
        return Err(NoReply::OtherMethod);
    }
    let event = |component: &&ICalendarComponent| component.component_type == ICalendarComponentType::VEvent;
    let mut ours = calendar.components.iter().filter(event).filter_map(|component| {
        let uid = find(component, &ICalendarProperty::Uid).map(text_of)?;
        invitation_of(&uid).map(|ids| (component, ids))
    });
    let (component, (invitation, booking)) = ours.next().ok_or(NoReply::NotOurs)?;
    let attendee = find(component, &ICalendarProperty::Attendee).ok_or(NoReply::NoAnswer)?;
    let said = attendee.parameters(&ICalendarParameterName::Partstat).next();
    let said = said.and_then(|said| Said::named(word_of(said)));
    Ok(Reply {
        invitation,
        booking,
        guest: mail_of(&text_of(attendee)).to_owned(),
        sent_by: sent_by(attendee),
        said: said.ok_or(NoReply::NoAnswer)?,
        version: find(component, &ICalendarProperty::Sequence).map_or(0, number),
        at: find(component, &ICalendarProperty::Dtstamp).and_then(moment),
    })
}

fn is_reply(calendar: &ICalendar) -> bool {
    let head = calendar.components.first().and_then(|head| find(head, &ICalendarProperty::Method));
    match head.and_then(|entry| entry.values.first()) {
        Some(ICalendarValue::Method(method)) => *method == ICalendarMethod::Reply,
        Some(ICalendarValue::Text(word)) => word.eq_ignore_ascii_case("REPLY"),
        _ => false,
    }
}

fn find<'a>(component: &'a ICalendarComponent, name: &ICalendarProperty) -> Option<&'a ICalendarEntry> {
    component.entries.iter().find(|entry| entry.name == *name)
}

fn number(entry: &ICalendarEntry) -> i64 {
    match entry.values.first() {
        Some(ICalendarValue::Integer(number)) => *number,
        Some(ICalendarValue::Text(text)) => text.trim().parse().unwrap_or(0),
        _ => 0,
    }
}

/// A moment in UTC, as stamps have to be.
fn moment(entry: &ICalendarEntry) -> Option<DateTime<Utc>> {
    let Some(ICalendarValue::PartialDateTime(said)) = entry.values.first() else { return None };
    let PartialDateTime { year, month, day, hour, minute, second, .. } = said.as_ref();
    let date = NaiveDate::from_ymd_opt((*year)?.into(), (*month)?.into(), (*day)?.into())?;
    let time =
        date.and_hms_opt((*hour)?.into(), minute.unwrap_or(0).into(), second.unwrap_or(0).min(59).into())?;
    Some(time.and_utc())
}

fn sent_by(attendee: &ICalendarEntry) -> Option<String> {
    let said = attendee.parameters(&ICalendarParameterName::SentBy).next()?;
    let said = match said {
        ICalendarParameterValue::Uri(Uri::Location(address)) => address.as_str(),
        said => word_of(said),
    };
    Some(mail_of(said).to_owned()).filter(|address| !address.is_empty())
}

/// The address in a `mailto:`.
fn mail_of(said: &str) -> &str {
    let said = said.trim();
    match said.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &said[7..],
        _ => said,
    }
}

fn address(name: ICalendarProperty, params: Vec<ICalendarParameter>, person: &Person) -> ICalendarEntry {
    let mail = format!("mailto:{}", plain(&person.address));
    ICalendarEntry { name, params, values: vec![ICalendarValue::Uri(Uri::Location(mail))] }
}

fn parameter(name: ICalendarParameterName, value: &str) -> ICalendarParameter {
    ICalendarParameter { name, value: ICalendarParameterValue::Text(value.to_owned()) }
}

/// Without anything that ends a line or a parameter.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '"' { ' ' } else { c }).collect()
}
