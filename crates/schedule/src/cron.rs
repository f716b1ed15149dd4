//! A cron expression: read, checked, and asked for the next time on a clock on the wall.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::field::{self, Refused};

/// Bytes of an expression.
pub const EXPRESSION_BYTES_MAX: usize = 200;
/// How far ahead to look for a day that matches, in days: 40 years have every date on every weekday.
pub const HORIZON_DAYS_MAX: u32 = 14_610;

/// Names for what is wanted most often.
const NICKNAMES: [(&str, &str); 7] = [
    ("@YEARLY", "0 0 1 1 *"),
    ("@ANNUALLY", "0 0 1 1 *"),
    ("@MONTHLY", "0 0 1 * *"),
    ("@WEEKLY", "0 0 * * SUN"),
    ("@DAILY", "0 0 * * *"),
    ("@MIDNIGHT", "0 0 * * *"),
    ("@HOURLY", "0 * * * *"),
];

/// An expression that comes due again and again.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    pub(crate) inner: croner::Cron,
    /// The field for days of the month, as it was written.
    pub(crate) days: String,
    /// Whether the field for minutes or that for hours begins with `*`: then it goes by the clock and not by the day.
    pub(crate) is_wild: bool,
    hours: Vec<u32>,
    minutes: Vec<u32>,
    seconds: Vec<u32>,
}

impl Cron {
    /// Reads five fields, six with seconds, or a nickname such as `@daily`.
    ///
    /// # Errors
    /// Says which field is wrong and what it takes.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(Refused::new(format!("an expression takes at most {EXPRESSION_BYTES_MAX} bytes")));
        }
        let upper = text.trim().to_ascii_uppercase();
        let written = NICKNAMES.iter().find(|(name, _)| *name == upper).map_or(&*upper, |(_, fields)| fields);
        let mut fields: Vec<&str> = written.split_ascii_whitespace().collect();
        let shift = match fields.len() {
            5 => {
                fields.insert(0, "0");
                1
            }
            6 => 0,
            _ if written.starts_with('@') => {
                let known: Vec<String> = NICKNAMES.iter().map(|(name, _)| name.to_lowercase()).collect();
                return Err(Refused::new(format!("no such nickname; there are {}", known.join(", "))));
            }
            count => {
                return Err(Refused::new(format!(
                    "{count} fields; it takes five (minute, hour, day of month, month, day of week), or six with the \
                     second first"
                )));
            }
        };
        field::check(&fields, shift)?;
        let inner =
            field::parser().parse(&fields.join(" ")).map_err(|error| Refused::new(error.to_string()))?;
        let numbers =
            |component: &croner::CronComponent| component.values().into_iter().map(u32::from).collect();
        let cron = Self {
            text: text.trim().to_owned(),
            days: fields[3].to_owned(),
            is_wild: fields[1].starts_with('*') || fields[2].starts_with('*'),
            hours: numbers(&inner.pattern.hours),
            minutes: numbers(&inner.pattern.minutes),
            seconds: numbers(&inner.pattern.seconds),
            inner,
        };
        // Any day would do to begin with: the years that follow have every date on every weekday.
        match NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|day| cron.on_the_clock_after(day.into())) {
            Some(_) => Ok(cron),
            None => Err(Refused::new("never comes due: no year has such a day")),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The next time on a clock on the wall, as if it never was put forward or back.
    pub(crate) fn on_the_clock_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut day = local.date();
        if self.on_day(day)
            && let Some(time) = self.time_after(local.time(), false)
        {
            return Some(day.and_time(time));
        }
        for _ in 0..HORIZON_DAYS_MAX {
            day = day.succ_opt()?;
            if self.on_day(day) {
                return self.time_after(NaiveTime::MIN, true).map(|time| day.and_time(time));
            }
        }
        None
    }

    fn on_day(&self, day: NaiveDate) -> bool {
        let first = self.time_after(NaiveTime::MIN, true).map(|time| day.and_time(time));
        first.is_some_and(|first| self.inner.is_time_matching(&first).unwrap_or(false))
    }

    /// The first time of a day after `time`, or at it.
    fn time_after(&self, time: NaiveTime, or_at: bool) -> Option<NaiveTime> {
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let first = |numbers: &[u32]| numbers.first().copied();
        for &h in self.hours.iter().filter(|h| **h >= hour) {
            if h > hour {
                return NaiveTime::from_hms_opt(h, first(&self.minutes)?, first(&self.seconds)?);
            }
            for &m in self.minutes.iter().filter(|m| **m >= minute) {
                if m > minute {
                    return NaiveTime::from_hms_opt(h, m, first(&self.seconds)?);
                }
                if let Some(&s) = self.seconds.iter().find(|s| **s > second || (or_at && **s == second)) {
                    return NaiveTime::from_hms_opt(h, m, s);
                }
            }
        }
        None
    }
}
