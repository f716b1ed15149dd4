//! The one list of kinds, and what can be asked of it without knowing the types.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{Invalid, Job, Policy, Queue, Unique, limits::ARGS_BYTES_MAX};

/// Applies a macro to the type of every kind. `jobs` builds its specs from it, `workers` its registry, tests their
/// cases. A new kind is one line here.
#[macro_export]
macro_rules! for_each_kind {
    ($apply:ident) => {
        $apply! {
            $crate::kinds::alert_send::AlertSend,
            $crate::kinds::booking_lapse::BookingLapse,
            $crate::kinds::calendar_export::CalendarExport,
            $crate::kinds::calendar_pull::CalendarPull,
            $crate::kinds::calendar_push::CalendarPush,
            $crate::kinds::calendar_renew::CalendarRenew,
            $crate::kinds::delivery_publish::DeliveryPublish,
            $crate::kinds::delivery_zip::DeliveryZip,
            $crate::kinds::geo_geocode::GeoGeocode,
            $crate::kinds::invite_reply::InviteReply,
            $crate::kinds::invite_send::InviteSend,
            $crate::kinds::match_batch::MatchBatch,
            $crate::kinds::match_offer_expire::MatchOfferExpire,
            $crate::kinds::match_rank::MatchRank,
            $crate::kinds::media_backfill::MediaBackfill,
            $crate::kinds::media_contact_sheet::MediaContactSheet,
            $crate::kinds::media_probe::MediaProbe,
            $crate::kinds::media_rendition::MediaRendition,
            $crate::kinds::media_scan::MediaScan,
            $crate::kinds::notify_digest_close::NotifyDigestClose,
            $crate::kinds::notify_plan::NotifyPlan,
            $crate::kinds::notify_send::NotifySend,
            $crate::kinds::probe_work::ProbeWork,
            $crate::kinds::video_chunk::VideoChunk,
            $crate::kinds::video_transcode::VideoTranscode,
            $crate::kinds::webhook_deliver::WebhookDeliver,
            $crate::kinds::webhook_process::WebhookProcess,
        }
    };
}

/// Everything about a kind that is not its handler.
pub struct KindSpec {
    /// `family.thing`.
    pub kind: &'static str,
    /// Version of the arguments.
    pub version: u16,
    /// The oldest version that can still be read.
    pub oldest_version: u16,
    /// One line for people.
    pub summary: &'static str,
    /// Where it runs.
    pub queue: Queue,
    /// How often, how long, how soon again.
    pub policy: Policy,
    /// JSON Schema (2020-12) of the arguments.
    pub args_schema: Value,
    /// JSON Schema (2020-12) of the result.
    pub result_schema: Value,
    /// Arguments that work.
    pub example: Value,
    parse: fn(&Value, usize) -> Result<Parsed, Invalid>,
    upcast: fn(u16, Value) -> Option<Value>,
}

impl KindSpec {
    /// Whether arguments of `version` can be read.
    pub fn knows(&self, version: u16) -> bool {
        (self.oldest_version..=self.version).contains(&version)
    }

    /// The versions that can be read, in words: `version 1`, or `versions 1 to 3`.
    pub fn versions(&self) -> String {
        versions(self.oldest_version, self.version)
    }

    /// Arguments of `version` as those of the present one; none when they cannot be read.
    pub fn upcast(&self, version: u16, args: Value) -> Option<Value> {
        (self.upcast)(version, args)
    }
}

/// Versions from `oldest` to `newest`, in words.
pub fn versions(oldest: u16, newest: u16) -> String {
    if oldest == newest { format!("version {newest}") } else { format!("versions {oldest} to {newest}") }
}

/// Arguments that passed their kind's checks, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// As they go into the row.
    pub args: Value,
    /// When two jobs are the same work.
    pub unique: Option<Unique>,
    /// What it uses that others use too.
    pub concurrency_key: Option<String>,
}

macro_rules! build_specs {
    ($($kind:ty),+ $(,)?) => {
        vec![$(spec_of::<$kind>()),+]
    };
}

static SPECS: LazyLock<Vec<KindSpec>> = LazyLock::new(|| for_each_kind!(build_specs));

