//! Entries as providers tell them, in JSON. Each is written down as a calendar file would say it, and read as one: so there is one
//! reading of rules, zones and doubts. And bookings as providers take them.

pub mod cronofy;
pub mod google;
pub mod microsoft;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use jobs::BookingId;
use schedule::Zone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::{Event, is_false},
    ours::{Ours, booking_of, seal},
    read::read,
};

/// What comes before the name of a booking that is called off, where there is no other word for that.
const CALLED_OFF: &str = "Cancelled: ";

const DATE: &str = "%Y%m%d";
const TIME: &str = "%Y%m%dT%H%M%S";

/// A part of what a provider says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries that are new, or not as before.
    pub entries: Vec<Provided>,
    /// Those that are gone.
    pub gone: Vec<String>,
    /// Where the next part is, in the provider's words.
    pub next: Option<String>,
    /// Up to where it tells; on the last part.
    pub token: Option<String>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    /// The provider's name for it.
    pub id: String,
    /// How it is.
    pub etag: String,
    /// When.
    pub event: Event,
    /// It is told without its times: it lies outside of what was asked for, or did not move.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_hollow: bool,
}

impl Provided {
    fn of(event: Event, id: String, etag: String) -> Self {
        Self { id, etag, event, is_hollow: false }
    }
}

/// It is not what the provider is documented to say.
#[derive(Debug, thiserror::Error)]
#[error("it is not what its provider is documented to say")]
pub struct NoPage(#[from] serde_json::Error);

/// A time as a provider says it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Day(NaiveDate),
    Utc(DateTime<Utc>),
    Wall(NaiveDateTime, String),
}

impl Said {
    /// A day, such as `2026-07-01`.
    fn day(text: &str) -> Option<Self> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::Day)
    }

    /// A moment with its offset, by the clock of a zone where that is known: what repeats follows the wall.
    fn moment(text: &str, zone: Option<&str>) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
        let zone = zone.and_then(|name| name.parse::<Zone>().ok());
        Some(zone.map_or(Self::Utc(at), |zone| Self::Wall(zone.wall(at), zone.name().to_owned())))
    }

    /// The moment that it means; none of a day, nor by a clock that nobody knows.
    fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Day(_) => None,
            Self::Utc(at) => Some(*at),
            Self::Wall(wall, zone) => Some(zone.parse::<Zone>().ok()?.appointed(*wall)),
        }
    }

    /// What stands after the name of a line.
    fn line(&self) -> String {
        match self {
            Self::Day(day) => format!(";VALUE=DATE:{}", day.format(DATE)),
            Self::Utc(at) => format!(":{}Z", at.format(TIME)),
            Self::Wall(wall, zone) => format!(";TZID={}:{}", quoted(zone), wall.format(TIME)),
        }
    }
}

/// What is known of an entry.
#[derive(Default)]
struct Draft<'a> {
    uid: &'a str,
    start: Option<Said>,
    end: Option<Said>,
    /// Which of its series it takes the place of.
    instead_of: Option<Said>,
    /// Lines about how it repeats, as calendar files have them.
    repeats: &'a [String],
    is_free: bool,
    /// What it is called, and the seal that it carries: of one that we wrote.
    sealed: Option<(BookingId, &'a str, &'a str)>,
    /// The booking that we wrote it for, where only the provider's name for it or that word says so.
    booking: Option<BookingId>,
}

impl Draft<'_> {
    fn event(&self) -> Event {
        let mut event = self.read().unwrap_or_else(Event::unreadable);
        self.uid.clone_into(&mut event.uid);
        event.is_busy = !self.is_free;
        event.ours = self.ours();
        event
    }

    /// What we wrote, or invited to, takes no time a second time. A copy that somebody changed is theirs.
    fn ours(&self) -> Option<Ours> {
        let is_untouched = self.is_sealed();
        if let Some(booking) = self.booking {
            return Some(Ours { booking, is_untouched, is_copy: false });
        }
        let sealed = self.sealed.filter(|_| is_untouched).map(|(booking, ..)| booking);
        let booking = booking_of(self.uid).or(sealed)?;
        Some(Ours { booking, is_untouched: true, is_copy: true })
    }

    /// Whether it is when, and called what, it was when it was sealed.
    fn is_sealed(&self) -> bool {
        let at = |said: &Option<Said>| said.as_ref().and_then(Said::at);
        let Some(((booking, summary, said), (from, until))) =
            self.sealed.zip(at(&self.start).zip(at(&self.end)))
        else {
            return false;
        };
        !self.is_free && self.repeats.is_empty() && said == seal(booking, (from, until), summary)
    }

    fn read(&self) -> Option<Event> {
        let mut lines =
            vec!["BEGIN:VCALENDAR".to_owned(), "VERSION:2.0".to_owned(), "BEGIN:VEVENT".to_owned()];
        let times = [("DTSTART", &self.start), ("DTEND", &self.end), ("RECURRENCE-ID", &self.instead_of)];
        lines
            .extend(times.iter().filter_map(|(name, said)| Some(format!("{name}{}", said.as_ref()?.line()))));
        // One line each, whatever they hold.
        lines.extend(self.repeats.iter().map(|line| line.replace(char::is_control, "")));
        lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned(), String::new()]);
        let mut events = read(lines.join("\r\n").as_bytes(), None).ok()?;
        (events.len() == 1).then(|| events.remove(0))
    }
}

/// A zone's name as a parameter.
fn quoted(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control() && *c != '"').collect();
    format!("\"{name}\"")
}

/// A moment as providers take it.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The text at `path` of what a provider says; nothing where there is none.
fn text_at<'a>(said: &'a Value, path: &str) -> &'a str {
    said.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Whether somebody wrote something down at one of `texts`, or put something into one of `lists`.
fn has_words(said: &Value, texts: &[&str], lists: &[&str]) -> bool {
    let has_some =
        |path: &&str| said.pointer(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    texts.iter().any(|path| !text_at(said, path).trim().is_empty()) || lists.iter().any(has_some)
}
