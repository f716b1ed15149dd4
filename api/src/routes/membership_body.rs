//! What can be said about somebody as one who does work, and how it is checked.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use matching::{DayOverride, Hours, Point, Skill, Window};
use schedule::Zone;
use serde::{Deserialize, Serialize};
use store::people::MembershipTerms;
use utoipa::ToSchema;

use super::parties::minute;
use crate::{
    limits::{
        DAY_WINDOWS_MAX, HOURS_OVERRIDES_MAX, MEMBER_ROLES_MAX, MEMBER_SITES_MAX, MEMBER_SKILLS_MAX,
        RADIUS_KM_DEFAULT, RADIUS_KM_MAX, WORD_CHARS_MAX,
    },
    problem::{FieldError, Problem},
};

/// The days of a week, from Monday on, as they are written.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// Metres of a kilometre.
const KM_M: u32 = 1_000;

/// What somebody may do, where and when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembershipBody {
    /// The version that was seen; none when nothing has been said before.
    #[serde(default)]
    version: Option<i32>,
    /// Whether they take work at all; they do unless this says otherwise.
    #[serde(default = "yes")]
    active: bool,
    /// What they may be.
    #[schema(example = json!(["technician"]))]
    roles: Vec<String>,
    /// The sites of the house at which they may be that; everywhere unless given. Then visits at no site are none of theirs.
    #[serde(default)]
    #[schema(example = json!(["lyon"]))]
    sites: Vec<String>,
    /// What they know.
    #[serde(default)]
    skills: Vec<SkillBody>,
    /// Where their clock hangs, by the IANA database.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    /// When they work; always unless given.
    #[serde(default)]
    hours: Option<HoursBody>,
    /// Where they start from; how far away something is counts nothing unless given.
    #[serde(default)]
    home: Option<Place>,
    /// How far they go, in kilometres; 50 unless given.
    #[serde(default)]
    #[schema(maximum = 500)]
    radius_km: Option<u32>,
    /// Visits of a day.
    #[serde(default)]
    visits_per_day: Option<i16>,
    /// Minutes of visits of a day.
    #[serde(default)]
    minutes_per_day: Option<i16>,
    /// Preferred by the house.
    #[serde(default)]
    preferred: bool,
}

fn yes() -> bool {
    true
}

/// Something they know.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkillBody {
    /// What it is called.
    #[schema(example = "aerial")]
    name: String,
    /// How well, from 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    level: u8,
    /// When the certificate for it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certified_until: Option<DateTime<Utc>>,
}

/// A place.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Degrees north of the equator.
    #[schema(example = 48.2082)]
    latitude: f64,
    /// Degrees east of Greenwich.
    #[schema(example = 16.3738)]
    longitude: f64,
}

impl Place {
    pub(super) fn of(point: Point) -> Self {
        Self { latitude: point.latitude, longitude: point.longitude }
    }

    pub(super) fn point(place: Option<Self>, pointer: &str) -> Result<Option<Point>, FieldError> {
        let Some(place) = place else { return Ok(None) };
        let point = Point::new(place.latitude, place.longitude);
        let wrong = "takes a latitude from -90 to 90 and a longitude from -180 to 180";
        point.map(Some).ok_or_else(|| FieldError::new(pointer, wrong))
    }
}

/// When they work, by the clock on their wall.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoursBody {
    /// From `mon` to `sun`; days that are left out are free.
    #[serde(default)]
    week: Option<BTreeMap<String, Vec<WindowBody>>>,
    /// Days that are unlike others of their name; without windows they do not work on them.
    #[serde(default)]
    overrides: BTreeMap<NaiveDate, Vec<WindowBody>>,
}

/// A stretch of a day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowBody {
    /// From then, `HH:MM`.
    #[schema(example = "09:00")]
    from: String,
    /// Until then; `24:00` for midnight.
    #[schema(example = "17:00")]
    until: String,
}

impl WindowBody {
    fn of(window: Window) -> Self {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self { from: clock(window.from), until: clock(window.until) }
    }

    fn window(&self) -> Option<Window> {
        let at = |text: &str| if text == "24:00" { Some(DAY_MINUTES) } else { Some(minute(text)? as u16) };
        let window = Window { from: at(&self.from)?, until: at(&self.until)? };
        window.is_sound().then_some(window)
    }
}

impl HoursBody {
    pub(super) fn of(hours: &Hours) -> Option<Self> {
        let windows = |windows: &[Window]| windows.iter().copied().map(WindowBody::of).collect();
        if hours.week.is_none() && hours.overrides.is_empty() {
            return None;
        }
        let week = hours.week.as_ref().map(|week| {
            DAYS.iter().zip(week).map(|(day, each)| ((*day).to_owned(), windows(each))).collect()
        });
        let overrides = hours.overrides.iter().map(|day| (day.date, windows(&day.windows))).collect();
        Some(Self { week, overrides })
    }

