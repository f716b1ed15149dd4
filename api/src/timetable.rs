//! A schedule as clients ask for it, everything that has to hold before it is stored, and how clients see it.

use chrono::{DateTime, Utc};
use jobs::{
    Priority, Queue, ScheduleId,
    limits::{ARGS_BYTES_MAX, ATTEMPTS_MAX},
};
use schedule::{
    CATCH_UP_AGE_S_MAX, CATCH_UP_AGE_S_MIN, CATCH_UP_SLOTS_MAX, CatchUp, CatchUpRule, Cron, Overlap, Zone,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::schedules::{Schedule, Wanted};
use utoipa::ToSchema;

use crate::{limits::SCHEDULE_NAME_CHARS_MAX, problem::FieldError, submission::NewJobBody};

/// Slots that are shown ahead.
const NEXT_FIRES: usize = 10;

/// Work that repeats.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedule)]
pub(crate) struct ScheduleBody {
    /// Its name: 1 to 63 of a-z, 0-9, _, . and -; no two schedules of a tenant share one.
    #[schema(example = "nightly-report", max_length = 63)]
    pub name: String,
    /// When: five fields, six with seconds first, or a nickname such as `@daily`.
    #[schema(example = "30 2 * * MON-FRI", max_length = 200)]
    pub cron: String,
    /// By which clock: a name of the IANA database.
    #[serde(default = "utc")]
    #[schema(example = "Europe/Berlin", default = "UTC")]
    pub timezone: String,
    /// What to do: one of GET /v1/kinds.
    #[schema(example = "probe.work")]
    pub kind: String,
    /// The kind's arguments; its schema is in GET /v1/kinds/{kind}.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"echo": "good morning"}))]
    pub args: Map<String, Value>,
    /// Another queue than the kind's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub queue: Option<Queue>,
    /// Who goes first: 1 before 4. The kind's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 4)]
    pub priority: Option<Priority>,
    /// Attempts before a job is discarded. The kind's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 50)]
    pub max_attempts: Option<u16>,
    /// Up to 16 words of up to 64 bytes to find its jobs by.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub tags: Vec<String>,
    /// Anything of yours, up to 4 KiB, for its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// What a slot does while a job of this schedule has not ended. `allow`: its job runs beside it. `skip`: it gets no
    /// job. `cancel_previous`: the job that has not ended is cancelled.
    #[serde(default)]
    #[schema(value_type = String, default = "allow")]
    pub overlap: Overlap,
    /// What becomes of slots that nobody took within a minute. `none`: they are given up. `one`: the newest gets a job
    /// for all of them. `all`: each gets a job, newest first, up to `catch_up_max` and `catch_up_age_s`.
    #[serde(default)]
    #[schema(value_type = String, default = "one")]
    pub catch_up: CatchUp,
    /// How many missed slots may get jobs.
    #[serde(default = "catch_up_max")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    pub catch_up_max: u16,
    /// How old a missed slot may be to get a job, in seconds.
    #[serde(default = "catch_up_age_s")]
    #[schema(minimum = 60, maximum = 604_800, default = 86_400)]
    pub catch_up_age_s: u32,
}

fn utc() -> String {
    Zone::UTC.name().to_owned()
}

const fn catch_up_max() -> u16 {
    10
}

const fn catch_up_age_s() -> u32 {
    86_400
}

impl ScheduleBody {
    /// What is stored, or every field that keeps it from being stored.
    pub(crate) fn check(self) -> Result<Wanted, Vec<FieldError>> {
        let mut errors = Vec::new();
        if !is_name(&self.name) {
            let detail =
                format!("1 to {SCHEDULE_NAME_CHARS_MAX} of a-z, 0-9, _, . and -, a letter or digit first");
            errors.push(FieldError::new("/name", detail));
        }
        let times = read_times(&self.cron, &self.timezone).map_err(|wrong| errors.extend(wrong)).ok();
        if !(1..=CATCH_UP_SLOTS_MAX).contains(&self.catch_up_max) {
            errors.push(FieldError::new("/catch_up_max", format!("1 to {CATCH_UP_SLOTS_MAX}")));
        }
        if !(CATCH_UP_AGE_S_MIN..=CATCH_UP_AGE_S_MAX).contains(&self.catch_up_age_s) {
            let detail = format!("{CATCH_UP_AGE_S_MIN} to {CATCH_UP_AGE_S_MAX}");
            errors.push(FieldError::new("/catch_up_age_s", detail));
        }
        // What holds for a job that is submitted holds for one that a slot will make.
        let (queue, priority, max_attempts) = (self.queue, self.priority, self.max_attempts);
        let job = NewJobBody {
            kind: self.kind,
            version: None,
            args: self.args,
            queue,
            priority,
            max_attempts,
            scheduled_at: None,
            unique: None,
            concurrency_key: None,
            promise_s: None,
            hop: None,
            tags: self.tags,
            metadata: self.metadata,
        };
        let job = job.check(None, ARGS_BYTES_MAX).map_err(|wrong| errors.extend(wrong)).ok();
        let (Some((cron, zone)), Some(job), true) = (times, job, errors.is_empty()) else {
            return Err(errors);
        };
        let args = job.args.inline().cloned().unwrap_or_default();
        Ok(Wanted {
            name: self.name,
            cron,
            zone,
            kind: job.kind,
            kind_version: job.kind_version,
            args,
            queue,
            priority,
            max_attempts,
            tags: job.tags,
            metadata: job.metadata,
            overlap: self.overlap,
            catch_up: CatchUpRule {
                policy: self.catch_up,
                slots_max: self.catch_up_max,
                age_s: self.catch_up_age_s,
            },
        })
    }

    /// As a client would have to write it to get what stands.
    pub(crate) fn of(stands: &Schedule) -> Self {
        let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
        // Changed in the present version, whichever it was made in.
        let upcast = |spec: &jobs::KindSpec| spec.upcast(stands.kind_version as u16, stands.args.0.clone());
        let args = jobs::spec(&stands.kind).and_then(upcast);
        let priority =
            stands.priority.and_then(|priority| u8::try_from(priority).ok()).and_then(Priority::new);
        Self {
            name: stands.name.clone(),
            cron: stands.cron.clone(),
            timezone: stands.timezone.clone(),
            kind: stands.kind.clone(),
            args: object(args.as_ref().unwrap_or(&stands.args.0)),
            queue: stands.queue.as_ref().and_then(|queue| queue.parse().ok()),
            priority,
            max_attempts: stands.max_attempts.map(|attempts| (attempts as u16).min(ATTEMPTS_MAX)),
            tags: stands.tags.clone(),
            metadata: stands.metadata.as_ref().map(|metadata| object(&metadata.0)),
            overlap: stands.overlap.parse().unwrap_or_default(),
            catch_up: stands.catch_up.parse().unwrap_or_default(),
            catch_up_max: stands.catch_up_max as u16,
            catch_up_age_s: stands.catch_up_age_s as u32,
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    (1..=SCHEDULE_NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(fits)
        && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// An expression and its zone, or what is wrong with them.
pub(crate) fn read_times(cron: &str, timezone: &str) -> Result<(Cron, Zone), Vec<FieldError>> {
    let cron = Cron::parse(cron).map_err(|refused| FieldError::new("/cron", refused.to_string()));
    let zone = timezone
        .parse()
        .map_err(|unknown: schedule::UnknownZone| FieldError::new("/timezone", unknown.to_string()));
    match (cron, zone) {
        (Ok(cron), Ok(zone)) => Ok((cron, zone)),
        (cron, zone) => Err(cron.err().into_iter().chain(zone.err()).collect()),
    }
}

/// A moment at which something comes due.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Slot)]
pub(crate) struct SlotResource {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// What the clock of the zone shows then.
    #[schema(example = "2026-11-21T02:30:00+01:00")]
    pub(crate) local: String,
}

/// The next slots after `after`.
pub(crate) fn next_fires(cron: &Cron, zone: Zone, after: DateTime<Utc>) -> Vec<SlotResource> {
    let following = |slot: &DateTime<Utc>| cron.after(zone, *slot);
    std::iter::successors(cron.after(zone, after), following)
        .take(NEXT_FIRES)
        .map(|at| SlotResource { at, local: zone.local(at) })
        .collect()
}

/// Why a schedule stands still.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SchedulePause)]
pub(crate) struct PausedResource {
    /// Since when.
    at: DateTime<Utc>,
    /// The API key of whoever paused it; `crewline` if it could not be fired.
    by: String,
    /// Why.
    reason: String,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleResource {
    /// Which it is.
    #[schema(value_type = String, example = "sch_0192f3c47a1b7c3d8e4f5a6b7c8d9e0f")]
    id: ScheduleId,
    #[serde(flatten)]
    body: ScheduleBody,
    /// When, in plain words.
    #[schema(example = "At 02:30, on Monday, Tuesday, and Wednesday.")]
    description: String,
    /// There while it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<PausedResource>,
    /// Its next slot; none while it is paused.
    next_fire_at: Option<DateTime<Utc>>,
    /// Its next ten slots; while it is paused, those that it would have. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_fires: Option<Vec<SlotResource>>,
    /// The slot of its latest job.
    last_fire_at: Option<DateTime<Utc>>,
    /// The API key that made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// The API key that changed it last.
    updated_by: String,
    /// When it was changed last.
    updated_at: DateTime<Utc>,
    /// Goes up whenever somebody changes it.
    version: i32,
}

impl ScheduleResource {
    /// A schedule with its slots ahead.
    pub(crate) fn of(stands: &Schedule) -> Self {
        // What this version cannot read has no slots; its pause says why.
        let times = read_times(&stands.cron, &stands.timezone).ok();
        let next = times.as_ref().map(|(cron, zone)| next_fires(cron, *zone, stands.read_at));
        Self { next_fires: Some(next.unwrap_or_default()), ..Self::line(stands) }
    }

    /// A schedule as a line of a list.
    pub(crate) fn line(stands: &Schedule) -> Self {
        let paused = match (stands.paused_at, &stands.paused_by, &stands.pause_reason) {
            (Some(at), Some(by), Some(reason)) => {
                Some(PausedResource { at, by: by.clone(), reason: reason.clone() })
            }
            _ => None,
        };
        Self {
            id: stands.id(),
            body: ScheduleBody::of(stands),
            description: stands.cron().map(|cron| cron.describe()).unwrap_or_default(),
            next_fire_at: stands.next_fire_at.filter(|_| paused.is_none()),
            paused,
            next_fires: None,
            last_fire_at: stands.last_fire_at,
            created_by: stands.created_by.clone(),
            created_at: stands.created_at,
            updated_by: stands.updated_by.clone(),
            updated_at: stands.updated_at,
            version: stands.version,
        }
    }
}
