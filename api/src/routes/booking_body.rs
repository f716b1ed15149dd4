//! What can be booked and what can be looked for, and how it is checked.

use ::jobs::{BookingId, MatchRequestId, PartyId};
use chrono::{DateTime, TimeDelta, Utc};
use matching::{Point, Span, Terms, Visit, Weights};
use serde::{Deserialize, Serialize};
use store::{
    bookings::{NewBooking, Status},
    matches::NewMatchRequest,
};
use utoipa::ToSchema;

use super::{
    absences::span,
    membership_body::{Place, is_word},
};
use crate::{
    limits::{
        BOOKING_AHEAD_DAYS_MAX, BOOKING_BUFFER_MINUTES_MAX, BOOKING_DAYS_MAX, BOOKING_PARTIES_MAX,
        MEMBER_SKILLS_MAX, REFERENCE_CHARS_MAX, SCORE_MAX, URL_CHARS_MAX, VISIT_HOURS_MAX,
    },
    problem::{FieldError, Problem},
};

/// A booking that is about to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBooking)]
pub(crate) struct BookingBody {
    /// Your name for what it is about, at most 120 characters.
    #[schema(example = "project/17", max_length = 120)]
    reference: String,
    /// `pencil` or `confirmed`.
    #[schema(example = "pencil")]
    status: String,
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then; what begins then does not touch it.
    ends_at: DateTime<Utc>,
    /// Minutes to keep free before it.
    #[serde(default)]
    before_minutes: u16,
    /// Minutes to keep free after it.
    #[serde(default)]
    after_minutes: u16,
    /// Where; the way there is kept free too.
    #[serde(default)]
    place: Option<Place>,
    /// Of a pencil: when it is released, unless it moves before.
    #[serde(default)]
    held_until: Option<DateTime<Utc>>,
    /// Whom it takes: people, or things that are noted as parties.
    #[schema(value_type = Vec<String>, example = json!(["pty_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f"]))]
    parties: Vec<PartyId>,
}

impl BookingBody {
    /// The booking, made by `by`.
    pub(super) fn check(&self, by: String) -> Result<NewBooking, Problem> {
        let mut checks = Checks::default();
        checks.reference(&self.reference);
        let status =
            Status::named(&self.status).filter(|status| [Status::Pencil, Status::Confirmed].contains(status));
        checks.holds(status.is_some(), "/status", "takes pencil or confirmed");
        let during = checks.during(self.starts_at, self.ends_at, TimeDelta::days(BOOKING_DAYS_MAX));
        checks.buffers(self.before_minutes, self.after_minutes);
        let place = checks.place(self.place);
        let held = self.held_until.is_none_or(|until| status == Some(Status::Pencil) && until > Utc::now());
        checks.holds(held, "/held_until", "takes a time ahead, and only of a pencil");
        let count = (1..=BOOKING_PARTIES_MAX).contains(&self.parties.len());
        let twice = (1..self.parties.len()).any(|at| self.parties[..at].contains(&self.parties[at]));
        checks.holds(
            count && !twice,
            "/parties",
            format!("takes 1 to {BOOKING_PARTIES_MAX} parties, each once"),
        );
        checks.done()?;
        Ok(NewBooking {
            id: BookingId::new(),
            reference: self.reference.clone(),
            status: status.unwrap_or(Status::Pencil),
            during,
            before_minutes: self.before_minutes,
            after_minutes: self.after_minutes,
            place,
            held_until: self.held_until,
            parties: self.parties.clone(),
            by,
        })
    }
}

/// A visit that somebody should do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisitBody {
    /// From then.
    starts_at: DateTime<Utc>,
    /// Until then.
    ends_at: DateTime<Utc>,
    /// Minutes to keep free before it.
    #[serde(default)]
    before_minutes: u16,
    /// Minutes to keep free after it.
    #[serde(default)]
    after_minutes: u16,
    /// Where; how far away somebody is counts nothing unless given.
    #[serde(default)]
    place: Option<Place>,
    /// The role that it takes.
    #[schema(example = "technician")]
    role: String,
    /// What one has to know.
    #[serde(default)]
    skills: Vec<String>,
    /// At which site of the house it is. Whoever works at other sites only is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "lyon")]
    site: Option<String>,
}