    fn check(&self, errors: &mut Vec<FieldError>) -> Hours {
        let mut read = |windows: &[WindowBody], pointer: String| {
            let read: Option<Vec<Window>> = windows.iter().map(WindowBody::window).collect();
            let read = read.filter(|read| read.len() <= DAY_WINDOWS_MAX);
            if read.is_none() {
                let detail =
                    format!("takes up to {DAY_WINDOWS_MAX} windows, each from HH:MM until a later HH:MM");
                errors.push(FieldError::new(pointer, detail));
            }
            read.unwrap_or_default()
        };
        let mut week: Option<[Vec<Window>; 7]> = self.week.as_ref().map(|_| Default::default());
        let mut strange = None;
        for (day, windows) in self.week.iter().flatten() {
            match (DAYS.iter().position(|name| name == day), &mut week) {
                (Some(at), Some(week)) => week[at] = read(windows, format!("/hours/week/{day}")),
                _ => strange = Some(format!("/hours/week/{day}")),
            }
        }
        let overrides = self.overrides.iter().take(HOURS_OVERRIDES_MAX).map(|(date, windows)| DayOverride {
            date: *date,
            windows: read(windows, format!("/hours/overrides/{date}")),
        });
        let overrides = overrides.collect();
        errors.extend(
            strange.map(|pointer| FieldError::new(pointer, "the days are mon, tue, wed, thu, fri, sat, sun")),
        );
        if self.overrides.len() > HOURS_OVERRIDES_MAX {
            errors.push(FieldError::new(
                "/hours/overrides",
                format!("takes at most {HOURS_OVERRIDES_MAX} days"),
            ));
        }
        Hours { week, overrides }
    }
}

/// Whether `word` can name a role or a skill.
pub(super) fn is_word(word: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

impl MembershipBody {
    /// The version that was seen, and what is said now.
    pub(super) fn check(self) -> Result<(Option<i32>, MembershipTerms), Problem> {
        let mut errors = Vec::new();
        let word = format!("takes 1 to {WORD_CHARS_MAX} of a-z, 0-9, _ and -");
        if !(1..=MEMBER_ROLES_MAX).contains(&self.roles.len()) || !self.roles.iter().all(|role| is_word(role))
        {
            errors.push(FieldError::new(
                "/roles",
                format!("takes 1 to {MEMBER_ROLES_MAX} roles, each of which {word}"),
            ));
        }
        if self.sites.len() > MEMBER_SITES_MAX || !self.sites.iter().all(|site| is_word(site)) {
            let detail = format!("takes at most {MEMBER_SITES_MAX} sites, each of which {word}");
            errors.push(FieldError::new("/sites", detail));
        }
        if self.skills.len() > MEMBER_SKILLS_MAX {
            errors.push(FieldError::new("/skills", format!("takes at most {MEMBER_SKILLS_MAX} skills")));
        }
        for (at, skill) in self.skills.iter().enumerate().take(MEMBER_SKILLS_MAX) {
            if !is_word(&skill.name) || self.skills[..at].iter().any(|other| other.name == skill.name) {
                errors.push(FieldError::new(
                    format!("/skills/{at}/name"),
                    format!("{word}, and each name once"),
                ));
            }
            if !(1..=5).contains(&skill.level) {
                errors.push(FieldError::new(format!("/skills/{at}/level"), "takes 1 to 5"));
            }
        }
        if let Err(unknown) = self.timezone.parse::<Zone>() {
            errors.push(FieldError::new("/timezone", unknown.to_string()));
        }
        let hours = self.hours.as_ref().map(|hours| hours.check(&mut errors)).unwrap_or_default();
        let home = Place::point(self.home, "/home").unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        let radius_km = self.radius_km.unwrap_or(RADIUS_KM_DEFAULT);
        if !(1..=RADIUS_KM_MAX).contains(&radius_km) {
            errors.push(FieldError::new("/radius_km", format!("takes 1 to {RADIUS_KM_MAX}")));
        }
        for (pointer, most) in
            [("/visits_per_day", self.visits_per_day), ("/minutes_per_day", self.minutes_per_day)]
        {
            if most.is_some_and(|most| !(1..=DAY_MINUTES as i16).contains(&most)) {
                errors.push(FieldError::new(pointer, format!("takes 1 to {DAY_MINUTES}")));
            }
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let skill = |skill: SkillBody| Skill {
            name: skill.name,
            level: skill.level,
            certified_until: skill.certified_until,
        };
        let terms = MembershipTerms {
            is_active: self.active,
            roles: self.roles,
            sites: self.sites,
            skills: self.skills.into_iter().map(skill).collect(),
            timezone: self.timezone,
            hours,
            home,
            radius_m: radius_km * KM_M,
            visits_max: self.visits_per_day,
            minutes_max: self.minutes_per_day,
            is_preferred: self.preferred,
        };
        Ok((self.version, terms))
    }
}

impl SkillBody {
    pub(super) fn of(skill: &Skill) -> Self {
        Self { name: skill.name.clone(), level: skill.level, certified_until: skill.certified_until }
    }
}

/// Whole kilometres.
pub(super) fn kilometres(metres: i32) -> u32 {
    metres.unsigned_abs() / KM_M
}