macro_rules! assert_unique {
    ($($kind:ty),+ $(,)?) => {
        const _: () = {
            let names = [$(<$kind as Job>::KIND),+];
            let mut i = 0;
            while i < names.len() {
                let mut j = i + 1;
                while j < names.len() {
                    assert!(!same(names[i], names[j]), "two kinds share one name");
                    j += 1;
                }
                i += 1;
            }
            $(assert!(
                1 <= <$kind as Job>::OLDEST_VERSION && <$kind as Job>::OLDEST_VERSION <= <$kind as Job>::VERSION,
                "a kind's versions begin at 1 and its oldest is not after its newest"
            );)+
        };
    };
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

for_each_kind!(assert_unique);

/// Every kind, in catalogue order.
pub fn specs() -> &'static [KindSpec] {
    &SPECS
}

/// The kind called `kind`.
pub fn spec(kind: &str) -> Option<&'static KindSpec> {
    SPECS.iter().find(|spec| spec.kind == kind)
}

/// Checks `args` against their kind: shape, unknown fields, the kind's own rules, and that they fit into a row.
///
/// # Errors
/// Names the offending field by JSON Pointer.
pub fn parse(spec: &KindSpec, args: &Value) -> Result<Parsed, Invalid> {
    parse_up_to(spec, args, ARGS_BYTES_MAX)
}

/// As [`parse`], for arguments of up to `bytes_max`.
///
/// # Errors
/// Names the offending field by JSON Pointer.
pub fn parse_up_to(spec: &KindSpec, args: &Value, bytes_max: usize) -> Result<Parsed, Invalid> {
    (spec.parse)(args, bytes_max)
}

/// Arguments that were checked as `version` some time ago, as this program would take them in now, and the version they
/// then have. Those of a newer version stay as they are: who knows it checked them, and who knows it will do the job.
///
/// # Errors
/// Names the offending field by JSON Pointer, as [`parse`] does.
pub fn parse_kept(spec: &KindSpec, version: u16, args: Value) -> Result<(u16, Parsed), Invalid> {
    if version > spec.version {
        return Ok((version, Parsed { args, unique: None, concurrency_key: None }));
    }
    let unreadable = || Invalid::new("", format!("these are no arguments of version {version}"));
    let args = spec.upcast(version, args).ok_or_else(unreadable)?;
    Ok((spec.version, parse(spec, &args)?))
}

fn spec_of<K: Job>() -> KindSpec {
    KindSpec {
        kind: K::KIND,
        version: K::VERSION,
        oldest_version: K::OLDEST_VERSION,
        summary: K::SUMMARY,
        queue: K::QUEUE,
        policy: K::POLICY,
        args_schema: schema_of::<K>(&format!("{}.args.v{}", K::KIND, K::VERSION)),
        result_schema: schema_of::<K::Output>(&format!("{}.result.v{}", K::KIND, K::VERSION)),
        example: serde_json::to_value(K::example()).unwrap_or_default(),
        parse: parse_as::<K>,
        upcast: upcast::<K>,
    }
}

/// Arguments of `version` as those of the present version of `K`, step by step; none when they cannot be read.
pub fn upcast<K: Job>(version: u16, args: Value) -> Option<Value> {
    if !(K::OLDEST_VERSION..=K::VERSION).contains(&version) {
        return None;
    }
    (version..K::VERSION).try_fold(args, |args, version| K::upcast(version, args))
}

fn schema_of<T: schemars::JsonSchema>(id: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$id".to_owned(), Value::String(format!("urn:crewline:{id}")));
    }
    schema
}

fn parse_as<K: Job>(args: &Value, bytes_max: usize) -> Result<Parsed, Invalid> {
    let job: K = serde_path_to_error::deserialize(args)
        .map_err(|error| Invalid::new(pointer(error.path()), error.inner().to_string()))?;
    job.check()?;
    let args = serde_json::to_value(&job).map_err(|error| Invalid::new("", error.to_string()))?;
    if args.to_string().len() > bytes_max {
        return Err(Invalid::new("", format!("arguments take at most {bytes_max} bytes")));
    }
    Ok(Parsed { args, unique: job.unique(), concurrency_key: job.concurrency_key() })
}

