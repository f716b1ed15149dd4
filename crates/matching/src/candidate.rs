//! Who might do it, and everything about them that counts.

use chrono::{DateTime, Utc};
use jobs::PartyId;
use schedule::Zone;
use serde::{Deserialize, Serialize};

use crate::{Hours, Point, Span};

/// Something they know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// What it is called.
    pub name: String,
    /// How well, from 1 to 5.
    pub level: u8,
    /// When the certificate for it ends; none when it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified_until: Option<DateTime<Utc>>,
}

/// Who prefers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preferred {
    /// Nobody.
    No,
    /// The company of who orders, or the house.
    ByCompany,
    /// Who orders.
    ByClient,
}

/// Why a time is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// By a booking, or an appointment elsewhere; without a name where it is nobody's business.
    Busy(Option<String>),
    /// They are off.
    TimeOff(String),
}

/// Time that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// When, with what is kept free around it.
    pub during: Span,
    /// Why.
    pub what: What,
}

/// What was seen of them lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Visits they should have done.
    pub visits: u32,
    /// For how many of them they were on time.
    pub on_time: u32,
    /// To how many they did not come.
    pub no_shows: u32,
    /// How many said how well they did.
    pub ratings: u32,
    /// The stars they gave, from 1 to 5 each.
    pub stars: u32,
}

/// Somebody who might do a visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Who.
    pub party: PartyId,
    /// The version of what is known of them.
    pub version: i32,
    /// Whether they take work at all.
    pub is_active: bool,
    /// What they may be.
    pub roles: Vec<String>,
    /// The sites of the house at which they may be that; none when they may be it everywhere.
    pub sites: Vec<String>,
    /// What they know.
    pub skills: Vec<Skill>,
    /// Where they start from.
    pub home: Option<Point>,
    /// How far they go, in metres.
    pub radius_m: u32,
    /// Where their clock hangs.
    pub zone: Zone,
    /// When they work.
    pub hours: Hours,
    /// Visits of a day.
    pub visits_max: Option<u16>,
    /// Minutes of visits of a day.
    pub minutes_max: Option<u16>,
    /// Who prefers them.
    pub preferred: Preferred,
    /// Who wants nothing to do with whom, in words.
    pub blocked: Option<String>,
    /// What is taken of their time.
    pub taken: Vec<Taken>,
    /// The visits they have, without what is kept free around them.
    pub visits: Vec<Span>,
    /// What was seen of them lately.
    pub past: Past,
    /// How they were asked about this before, and said no or nothing.
    pub declined: Option<String>,
    /// When their calendar was last read, if that is too long ago.
    pub stale_since: Option<DateTime<Utc>>,
    /// Minutes of visits in the last seven days.
    pub week_minutes: u32,
    /// When they were last asked about anything.
    pub last_offered_at: Option<DateTime<Utc>>,
}

impl Candidate {
    /// Whether they may work at `site`. Whose sites are named takes no visit that is at none.
    pub(crate) fn works_at(&self, site: Option<&String>) -> bool {
        self.sites.is_empty() || site.is_some_and(|site| self.sites.contains(site))
    }
}