impl VisitBody {
    pub(super) fn check(&self, checks: &mut Checks) -> Visit {
        let during = checks.during(self.starts_at, self.ends_at, TimeDelta::hours(VISIT_HOURS_MAX));
        checks.buffers(self.before_minutes, self.after_minutes);
        let place = checks.place(self.place);
        checks.holds(is_word(&self.role), "/role", "takes a role: a-z, 0-9, _ and -");
        let is_site = self.site.as_deref().is_none_or(is_word);
        checks.holds(is_site, "/site", "takes a site: a-z, 0-9, _ and -");
        let known = self.skills.len() <= MEMBER_SKILLS_MAX && self.skills.iter().all(|skill| is_word(skill));
        checks.holds(
            known,
            "/skills",
            format!("takes at most {MEMBER_SKILLS_MAX} skills: a-z, 0-9, _ and -"),
        );
        Visit {
            during,
            before_minutes: self.before_minutes,
            after_minutes: self.after_minutes,
            place,
            role: self.role.clone(),
            skills: self.skills.clone(),
            site: self.site.clone(),
        }
    }
}

/// The rules of the house.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsBody {
    /// What each factor is worth; together a hundred.
    #[serde(default)]
    weights: Option<WeightsBody>,
    /// Scores, of 10,000, that fall into one band of this width are alike, and whoever had less work goes first.
    #[serde(default)]
    fairness_band: u16,
    /// Whether a calendar that was not read for half an hour excludes its owner, and does not only mark them.
    #[serde(default)]
    strict_calendars: bool,
}

/// What each factor is worth.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightsBody {
    /// That they have time.
    availability: u8,
    /// That they are preferred.
    preferred: u8,
    /// That they come, and on time, and do well.
    reliability: u8,
    /// That they live near.
    distance: u8,
    /// That they know how.
    skill: u8,
}

impl TermsBody {
    pub(super) fn of(terms: Terms) -> Self {
        let Weights { availability, preferred, reliability, distance, skill } = terms.weights;
        Self {
            weights: Some(WeightsBody { availability, preferred, reliability, distance, skill }),
            fairness_band: terms.fairness_band,
            strict_calendars: terms.strict_calendars,
        }
    }

    pub(super) fn check(terms: Option<Self>, checks: &mut Checks) -> Terms {
        let Some(terms) = terms else { return Terms::VREM };
        let weights = terms.weights.map_or(Weights::VREM, |weights| Weights {
            availability: weights.availability,
            preferred: weights.preferred,
            reliability: weights.reliability,
            distance: weights.distance,
            skill: weights.skill,
        });
        if let Err(wrong) = weights.check() {
            checks.holds(false, "/terms/weights", wrong.to_string());
        }
        let band = terms.fairness_band <= SCORE_MAX;
        checks.holds(band, "/terms/fairness_band", format!("takes 0 to {SCORE_MAX}"));
        Terms { weights, fairness_band: terms.fairness_band, strict_calendars: terms.strict_calendars }
    }
}

/// A visit that somebody should be found for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMatchRequest)]
pub(crate) struct MatchBody {
    /// Your name for what it is about, at most 120 characters. Those who are asked read it.
    #[schema(example = "12 Elm Street", max_length = 120)]
    reference: String,
    /// The visit.
    visit: VisitBody,
    /// The rules; a media agency's unless given.
    #[serde(default)]
    terms: Option<TermsBody>,
    /// The name of rules of yours, in place of `terms`, as they are now.
    #[serde(default)]
    #[schema(example = "house")]
    preset: Option<String>,
    /// Who orders: whom they prefer or block counts.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    client: Option<PartyId>,
    /// Their company.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    company: Option<PartyId>,
    /// Where whoever is asked can look at the offer. They are told from here when this is given.
    #[serde(default)]
    link: Option<String>,
    /// Invite those who are asked, by mail: they may answer from their calendar.
    #[serde(default)]
    invite: bool,
    /// Wait up to 20 seconds for others, and give all of them out in the best way.
    #[serde(default)]
    batch: bool,
}

