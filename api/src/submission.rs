//! A job as clients ask for it, and everything that has to hold before it goes into the ledger.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::{
    JobId, KindSpec, Priority, Queue, Unique, UniqueFor,
    limits::{
        ATTEMPTS_MAX, CONCURRENCY_KEY_BYTES_MAX, HOP_AFTER_S_MAX, METADATA_BYTES_MAX, PROMISE_S_MAX,
        SCHEDULE_AHEAD_DAYS_MAX, TAG_BYTES_MAX, TAGS_MAX,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::enqueue::{Hop, NewJob};
use utoipa::ToSchema;

use crate::problem::FieldError;

const UNIQUE_KEY_BYTES_MAX: usize = 200;
const CLIENT_KEY_BYTES_MAX: usize = 180;
const UNIQUE_SECONDS_MAX: u32 = 30 * 24 * 3_600;

/// A job to be done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewJob)]
pub(crate) struct NewJobBody {
    /// What to do: one of GET /v1/kinds.
    #[schema(example = "probe.work")]
    pub kind: String,
    /// Version of the arguments; the kind's own unless given. An older one is brought up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 1)]
    pub version: Option<u16>,
    /// The kind's arguments; its schema is in GET /v1/kinds/{kind}.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"work_ms": 20, "echo": "hello"}))]
    pub args: Map<String, Value>,
    /// Another queue than the kind's own, such as media_bulk for work that must never delay new uploads.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub queue: Option<Queue>,
    /// Who goes first: 1 before 4.
    #[serde(default)]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 4)]
    pub priority: Option<Priority>,
    /// Attempts before it is discarded.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    pub max_attempts: Option<u16>,
    /// Not before; up to 400 days ahead. The past means now.
    #[serde(default)]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it is the same work as another job of this kind: the first is kept, and answered for the second.
    #[serde(default)]
    pub unique: Option<UniqueBody>,
    /// What the job uses that others use too, such as `stripe/acct_17`: limits on a key count every job that carries it.
    /// Up to 180 bytes, without `*`.
    #[serde(default)]
    #[schema(max_length = 180, example = "stripe/acct_17")]
    pub concurrency_key: Option<String>,
    /// Promised to be done within so many seconds after it may begin: jobs whose promise is at risk go first.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604_800)]
    pub promise_s: Option<u32>,
    /// Where it goes if waiting takes too long.
    #[serde(default)]
    pub hop: Option<HopBody>,
    /// Up to 16 words of up to 64 bytes to find it by.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub tags: Vec<String>,
    /// Anything of yours, up to 4 KiB; comes back unchanged.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

/// What makes two jobs of a kind the same work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Unique)]
pub(crate) struct UniqueBody {
    /// Equal keys mean equal work: 1 to 180 bytes.
    #[schema(example = "order-1017/thumbnails")]
    pub key: String,
    /// For how many seconds after it was enqueued the first job stands for the others, whatever becomes of it; up to 30
    /// days. Left out: until it is completed, cancelled or discarded.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub seconds: Option<u32>,
}

/// Another queue for a job that has waited too long.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Hop)]
pub(crate) struct HopBody {
    /// Where to.
    #[schema(value_type = String, example = "media")]
    pub queue: Queue,
    /// After so many seconds of waiting; up to a week.
    #[schema(minimum = 1, maximum = 604_800)]
    pub after_s: u32,
}

impl UniqueBody {
    fn check(&self) -> Option<FieldError> {
        if self.key.is_empty() || self.key.len() > CLIENT_KEY_BYTES_MAX || self.key.contains('\0') {
            return Some(FieldError::new("/unique/key", "1 to 180 bytes without U+0000"));
        }
        let fits = self.seconds.is_none_or(|seconds| (1..=UNIQUE_SECONDS_MAX).contains(&seconds));
        (!fits).then(|| FieldError::new("/unique/seconds", "1 to 2592000, or left out"))
    }

    /// Under a name of its own, so that a client's key never meets one that a kind has chosen.
    fn into_unique(self) -> Unique {
        let lasts = self.seconds.map_or(UniqueFor::UntilDone, UniqueFor::Seconds);
        Unique { key: format!("client/{}", self.key), lasts }
    }
}

impl NewJobBody {
    /// The job, or every field that keeps it from being one. Its arguments may take so many bytes.
    pub(crate) fn check(
        self,
        traceparent: Option<String>,
        args_bytes_max: usize,
    ) -> Result<NewJob, Vec<FieldError>> {
        let mut errors = Vec::new();
        let Some(spec) = jobs::spec(&self.kind) else {
            let known: Vec<&str> = jobs::specs().iter().map(|spec| spec.kind).collect();
            return Err(vec![FieldError::new(
                "/kind",
                format!("no such kind; there are {}", known.join(", ")),
            )]);
        };
        let args = Value::Object(self.args);
        let metadata = self.metadata.map(Value::Object);
        errors.extend(without_nul(&args, "/args"));
        errors.extend(metadata.iter().filter_map(|metadata| without_nul(metadata, "/metadata")));
        errors.extend(self.unique.as_ref().and_then(UniqueBody::check));
        errors.extend(check_tags(&self.tags));
        errors.extend(check_options(spec, self.queue, self.max_attempts, metadata.as_ref()));
        errors.extend(check_release(
            spec,
            self.concurrency_key.as_deref(),
            self.promise_s,
            self.hop.as_ref(),
        ));
        let id = JobId::new();
        let created_at = id.created_at();
        let scheduled_at = self.scheduled_at.map_or(created_at, |at| at.max(created_at)).trunc_subsecs(6);
        if scheduled_at > created_at + TimeDelta::days(SCHEDULE_AHEAD_DAYS_MAX) {
            errors.push(FieldError::new(
                "/scheduled_at",
                format!("at most {SCHEDULE_AHEAD_DAYS_MAX} days ahead"),
            ));
        }
        let parsed = read_args(spec, self.version, args, args_bytes_max)
            .map_err(|unreadable| errors.push(unreadable))
            .ok();
        let too_long = |unique: &jobs::Unique| unique.key.len() > UNIQUE_KEY_BYTES_MAX;
        if parsed.as_ref().and_then(|parsed| parsed.unique.as_ref()).is_some_and(too_long) {
            errors.push(FieldError::new("/args", "what makes this work unique is longer than 200 bytes"));
        }
        let (Some(parsed), true) = (parsed, errors.is_empty()) else { return Err(errors) };
        Ok(NewJob {
            id,
            kind: spec.kind,
            kind_version: spec.version,
            queue: self.queue.unwrap_or(spec.queue),
            priority: self.priority.unwrap_or(spec.policy.priority),
            max_attempts: self.max_attempts.unwrap_or(spec.policy.max_attempts),
            args: parsed.args.into(),
            created_at,
            scheduled_at,
            unique: self.unique.map(UniqueBody::into_unique).or(parsed.unique),
            concurrency_key: self.concurrency_key.or(parsed.concurrency_key),
            promise_s: self.promise_s.or(spec.policy.promise_s),
            member_of: None,
            hop: self.hop.map(|hop| Hop { queue: hop.queue, after_s: hop.after_s }),
            tags: self.tags,
            metadata,
            traceparent,
        })
    }
}

/// The arguments as the present version has them. An older one is brought up to date before it goes into the ledger, so
/// that what is answered with 202 is what was checked.
fn read_args(
    spec: &KindSpec,
    version: Option<u16>,
    args: Value,
    bytes_max: usize,
) -> Result<jobs::Parsed, FieldError> {
    let version = version.unwrap_or(spec.version);
    if !spec.knows(version) {
        return Err(FieldError::new("/version", format!("{} has {} here", spec.kind, spec.versions())));
    }
    let unreadable = || FieldError::new("/args", format!("these are no arguments of version {version}"));
    let args = spec.upcast(version, args).ok_or_else(unreadable)?;
    jobs::parse_up_to(spec, &args, bytes_max).map_err(FieldError::in_args)
}

fn check_tags(tags: &[String]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if tags.len() > TAGS_MAX {
        errors.push(FieldError::new("/tags", format!("at most {TAGS_MAX} tags")));
    }
    for (index, tag) in tags.iter().enumerate().take(TAGS_MAX) {
        if tag.is_empty() || tag.len() > TAG_BYTES_MAX || tag.chars().any(char::is_control) {
            let detail = format!("1 to {TAG_BYTES_MAX} bytes without control characters");
            errors.push(FieldError::new(format!("/tags/{index}"), detail));
        }
    }
    errors
}

fn check_options(
    spec: &KindSpec,
    queue: Option<Queue>,
    max_attempts: Option<u16>,
    metadata: Option<&Value>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    errors.extend(queue.and_then(|queue| misplaced(spec, queue, "/queue")));
    if max_attempts.is_some_and(|attempts| attempts == 0 || attempts > ATTEMPTS_MAX) {
        errors.push(FieldError::new("/max_attempts", format!("1 to {ATTEMPTS_MAX}")));
    }
    if metadata.is_some_and(|metadata| metadata.to_string().len() > METADATA_BYTES_MAX) {
        errors.push(FieldError::new("/metadata", format!("at most {METADATA_BYTES_MAX} bytes of JSON")));
    }
    errors
}

/// Queues that are claimed in the same way are worked in the same way: pixels never run between quick jobs.
fn misplaced(spec: &KindSpec, queue: Queue, pointer: &str) -> Option<FieldError> {
    (queue.claim_max() != spec.queue.claim_max()).then(|| {
        let fitting = Queue::ALL.into_iter().filter(|queue| queue.claim_max() == spec.queue.claim_max());
        let names: Vec<&str> = fitting.map(Queue::name).collect();
        FieldError::new(pointer, format!("{} runs in {}", spec.kind, names.join(" or ")))
    })
}

fn check_release(
    spec: &KindSpec,
    key: Option<&str>,
    promise_s: Option<u32>,
    hop: Option<&HopBody>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let fits = |key: &str| {
        (1..=CONCURRENCY_KEY_BYTES_MAX).contains(&key.len())
            && !key.contains('*')
            && !key.chars().any(char::is_control)
    };
    if !key.is_none_or(fits) {
        let detail = format!("1 to {CONCURRENCY_KEY_BYTES_MAX} bytes without * and control characters");
        errors.push(FieldError::new("/concurrency_key", detail));
    }
    if !promise_s.is_none_or(|seconds| (1..=PROMISE_S_MAX).contains(&seconds)) {
        errors.push(FieldError::new("/promise_s", format!("1 to {PROMISE_S_MAX}")));
    }
    if let Some(hop) = hop {
        errors.extend(misplaced(spec, hop.queue, "/hop/queue"));
        if !(1..=HOP_AFTER_S_MAX).contains(&hop.after_s) {
            errors.push(FieldError::new("/hop/after_s", format!("1 to {HOP_AFTER_S_MAX}")));
        }
    }
    errors
}

/// Postgres cannot store U+0000 in text or JSON.
fn without_nul(value: &Value, pointer: &str) -> Option<FieldError> {
    let refused = |pointer: &str| Some(FieldError::new(pointer, "the character U+0000 cannot be stored"));
    match value {
        Value::String(text) if text.contains('\0') => refused(pointer),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| without_nul(item, &format!("{pointer}/{index}"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') {
                return refused(pointer);
            }
            without_nul(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")))
        }),
        _ => None,
    }
}
