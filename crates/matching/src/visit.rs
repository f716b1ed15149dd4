//! What is asked for, and by which rules it is given.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{Candidate, Point, Span, Weights};

/// How much longer a road is than the line between its ends, in hundredths.
const DETOUR_PERCENT: u32 = 130;
/// How far one gets in a minute, in metres: 40 km an hour, with the search for a place to park.
const METRES_A_MINUTE: u32 = 667;
/// Longest way that is kept free, in minutes.
const TRAVEL_MINUTES_MAX: u32 = 240;

/// A visit that somebody should do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// From when until when.
    pub during: Span,
    /// Minutes to keep free before it.
    pub before_minutes: u16,
    /// Minutes to keep free after it.
    pub after_minutes: u16,
    /// Where; none when nobody knows.
    pub place: Option<Point>,
    /// The role that it takes.
    pub role: String,
    /// What one has to know.
    pub skills: Vec<String>,
    /// At which site of the house it is; none when it is at none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

impl Visit {
    /// How far `candidate` has to come, in metres; none when one end is not known.
    pub(crate) fn metres(&self, candidate: &Candidate) -> Option<u32> {
        Some(self.place?.metres_to(&candidate.home?))
    }

    /// The minutes of the way there. The way between two visits is never longer than that over home, so whoever keeps
    /// both ways free gets from any visit to any other.
    pub(crate) fn travel_minutes(metres: Option<u32>) -> u16 {
        let road = u64::from(metres.unwrap_or(0)) * u64::from(DETOUR_PERCENT);
        let minutes = road.div_ceil(u64::from(METRES_A_MINUTE) * 100);
        minutes.min(u64::from(TRAVEL_MINUTES_MAX)) as u16
    }

    /// What has to be free of somebody's time who starts from `home`: the visit, what is kept free around it, and the ways.
    pub fn protected_from(&self, home: Option<Point>) -> Span {
        let metres = self.place.zip(home).map(|(place, home)| place.metres_to(&home));
        self.protected(Self::travel_minutes(metres))
    }

    /// What has to be free for it, with `travel` minutes of way.
    pub(crate) fn protected(&self, travel: u16) -> Span {
        let minutes = |buffer: u16| TimeDelta::minutes(i64::from(buffer) + i64::from(travel));
        self.during.widened(minutes(self.before_minutes), minutes(self.after_minutes))
    }
}

/// The rules of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What each factor is worth.
    pub weights: Weights,
    /// Scores that fall into one band of this width are alike, and whoever had less work goes first; 0 for none.
    #[serde(default)]
    pub fairness_band: u16,
    /// Whether a calendar that has not been read lately excludes its owner, and does not only mark them.
    #[serde(default)]
    pub strict_calendars: bool,
}

impl Terms {
    /// Those of a media agency.
    pub const VREM: Self = Self { weights: Weights::VREM, fairness_band: 0, strict_calendars: false };
}