impl MatchBody {
    /// The request, made by `by`.
    pub(super) fn check(&self, by: String) -> Result<NewMatchRequest, Problem> {
        let mut checks = Checks::default();
        checks.reference(&self.reference);
        let visit = checks.within("/visit", |checks| self.visit.check(checks));
        let terms = TermsBody::check(self.terms, &mut checks);
        let is_one = self.preset.is_none() || self.terms.is_none();
        checks.holds(is_one, "/preset", "takes rules by name only where there are no `terms`");
        let is_name = self.preset.as_deref().is_none_or(is_word);
        checks.holds(is_name, "/preset", "takes a name: a-z, 0-9, _ and -");
        let is_link = |link: &String| {
            (link.starts_with("https://") || link.starts_with("http://"))
                && link.chars().count() <= URL_CHARS_MAX
                && !link.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        let link = self.link.as_ref().is_none_or(is_link);
        checks.holds(link, "/link", format!("takes a URL of at most {URL_CHARS_MAX} characters"));
        checks.done()?;
        Ok(NewMatchRequest {
            id: MatchRequestId::new(),
            reference: self.reference.clone(),
            visit,
            terms,
            preset: self.preset.clone(),
            client: self.client,
            company: self.company,
            link: self.link.clone(),
            invites: self.invite,
            in_batch: self.batch,
            by,
        })
    }
}

/// What is wrong with a body.
#[derive(Default)]
pub(super) struct Checks(Vec<FieldError>);

impl Checks {
    /// Notes what is wrong unless it `holds`.
    pub(super) fn holds(&mut self, holds: bool, pointer: &str, detail: impl Into<String>) {
        if !holds {
            self.0.push(FieldError::new(pointer, detail));
        }
    }

    /// What is wrong with the member at `pointer`.
    pub(super) fn within<T>(&mut self, pointer: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self::default();
        let checked = check(&mut inner);
        self.0.extend(
            inner
                .0
                .into_iter()
                .map(|error| FieldError { pointer: format!("{pointer}{}", error.pointer), ..error }),
        );
        checked
    }

    fn reference(&mut self, reference: &str) {
        let fits = (1..=REFERENCE_CHARS_MAX).contains(&reference.chars().count());
        let plain = !reference.trim().is_empty() && !reference.chars().any(char::is_control);
        let detail = format!("takes 1 to {REFERENCE_CHARS_MAX} characters on one line");
        self.holds(fits && plain, "/reference", detail);
    }

    fn during(&mut self, from: DateTime<Utc>, until: DateTime<Utc>, most: TimeDelta) -> Span {
        let around = TimeDelta::days(BOOKING_AHEAD_DAYS_MAX);
        let now = Utc::now();
        let detail = format!("takes a time at most {BOOKING_AHEAD_DAYS_MAX} days away");
        self.holds((now - around..now + around).contains(&from), "/starts_at", detail);
        span(from, until, most, "/ends_at").unwrap_or_else(|error| {
            self.0.push(error);
            Span { from, until: from }
        })
    }

    fn buffers(&mut self, before: u16, after: u16) {
        let detail = || format!("takes at most {BOOKING_BUFFER_MINUTES_MAX}");
        self.holds(before <= BOOKING_BUFFER_MINUTES_MAX, "/before_minutes", detail());
        self.holds(after <= BOOKING_BUFFER_MINUTES_MAX, "/after_minutes", detail());
    }

    fn place(&mut self, place: Option<Place>) -> Option<Point> {
        Place::point(place, "/place").unwrap_or_else(|error| {
            self.0.push(error);
            None
        })
    }

    /// A problem, if anything is wrong.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}
