//! Entries as providers tell them, in JSON. Each is written down as a calendar file would say it, and read as one: so there is one
//! reading of rules, zones and doubts.

pub mod cronofy;
pub mod google;
pub mod microsoft;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use schedule::Zone;

use crate::{
    event::Event,
    ours::{Ours, booking_of},
    read::read,
};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// The provider's name for it.
    pub id: String,
    /// How it is.
    pub etag: String,
    /// When.
    pub event: Event,
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
}

impl Draft<'_> {
    fn event(&self) -> Event {
        let mut event = self.read().unwrap_or_else(Event::unreadable);
        self.uid.clone_into(&mut event.uid);
        event.is_busy = !self.is_free;
        // What we wrote, or invited to, takes no time a second time.
        event.ours = booking_of(self.uid).map(|booking| Ours { booking, is_untouched: true });
        event
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
