//! Words, numbers and times as people read them.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use maud::{Markup, PreEscaped, html};
use schedule::Zone;
use tr::tr;

use super::languages::language;
use crate::problem::{FieldError, Problem};

tokio::task_local! {
    /// By which clocks the page is read that is being made: the guard knows, and times stand all over a page.
    static ZONE: Zone;
}

/// Makes a page for somebody who reads times in `zone`.
pub(super) async fn reading<F: Future>(zone: Zone, page: F) -> F::Output {
    ZONE.scope(zone, page).await
}

/// In which zone whoever looks reads times.
pub(super) fn zone() -> Zone {
    ZONE.try_with(|zone| *zone).unwrap_or(Zone::UTC)
}

/// Says of a text that stands elsewhere than where it is shown that catalogues have it.
macro_rules! mark {
    ($text:literal) => {
        $text
    };
}
pub(super) use mark;

/// A sentence with marked-up parts. Whatever came from outside has to be escaped by whoever put it in.
pub(super) fn rich(sentence: String) -> Markup {
    PreEscaped(sentence)
}

/// How forms write a time.
pub(super) const LOCAL: &str = "%Y-%m-%dT%H:%M";

/// The zone in which a form is read that names one: whoever looks may choose another before it is sent. Else, and where it names none
/// that there is, that of whoever looks.
pub(super) fn zone_of(named: &str) -> Zone {
    named.parse().unwrap_or_else(|_| zone())
}

/// Says in a form in which zone its times are.
pub(super) fn zone_field(zone: Zone) -> Markup {
    html! { input type="hidden" name="zone" value=(zone.name()); }
}

/// The time that the field called `name` of a form says, if it says one, by clocks of the zone that the form names, or else by those
/// of whoever looks.
pub(super) fn moment(named: &str, text: &str, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let zone = if named.is_empty() { Ok(zone()) } else { named.parse::<Zone>() };
    let zone =
        zone.map_err(|unknown| Problem::invalid(vec![FieldError::new("/zone", unknown.to_string())]))?;
    moment_in(zone, text).map_err(|NoTime| {
        let detail = "a day and a time, as 2026-11-22T04:15";
        Problem::invalid(vec![FieldError::new(format!("/{name}"), detail)])
    })
}

/// A text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoTime;

/// The time that a clock of `zone` shows, if `text` says one.
pub(super) fn moment_in(zone: Zone, text: &str) -> Result<Option<DateTime<Utc>>, NoTime> {
    if text.is_empty() {
        return Ok(None);
    }
    let wall = NaiveDateTime::parse_from_str(text, LOCAL).map_err(|_| NoTime)?;
    // At the ends of what a time can be there is no room for an offset.
    if (0..=9999).contains(&wall.year()) { Ok(Some(zone.appointed(wall))) } else { Err(NoTime) }
}

/// How long, in its largest two units.
pub(super) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let two = |large: i64, unit: &str, small: i64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    };
    match seconds {
        0 if span.num_milliseconds() > 0 => format!("{} ms", span.num_milliseconds()),
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// How long ago or ahead, with the exact time beside it.
pub(super) fn when(at: DateTime<Utc>) -> Markup {
    let past = Utc::now() - at;
    let text = match past.num_seconds() {
        0 => tr!("now"),
        seconds if seconds > 0 => tr!("{span} ago", span = rough(past)),
        _ => tr!("in {span}", span = rough(-past)),
    };
    html! { time datetime=(at.to_rfc3339()) title=(exact(at)) { (text) } }
}

/// In the largest unit only: what lists have room for.
fn rough(span: TimeDelta) -> String {
    match span.num_seconds() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// To the second, by the clocks of whoever looks.
pub(super) fn exact(at: DateTime<Utc>) -> String {
    exact_in(zone(), at)
}

fn exact_in(zone: Zone, at: DateTime<Utc>) -> String {
    format!("{} {}", zone.wall(at).format("%Y-%m-%d %H:%M:%S"), zone.name())
}

/// With one digit after the point.
pub(super) fn decimal(number: f64) -> String {
    format!("{number:.1}").replace('.', language().before_fractions())
}

/// With its thousands apart.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(language().between_thousands());
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A count that ends at `most`: one more means "or more".
pub(super) fn up_to(number: i64, most: i64) -> String {
    if number > most { format!("{}+", count(most)) } else { count(number) }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use schedule::Zone;

    use super::{LOCAL, NoTime, count, exact_in, moment_in, reading, span, up_to, zone};

    #[tokio::test]
    async fn times_are_said_by_the_clocks_of_whoever_looks() {
        let (at, berlin) =
            (DateTime::from_timestamp(1_782_900_000, 0).unwrap(), "Europe/Berlin".parse::<Zone>().unwrap());
        assert_eq!(exact_in(Zone::UTC, at), "2026-07-01 10:00:00 UTC");
        assert_eq!(exact_in(berlin, at), "2026-07-01 12:00:00 Europe/Berlin");
        assert_eq!(moment_in(berlin, &berlin.wall(at).format(LOCAL).to_string()), Ok(Some(at)));
        assert_eq!((moment_in(berlin, ""), moment_in(berlin, "noon")), (Ok(None), Err(NoTime)));
        assert_eq!((zone(), reading(berlin, async { zone() }).await), (Zone::UTC, berlin));
    }

    #[test]
    fn spans_are_said_in_two_units() {
        let said = [
            (250, "250 ms"),
            (42_000, "42 s"),
            (120_000, "2 min"),
            (3_725_000, "1 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, text) in said {
            assert_eq!(span(TimeDelta::milliseconds(ms)), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(up_to(10_001, 10_000), "10,000+");
    }
}