/// A path of serde as a JSON Pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! round_trips {
        ($($kind:ty),+ $(,)?) => {$({
            let example = serde_json::to_value(<$kind as Job>::example()).unwrap();
            let spec = spec(<$kind as Job>::KIND).unwrap();
            let parsed = parse(spec, &example).unwrap();
            assert_eq!(parsed.args, example, "{} does not round-trip", spec.kind);

            let mut unknown = example.clone();
            unknown["surprise"] = Value::Bool(true);
            let refused = parse(spec, &unknown).unwrap_err();
            assert!(refused.reason.contains("unknown field"), "{}: {refused}", spec.kind);

            assert!(parse(spec, &Value::String("args".into())).is_err());
            for version in spec.oldest_version..spec.version {
                let old = <$kind as Job>::example_of(version);
                let old = old.unwrap_or_else(|| panic!("{} has no example of version {version}", spec.kind));
                let upcast = spec.upcast(version, old).unwrap();
                parse(spec, &upcast).unwrap_or_else(|refused| panic!("{} v{version}: {refused}", spec.kind));
            }
            assert!(!spec.knows(spec.version + 1) && spec.upcast(spec.version + 1, example.clone()).is_none());

            assert!(spec.policy.max_attempts >= 1 && spec.policy.timeout_s >= 1);
            if let Some(unique) = parsed.unique {
                assert!(unique.key.len() <= 200, "{}: unique key too long", spec.kind);
            }
        })+};
    }

    #[test]
    fn every_kind_round_trips_and_refuses_unknown_fields() {
        for_each_kind!(round_trips);
    }

    /// Three versions: a number became a list, and then a word was renamed.
    #[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Third {
        rooms: Vec<u32>,
    }

    impl Job for Third {
        const KIND: &'static str = "test.third";
        const VERSION: u16 = 3;
        const OLDEST_VERSION: u16 = 1;
        const SUMMARY: &'static str = "";
        const QUEUE: Queue = Queue::Default;
        const POLICY: Policy = crate::kinds::probe_work::ProbeWork::POLICY;
        type Output = ();

        fn upcast(version: u16, mut args: Value) -> Option<Value> {
            let members = args.as_object_mut()?;
            match version {
                1 => {
                    let room = members.remove("room")?;
                    members.insert("room_list".to_owned(), Value::Array(vec![room]));
                }
                2 => {
                    let rooms = members.remove("room_list")?;
                    members.insert("rooms".to_owned(), rooms);
                }
                _ => return None,
            }
            Some(args)
        }

        fn example() -> Self {
            Self { rooms: vec![1] }
        }
    }

    #[test]
    fn old_arguments_come_up_to_date_step_by_step() {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (version, args) in [(1, r#"{"room": 7}"#), (2, r#"{"room_list": [7]}"#), (3, r#"{"rooms": [7]}"#)]
        {
            assert_eq!(upcast::<Third>(version, json(args)), Some(json(r#"{"rooms": [7]}"#)), "{version}");
        }
        assert_eq!(upcast::<Third>(1, json(r#"{"rooms": [7]}"#)), None, "not what version 1 looked like");
        assert_eq!(upcast::<Third>(0, json("{}")), None);
        assert_eq!(upcast::<Third>(4, json("{}")), None);
        assert_eq!((versions(1, 3), versions(2, 2)), ("versions 1 to 3".into(), "version 2".into()));
    }

    #[test]
    fn kinds_are_named_family_dot_thing() {
        for spec in specs() {
            let parts: Vec<_> = spec.kind.split('.').collect();
            assert!(parts.len() == 2 && parts.iter().all(|part| !part.is_empty()), "{}", spec.kind);
            assert!(
                spec.kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'),
                "{}",
                spec.kind
            );
        }
    }

    #[test]
    fn a_wrong_argument_is_pointed_at() {
        let spec = spec("probe.work").unwrap();
        let refused =
            parse(spec, &serde_json::json!({"endings": ["complete", {"snooze": "soon"}]})).unwrap_err();
        assert_eq!(refused.pointer, "/endings/1/snooze");
        assert_eq!(parse(spec, &serde_json::json!({"work_ms": 600_001})).unwrap_err().pointer, "/work_ms");
    }
}
